"""What is watched: the decisions of a stretch of time, out of the ledger, or a book scored from its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import DataError
from features.contracts import Columns, Text, iso
from features.outcome import Labels
from monitoring.drift import decisions
from monitoring.drift.decisions import Decisions
from serving.ledger import Ledger
from serving.score import Scorer
from training.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Asked:
    """What the policy looks at besides features, (rows,) each; NaN where nobody said."""

    requested_amount: np.ndarray
    group_exposure: np.ndarray
    known: np.ndarray

    def take(self, rows: np.ndarray) -> Asked:
        """Of these rows."""
        return Asked(self.requested_amount[rows], self.group_exposure[rows], self.known[rows])


@dataclass(frozen=True, slots=True)
class Arrival:
    """How the rows came: the last day asked for, how many the same stretch before had, and what was wrong with them.

    `absent` are features that no row has a column for; `unreadable` counts values that are no numbers, by feature;
    `unseen` gives, by feature, the rows with a category the model does not know, and one such category.
    """

    until: int | None = None
    rows_before: int | None = None
    absent: tuple[str, ...] = ()
    unreadable: Mapping[str, int] = field(default_factory=dict)
    unseen: Mapping[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """Scored rows of one model version: `values` (rows, features) and what was made of them, (rows,) each.

    `as_of` are days since 1970. `left_out` counts decisions of the time that another model version made. Without
    `asked` nobody said an amount, and something is known of everybody.
    """

    values: np.ndarray
    default_probability: np.ndarray
    customer_id: np.ndarray
    as_of: np.ndarray
    left_out: int
    asked: Asked | None = None
    arrival: Arrival = Arrival()

    def __len__(self) -> int:
        return len(self.as_of)

    def customers(self) -> int:
        """How many different customers the rows are about."""
        return len(pd.unique(self.customer_id))


def from_ledger(ledger: Ledger, bundle: Bundle, since: int, until: int) -> Window:
    """The decisions of `bundle` whose as_of lies in [since, until], days since 1970."""
    return between(decisions.read(ledger, bundle), bundle, since, until)


def between(found: Decisions, bundle: Bundle, since: int, until: int) -> Window:
    """Those of the decisions that `bundle` made whose as_of lies in [since, until], days since 1970."""
    own, days = found.own, found.as_of
    rows = np.flatnonzero((since <= own.as_of) & (own.as_of <= until))
    inside = (since <= days) & (days <= until)
    before = int(((days >= since - (until - since + 1)) & (days < since)).sum())
    words = Counter(name for row, name in own.unreadable if since <= own.as_of[row] <= until)
    return Window(
        values=own.values[rows],
        default_probability=own.default_probability[rows],
        customer_id=own.customer_id[rows],
        as_of=own.as_of[rows],
        left_out=int((inside & ~found.ours).sum()),
        asked=Asked(own.requested_amount, own.group_exposure, own.known).take(rows),
        arrival=Arrival(
            until=until,
            rows_before=before or None,
            unreadable=dict(words),
            unseen=_unseen(bundle, [own.facts[row] for row in rows] if own.facts else ()),
        ),
    )


def recent(found: Decisions, until: int, days: int, rows: int) -> int:
    """The first as_of of a window that ends with `until` and holds `days`, and more where they hold fewer than `rows`.

    A fault of last month among the decisions of all years would be a small share of them.
    """
    own = np.sort(found.own.as_of[found.own.as_of <= until])
    since = until - days + 1
    return min(since, int(own[-rows])) if len(own) >= rows else min(since, int(own[0]) if len(own) else since)


def from_tables(scorer: Scorer, tables: Mapping[str, Columns], as_of: int) -> Window:
    """Every customer of whom the tables knew something at `as_of`, scored then.

    Who came later would be scored with nothing known, and look like a feed that went silent.
    """
    there = [tables[name] for name in scorer.tables if name in tables]
    known = [table["customer_id"].take(table["known_time"] <= as_of).distinct() for table in there]
    customers = np.unique(np.concatenate(known).astype(str)).astype(object)
    days = np.full(len(customers), as_of, np.int32)
    scores = scorer.score(tables, customers, days)
    facts = _facts_of_table(scorer.bundle, tables["facts"], as_of) if "facts" in tables else ()
    arrival = Arrival(until=as_of, unseen=_unseen(scorer.bundle, facts))
    return Window(scores.values, scores.default_probability, customers, days, 0, arrival=arrival)


def from_frame(bundle: Bundle, frame: pd.DataFrame, as_of: int) -> Window:
    """A matrix of features that somebody else built: `customer_id`, and a column for each feature of `bundle`.

    A feature without a column, and values that are no numbers, are missing in the window and stand in its arrival.
    Raises DataError where there is no `customer_id`.
    """
    if "customer_id" not in frame:
        raise DataError(f"no column customer_id among {', '.join(map(str, frame.columns[:8]))}; one row is a customer")
    names, unreadable = bundle.program.names, {}
    values = np.full((len(frame), len(names)), np.nan)
    for place, name in enumerate(names):
        if name not in frame:
            continue
        values[:, place] = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
        lost = int((np.isnan(values[:, place]) & frame[name].notna().to_numpy()).sum())
        if lost:
            unreadable[name] = lost
    return Window(
        values=values,
        default_probability=bundle.default_probability(values),
        customer_id=frame["customer_id"].astype(str).to_numpy(object),
        as_of=np.full(len(frame), as_of, np.int32),
        left_out=0,
        arrival=Arrival(until=as_of, absent=tuple(name for name in names if name not in frame), unreadable=unreadable),
    )


def outcomes_of(window: Window, labels: Labels) -> np.ndarray:
    """What became of each decision, (rows,) int8: 1 default, 0 none, -1 not matured; joined by customer and as_of."""
    key = ["customer_id", "as_of"]
    known = pd.DataFrame({key[0]: labels.customer_id, key[1]: labels.as_of, "bad": labels.defaulted})
    asked = pd.DataFrame({key[0]: window.customer_id, key[1]: window.as_of})
    found = asked.merge(known.drop_duplicates(key, keep="last"), how="left", on=key)["bad"]
    return found.fillna(-1).to_numpy(np.int8)


def described(window: Window) -> str:
    """The window in words: rows and dates, and what another model version decided meanwhile."""
    others = f"; {window.left_out:,} by other model versions left out" if window.left_out else ""
    if not len(window):
        return f"no decisions{others}"
    return f"{len(window):,} decisions, as of {iso(window.as_of.min())} to {iso(window.as_of.max())}{others}"


def _facts_of_table(bundle: Bundle, facts: Columns, as_of: int) -> Iterable[Mapping[str, Any]]:
    """The flat rows known at `as_of`, of the category columns alone."""
    there = np.flatnonzero(facts["known_time"] <= as_of)
    texts = {
        feature.name: facts[feature.name].take(there).to_objects()
        for feature in bundle.program.features
        if feature.categories and isinstance(facts.get(feature.name), Text)
    }
    return [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]


def _unseen(bundle: Bundle, facts: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int, str]]:
    """Rows with a category that the model does not know, by feature, and one of these categories."""
    known = {feature.name: set(feature.categories) for feature in bundle.program.features if feature.categories}
    found: dict[str, tuple[int, str]] = {}
    for row in facts if known else ():
        for name, categories in known.items():
            value = row.get(name)
            if value not in (None, "") and value not in categories:
                count, example = found.get(name, (0, str(value)))
                found[name] = (count + 1, example)
    return found
