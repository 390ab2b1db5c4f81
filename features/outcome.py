"""The label clock: which outcomes may train or judge a model at a given day, which not, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from configs.settings import Outcome
from features.check import take
from features.contracts import NEVER, Columns
from features.history import replaced_on
from features.matrix import window_starts


@dataclass(frozen=True, slots=True)
class Vintage:
    """The outcomes asked about in one month: the good and bad that have matured, and why the others are not used.

    `indeterminate`: past due, but not for long enough to be bad. `in_default`: no good standing at as_of.
    `unobserved`: the window has closed, but the customer was not watched to its end. `immature`: it has not closed.
    """

    month: str
    good: int
    bad: int
    indeterminate: int
    in_default: int
    unobserved: int
    immature: int


STATES = tuple(field.name for field in fields(Vintage))[1:]
_GOOD, _BAD, _INDETERMINATE, _IN_DEFAULT, _UNOBSERVED, _IMMATURE = range(len(STATES))


@dataclass(frozen=True, slots=True)
class Clock:
    """All vintages, oldest first; `redefined`: matured rows that the lender's flag calls otherwise than the product."""

    vintages: tuple[Vintage, ...] = ()
    redefined: int = 0

    def count(self, state: str) -> int:
        """The outcomes in one of STATES."""
        return sum(getattr(vintage, state) for vintage in self.vintages)

    def to_json(self) -> dict[str, Any]:
        """Plain values: a total for each state, then the vintages."""
        totals = {state: self.count(state) for state in STATES}
        return {**totals, "redefined": self.redefined, "vintages": [asdict(vintage) for vintage in self.vintages]}


@dataclass(frozen=True, slots=True)
class Labels:
    """Matured outcomes: one per (customer, as_of); `immature` is how many wait for their window to close."""

    customer_id: np.ndarray
    as_of: np.ndarray
    defaulted: np.ndarray
    immature: int
    clock: Clock = Clock()

    def __len__(self) -> int:
        return len(self.as_of)


def matured(outcomes: Columns, definition: Outcome, now: int) -> Labels:
    """The outcomes that may be used at `now` (days since 1970), good or bad by the product's `definition`.

    A row is matured when its outcome window has closed by `now` and it was observed that long. A default inside the
    window that is known already still waits for the window of its whole vintage: taking bads early and goods late
    would train on too many bads. `observed_until` missing means observed to the window's end. Of an outcome that
    was restated, the version known last at `now` counts.
    """
    current = (outcomes["known_time"] <= now) & (replaced_on(outcomes, ("as_of",), outcomes["customer_id"].codes) > now)
    rows = _one_each(outcomes, current)
    asked = take(outcomes, rows)
    state = _states(asked, current[rows], definition, now)
    used = state <= _BAD
    redefined = int(((asked["defaulted"] > 0) != (state == _BAD))[used].sum())
    clock = Clock(_vintages(asked["as_of"], state), redefined)
    return Labels(
        asked["customer_id"].take(used).to_objects(),
        asked["as_of"][used],
        (state[used] == _BAD).astype(np.int8),
        clock.count("immature"),
        clock,
    )


def _one_each(outcomes: Columns, current: np.ndarray) -> np.ndarray:
    """One row for each (customer, as_of), in their order: the current version, or any where none is known yet."""
    codes, as_of = outcomes["customer_id"].codes, outcomes["as_of"]
    order = np.lexsort((~current, as_of, codes))
    first = np.ones(len(order), bool)
    first[1:] = (codes[order][1:] != codes[order][:-1]) | (as_of[order][1:] != as_of[order][:-1])
    return np.sort(order[first])


def _states(asked: Columns, current: np.ndarray, definition: Outcome, now: int) -> np.ndarray:
    """The place in STATES of each row, (rows,)."""
    as_of, flagged, defaulted_on = asked["as_of"], asked["defaulted"] > 0, asked["defaulted_on"]
    end = window_end(as_of, definition.window_months)
    dated = defaulted_on != NEVER
    past_due = asked["days_past_due_max"] >= definition.days_past_due
    technical = past_due & _immaterial(asked, definition)
    # A date says more than a flag: a default cured by the window's end is one, a default after it is none.
    declared = np.where(dated, (defaulted_on > as_of) & (defaulted_on <= end), flagged)
    bad = (past_due | declared) & ~technical
    watched = np.where(dated, np.maximum(asked["observed_until"], defaulted_on), asked["observed_until"])
    standing = _in_default(asked, current & dated & ~technical, definition.probation_months)
    band = definition.indeterminate_days_past_due
    late = asked["days_past_due_max"] >= band if band is not None else np.zeros(len(as_of), bool)
    conditions = {
        _IMMATURE: ~current | (end > now),
        _IN_DEFAULT: standing | (flagged & (defaulted_on <= as_of)),
        _BAD: bad,
        _UNOBSERVED: watched < end,
        _INDETERMINATE: late,
    }
    return np.select(list(conditions.values()), list(conditions), _GOOD).astype(np.int8)


def _immaterial(asked: Columns, definition: Outcome) -> np.ndarray:
    """Whether the amount past due does not exceed both thresholds (CRR art. 178(2)(d), Delegated Regulation 2018/171).

    An amount or exposure that is not told excuses nothing.
    """
    amount = asked["amount_past_due"]
    share = definition.materiality_share * asked["ead"]
    return np.asarray((amount <= definition.materiality_amount) | (amount <= share))


def _in_default(asked: Columns, defaults: np.ndarray, probation_months: int) -> np.ndarray:
    """Whether each as_of lies in a default of its customer: from its day until probation after the cure has passed.

    A new default on probation is the same one, so spans that overlap are one. A cure that is not told is taken to
    come at once: what is not told keeps nobody in default for ever.
    """
    spread = np.int64(2**33)  # customers apart by more than any two days
    owner = asked["customer_id"].codes.astype(np.int64) * spread
    start = asked["defaulted_on"][defaults]
    cured = asked["cured_on"][defaults]
    until = np.maximum(start, np.where(cured == NEVER, start, cured))
    until = window_end(until, probation_months) if probation_months else until
    begins, ends = owner[defaults] + start, owner[defaults] + until
    order = np.argsort(begins, kind="stable")
    latest = np.maximum.accumulate(np.append(np.iinfo(np.int64).min, ends[order]))
    asked_at = owner + asked["as_of"]
    return np.asarray(latest[np.searchsorted(begins[order], asked_at, side="right")] > asked_at)


def _vintages(as_of: np.ndarray, state: np.ndarray) -> tuple[Vintage, ...]:
    months, place = np.unique(as_of.astype("datetime64[D]").astype("datetime64[M]"), return_inverse=True)
    counts = np.zeros((len(months), len(STATES)), int)
    np.add.at(counts, (place, state), 1)
    return tuple(Vintage(str(month), *map(int, row)) for month, row in zip(months, counts, strict=True))


def window_end(as_of: np.ndarray, months: int) -> np.ndarray:
    """The last day of the outcome window that opens at each as_of (month ends go to month ends)."""
    return np.asarray(window_starts(as_of, (-months,))[0])
