"""The ledger as a command has it: open while the command runs, closed when it ends, however it ends."""

from __future__ import annotations

from contextlib import closing

from configs.console import Arguments
from configs.settings import Settings
from serving.ledger import Ledger, open_ledger


def command_ledger(arguments: Arguments, settings: Settings) -> Ledger:
    """The ledger of these settings for the command of these arguments. Raises as `open_ledger` does."""
    return arguments.ends.enter_context(closing(open_ledger(settings)))
