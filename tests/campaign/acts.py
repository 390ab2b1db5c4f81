"""What is done while a fault strikes: a home is keyed, decides, promotes, signs; a ledger is written to for a while."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from serving import access, champion, checkpoint
from serving.ledger import Entry, Ledger, LedgerError, canonical
from serving.vault import Vault
from serving.writer import Writer
from training.bundle import Bundle
from training.signature import PrivateKey

NAME, AT = "consumer_platform", "2026-01-05T09:00:00+00:00"
KEY = PrivateKey.from_private_bytes(b"creditloop: a key at fault point")


def version(letter: str) -> Bundle:
    """A version as the rules about promotions see one."""
    nothing: dict[str, Any] = dict.fromkeys(("folder", "program", "booster", "calibration", "scale", "validation"))
    gate = {"passed": True, "checks": []}
    return Bundle(version=f"{NAME}-{letter}", product=NAME, training={"gate": gate}, digest=letter * 64, **nothing)


def is_linear(ledger: Ledger) -> bool:
    """Whether each promotion follows the one before it, so that there is one champion at every moment."""
    made = champion.history(ledger, NAME)
    before = [None, *(one.version for one in made)]
    return [one.previous for one in made] == before[: len(made)]


def opened(home: Path) -> Ledger:
    """The ledger of such a home."""
    return Ledger(f"sqlite:///{home}/ledger.db", Vault(home / "master"))


def keep_house(home: Path, run: str, say: Callable[[str], object]) -> None:
    """Make a key, record three decisions and three promotions, sign a checkpoint; `say` each when it is done."""
    access.create_key(home, "ada", "score")
    with closing(opened(home)) as ledger:
        for number, letter in enumerate("aba"):
            name, body = f"d-{run}-{number}", canonical({"of": number})
            ledger.append([Entry(name, "decision", NAME, f"customer {run}", AT, body, personal=True)])
            say(f"ok {name}")
            champion.promote(ledger, version(letter), champion.current(ledger, NAME), "a machine", "to and fro", AT)
            say(f"champion {version(letter).version}")
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
