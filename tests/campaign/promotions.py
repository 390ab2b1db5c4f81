"""Versions and their promotions as the ledger sees them, for what attacks them."""

from __future__ import annotations

from typing import Any

from serving import champion
from serving.ledger import Ledger
from training.bundle import Bundle

NAME, AT = "consumer_platform", "2026-01-05T09:00:00+00:00"


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
