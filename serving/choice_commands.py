"""The subcommands of models about less discriminatory alternatives: alternatives shows them, choose decides."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from configs.console import Arguments, add_command, add_product, read_settings, show
from configs.errors import InputError
from serving.identity import acting
from serving.review_commands import add_decider, read_version

_SHOWN = ("attribute", "model", "AUC minus chosen", "approved", "impact ratio", "nearer to 1 by", "must be shown")


def add_choosing(models: Any) -> None:
    """Add the subcommands to models."""
    listed = add_command(models, "alternatives", _alternatives, "models as good that treat groups more alike, if any")
    add_product(listed)
    listed.add_argument("version", help="as `models list` names it")
    choose = add_command(models, "choose", _choose, "take the version or an alternative of it, and say why, on record")
    add_product(choose)
    choose.add_argument("version", help="as `models list` names it")
    choose.add_argument("--model", required=True, help="as `models alternatives` names it; chosen is the version")
    choose.add_argument(
        "--refuse",
        action="append",
        default=[],
        type=_refusal,
        metavar="MODEL=WHY",
        help="why not this one; of each that must be shown",
    )
    add_decider(choose)


def _refusal(text: str) -> tuple[str, str]:
    name, parted, why = text.partition("=")
    if not (name.strip() and parted and why.strip()):
        raise argparse.ArgumentTypeError(f"expected MODEL=WHY, as 'trial 7=its limits are lower', got {text!r}")
    return name.strip(), why.strip()


def _alternatives(arguments: Arguments) -> int:
    from serving import chosen
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    bundle, _ = read_version(settings, arguments.product, arguments.version)
    found = bundle.training.get("alternatives")
    if found is None:
        raise InputError(f"{bundle.version} holds no search for alternatives: its product lists no table `protected`")
    said = chosen.standing(command_ledger(arguments, settings), bundle)
    lines = [" | ".join(_SHOWN), *(" | ".join(row[name] for name in _SHOWN) for row in found["table"])]
    lines.append("nobody chose yet" if said is None else f"{said.by} chose {said.model!r} at {said.at}: {said.reason}")
    show(arguments, {**found, "choice": None if said is None else asdict(said)}, "\n".join(lines))
    return 0


def _choose(arguments: Arguments) -> int:
    from serving import chosen
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "approve").name
    bundle, _ = read_version(settings, arguments.product, arguments.version)
    said = (arguments.model, by, arguments.reason, dict(arguments.refuse))
    made = chosen.record(command_ledger(arguments, settings), bundle, *said, utc_now())
    show(arguments, asdict(made), f"{made.version}: {made.by} chose {made.model!r}: {made.reason}")
    return 0
