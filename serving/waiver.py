"""A version the gate did not pass may stand for a time all the same: by a second name, with a reason and an end."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from configs.errors import InputError, Refusal
from configs.persons import known_as
from serving import authorship
from serving.ledger import Entry, Ledger, Record, canonical
from training.bundle import Bundle

KIND = "waiver"


@dataclass(frozen=True, slots=True)
class Waiver:
    """Which checks of the gate are waived for these bytes under this policy, by whom, why, and to the end of a day."""

    version: str
    checks: tuple[str, ...]
    by: str
    reason: str
    until: str
    at: str
    digest: str
    policy: str


def failed_checks(bundle: Bundle) -> tuple[str, ...]:
    """The checks of the gate that this version did not pass."""
    return tuple(check["name"] for check in bundle.training["gate"]["checks"] if not check["passed"])


def record(
    ledger: Ledger, bundle: Bundle, policy: str, by: str, reason: str, until: dt.date, longest: int, at: str
) -> Waiver:
    """Waive the checks that failed, to the end of `until`, at most `longest` days ahead of `at`.

    Raises Refusal where the gate passed or the version is one's own; InputError without a name, a reason or a day
    that lies ahead.
    """
    if not by.strip() or not reason.strip():
        raise InputError("a waiver is on record with the name of who gives it, and the reason: neither may be empty")
    if not (checks := failed_checks(bundle)):
        raise Refusal(f"{bundle.version} passed the gate: there is nothing to waive")
    maker = authorship.author(ledger, bundle.version)
    if maker is not None and known_as(maker) == known_as(by):
        raise Refusal(f"{bundle.version} was trained by {maker}, who does not waive its gate")
    today = dt.date.fromisoformat(at[:10])
    if not today <= until <= today + dt.timedelta(longest):
        raise InputError(f"--until {until}: a waiver ends between today and {longest} days from now")
    said = {"checks": checks, "by": by, "reason": reason, "until": until.isoformat()}
    body = canonical({**said, "digest": bundle.digest, "policy": policy})
    identity = f"waiver-{hashlib.sha256(body).hexdigest()[:32]}"
    (made,) = ledger.append([Entry(identity, KIND, bundle.product, bundle.version, at, body, identity)])
    return _waiver(made)


def waivers(ledger: Ledger, version: str) -> list[Waiver]:
    """Every waiver of a version, in order, whether it still stands or not."""
    return [_waiver(made) for made in ledger.about([version]) if made.entry.kind == KIND]


def standing(given: Collection[Waiver], bundle: Bundle, policy: str, on: dt.date) -> list[Waiver]:
    """Those of these bytes and this policy that have not ended by `on`."""
    return [
        one
        for one in given
        if (one.digest, one.policy) == (bundle.digest, policy) and on <= dt.date.fromisoformat(one.until)
    ]


def require(ledger: Ledger, bundle: Bundle, policy: str, promoter: str, on: dt.date) -> Waiver:
    """The waiver under which a version that the gate did not pass may be promoted.

    Raises Refusal where none stands that covers every check that failed and that another than `promoter` gave.
    """
    checks = failed_checks(bundle)
    given = waivers(ledger, bundle.version)
    others = [one for one in standing(given, bundle, policy, on) if known_as(one.by) != known_as(promoter)]
    covering = [one for one in others if set(checks) <= set(one.checks)]
    if not covering:
        ended = f"; that of {given[-1].by} ended on {given[-1].until} or was of other bytes" if given else ""
        raise Refusal(
            f"{bundle.version} did not pass the gate ({', '.join(checks)}), and no waiver by another than {promoter} "
            f"stands{ended}: creditloop models waive --product {bundle.product} {bundle.version}; a house with "
            "approvals = 0 may also promote it --despite-gate REASON"
        )
    return covering[-1]


def _waiver(made: Record) -> Waiver:
    body = made.body()
    said = (tuple(body["checks"]), body["by"], body["reason"], body["until"])
    return Waiver(made.entry.subject, *said, made.entry.at, body["digest"], body["policy"])
