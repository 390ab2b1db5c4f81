"""What a review or a look for early signs tells other systems: that something changed, how much, and where it lies."""

from __future__ import annotations

import time
from typing import Any

from configs.watching import Notices
from monitoring.telling import notify
from monitoring.telling.notify import Delivery, Notice
from serving.ledger import Ledger

REVIEWED, WARNED = "customers_reviewed", "customers_warned"


def of_review(told: dict[str, Any], record_id: str, at: str) -> Notice | None:
    """The notice of a review, None where nothing changed. It names no customer: `customers export` does."""
    if not told["changed"] and not told["breaches"]["groups"]:
        return None
    moves, limit, breaches = told["moves"], told["limit"], told["breaches"]
    waiting = limit["held_by"]["person"]
    groups = len(breaches["groups"])
    sentence = f"{told['changed']:,} customers have another grade, limit or terms since the review before"
    evidence = (
        f"review of {told['as_of']} by {told['model']}, file {told['file']}",
        f"grades: {moves['up']:,} up, {moves['down']:,} down",
        f"limits: {limit['raised']:,.0f} raised, {limit['cut']:,.0f} cut, {waiting:,} wait for a person",
        f"breaches: {breaches['customers']:,} customers above their limit, {groups:,} groups above the cap",
    )
    return Notice(f"{REVIEWED}-{record_id}", told["product"], REVIEWED, sentence, evidence, at)


def of_warnings(told: dict[str, Any], at: str) -> Notice | None:
    """The notice of new warnings, None without any."""
    if not told["new"]:
        return None
    levels = ", ".join(f"{count:,} {level}" for level, count in told["levels"].items())
    sentence = f"{told['new']:,} new warnings; open: {levels}"
    evidence = tuple(f"{one['name']}: {one['hits']:,} hits" for one in told["indicators"])
    return Notice(f"{WARNED}-{told['product']}-{at}", told["product"], WARNED, sentence, evidence, at)


def tell(ledger: Ledger, notice: Notice | None, settings: Notices, at: str) -> list[Delivery]:
    """Tell who asked for it, as verdicts are told: tried again, kept where it fails."""
    return [] if notice is None else notify.tell(ledger, notice, settings, at, time.sleep)
