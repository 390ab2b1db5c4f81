"""What is done while a fault strikes: a home is keyed, records, signs; a ledger is written to for a while.

Little is imported here: each trial is a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from serving import access, checkpoint
from serving.ledger import Entry, Ledger, LedgerError, canonical
from serving.vault import Vault
from serving.writer import Writer
from training.signature import PrivateKey

AT = "2026-01-05T09:00:00+00:00"
KEY = PrivateKey.from_private_bytes(b"creditloop: a key at fault point")


def opened(home: Path) -> Ledger:
    """The ledger of such a home."""
    return Ledger(f"sqlite:///{home}/ledger.db", Vault(home / "master"))


def keep_house(home: Path, run: str, say: Callable[[str], object]) -> None:
    """Make a key, record three decisions, sign a checkpoint; `say` each when it is done."""
    access.create_key(home, "ada", "score")
    with closing(opened(home)) as ledger:
        for number in range(3):
            name, body = f"d-{run}-{number}", canonical({"of": number})
            ledger.append([Entry(name, "decision", "p", f"customer {run}", AT, body, personal=True)])
            say(f"ok {name}")
        checkpoint.write(*ledger.head(), AT, KEY, home / "anchors")
        say("signed")
    say("done")


def keep_writing(url: str, run: str, say: Callable[[str], object]) -> None:
    """Record forty decisions one after another; `say` of each whether it was acknowledged."""
    with closing(Ledger(url)) as ledger:
        writer = Writer(ledger, 4)
        for number in range(40):
            name = f"{run}-{number}"
            try:
                writer.submit(Entry(name, "decision", "p", "c", "t", b"x" * 3000)).result(timeout=60)
                say(f"ok {name}")
            except LedgerError:
                say(f"no {name}")
        writer.close()
    say("done")
