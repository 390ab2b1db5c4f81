"""Adjustments of PDs by persons, for a time: on record by name, with a reason and an end, applied before the grade.

A shift moves the log-odds of default; a floor is the least a PD can be. A segment is a bound on one feature. What is
applied stands with its terms in the question on record, so a replay applies it too. Points stay the model's own.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec
import numpy as np

from configs.errors import InputError, Refusal, nearest
from serving.ledger import Entry, Ledger, canonical

KIND, ENDED = "overlay", "overlay_ended"
FLAG = "overlay"  # of an answer made under one
Effect = Literal["shift", "floor"]
Operator = Literal["<", ">="]


class Overlay(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One adjustment: its effect and size, the segment it is for (`feature` None: everybody), who, why, until when."""

    id: str
    effect: Effect
    size: float
    feature: str | None
    operator: Operator | None
    bound: float | None
    by: str
    reason: str
    until: str
    ended_by: str | None = None


def record(ledger: Ledger, product: str, features: Sequence[str], overlay: Overlay, longest: int, at: str) -> Overlay:
    """Put an overlay on record, under an id of its own; the same one again is recorded once.

    Raises InputError for one without a reason or an end within `longest` days, of no effect, or on an unknown feature,
    and Refusal where the same one is on record and was ended: it would not be in force.
    """
    today, until = dt.date.fromisoformat(at[:10]), dt.date.fromisoformat(overlay.until)
    if not overlay.reason.strip() or not overlay.by.strip():
        raise InputError("an overlay is on record with who sets it, and the reason: neither may be empty")
    if not today <= until <= today + dt.timedelta(longest):
        raise InputError(f"--until {until}: an overlay ends between today and {longest} days from now")
    _check_terms(overlay, features)
    terms = msgspec.structs.asdict(overlay)
    body = canonical({key: value for key, value in terms.items() if key not in ("id", "ended_by")})
    identity = f"overlay-{hashlib.sha256(product.encode() + body).hexdigest()[:16]}"
    (made,) = ledger.append([Entry(identity, KIND, product, product, at, body, identity)])
    if not made.new:
        ended_by = next(one.ended_by for one in overlays(ledger, product) if one.id == identity)
        if ended_by is not None:
            raise Refusal(f"{identity}, the same, was ended by {ended_by}: give another reason or another end")
    return msgspec.structs.replace(overlay, id=identity)


def _check_terms(overlay: Overlay, features: Sequence[str]) -> None:
    if overlay.effect == "floor" and not 0 < overlay.size < 1:
        raise InputError(f"a floor is a PD between 0 and 1, got {overlay.size:g}")
    if overlay.effect == "shift" and not (np.isfinite(overlay.size) and 0 < abs(overlay.size) <= 5):
        raise InputError(f"a shift of the log-odds lies within -5 and 5 and is not 0, got {overlay.size:g}")
    given = (overlay.feature, overlay.operator, overlay.bound)
    if any(one is None for one in given) and any(one is not None for one in given):
        raise InputError("a segment is a feature with an operator and a bound, or none of them")
    if overlay.bound is not None and not np.isfinite(overlay.bound):
        raise InputError(f"a bound is a number, got {overlay.bound:g}")  # JSON has none else: null would be everybody
    if overlay.feature is not None and overlay.feature not in features:
        raise InputError(f"{overlay.feature!r} is no feature of what decides{nearest(overlay.feature, list(features))}")


def end(ledger: Ledger, product: str, overlay_id: str, by: str, reason: str, at: str) -> Overlay:
    """End an overlay before its day. Of several who do so at once one is on record. Raises InputError or Refusal."""
    found = next((one for one in overlays(ledger, product) if one.id == overlay_id), None)
    if found is None:
        raise InputError(f"{product} has no overlay {overlay_id!r}; creditloop policy overlay list names them")
    identity, body = f"{overlay_id}-ended", canonical({"overlay": overlay_id, "by": by, "reason": reason})
    (made,) = ledger.append([Entry(identity, ENDED, product, product, at, body, identity)])
    if not made.new:
        raise Refusal(f"{overlay_id} was ended by {made.body()['by']} at {made.entry.at}")
    return msgspec.structs.replace(found, ended_by=by)


def overlays(ledger: Ledger, product: str) -> list[Overlay]:
    """Every overlay of a product there was, in order."""
    ended = {body["overlay"]: body["by"] for body in (made.body() for made in ledger.records(ENDED, product))}
    return [
        msgspec.convert({**made.body(), "id": made.entry.id, "ended_by": ended.get(made.entry.id)}, Overlay)
        for made in ledger.records(KIND, product)
    ]


def standing(found: Iterable[Overlay], on: dt.date) -> tuple[Overlay, ...]:
    """Those in force on a day."""
    return tuple(one for one in found if one.ended_by is None and on <= dt.date.fromisoformat(one.until))


def apply(
    found: Sequence[Overlay], names: Sequence[str], values: np.ndarray, default_probability: np.ndarray
) -> np.ndarray:
    """PDs (rows,) after every overlay in turn, from those of the model and the features, `values` (rows, features).

    A missing feature lies in no segment.
    """
    adjusted = default_probability
    for one in found:
        hit = _segment(one, names, values)
        adjusted = np.where(hit, _moved(one, adjusted), adjusted)
    return adjusted


def _segment(one: Overlay, names: Sequence[str], values: np.ndarray) -> np.ndarray:
    if one.feature is None or one.bound is None:
        return np.ones(len(values), bool)
    column = values[:, list(names).index(one.feature)]
    return column >= one.bound if one.operator == ">=" else column < one.bound


def _moved(one: Overlay, default_probability: np.ndarray) -> np.ndarray:
    if one.effect == "floor":
        return np.maximum(default_probability, one.size)
    inner = np.clip(default_probability, 1e-15, 1 - 1e-15)
    return 1 / (1 + (1 - inner) / inner * np.exp(-one.size))


def require_fits(ledger: Ledger, product: str, version: str, names: Callable[[], Sequence[str]], on: dt.date) -> None:
    """Raise Refusal where an overlay in force is for a segment that a version, of features `names`, does not know."""
    segments = {one.feature: one.id for one in standing(overlays(ledger, product), on) if one.feature is not None}
    lacking = [f"{segments[name]} reads {name}" for name in segments if name not in names()]
    if lacking:
        raise Refusal(f"{version} lacks what an overlay in force needs ({', '.join(lacking)}): end the overlay first")
