"""A whole book looked over for early signs, one range of customers at a time; and how good each sign has been."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from configs.customers import Indicator
from features import portfolio
from features.book import all_customers
from features.contracts import NEVER, Columns
from features.history import replaced_on
from features.outcome import Labels
from features.sources import Source
from monitoring.customers.indicators import Reader, hits, readings
from monitoring.customers.review import known_by
from training.backtests import jeffreys_interval


@dataclass(frozen=True, slots=True)
class Look:
    """One range of customers at a day: who was known, (rows,), and what each indicator read, (rows, indicators)."""

    customer_id: np.ndarray
    values: np.ndarray

    def found(self, indicators: tuple[Indicator, ...]) -> Iterator[tuple[str, Indicator, float]]:
        """Each hit: customer, indicator and what it read."""
        for row, place in np.argwhere(hits(indicators, self.values)).tolist():
            yield str(self.customer_id[row]), indicators[place], float(self.values[row, place])


def look_over(
    reader: Reader,
    source: Source,
    as_of: int,
    tally: portfolio.Tally,
    progress: Callable[[int, int], None],
    customers_each: int = portfolio.CUSTOMERS_EACH,
) -> Iterator[Look]:
    """Every customer of a source at `as_of`, part by part. `progress` hears of (customers done, customers)."""
    product = reader.scorer.product
    customers, done = all_customers(source, product), 0
    for part, loaded in portfolio.walk(reader.tables, source, product, customers, tally, customers_each):
        ids = customers[part.rows]
        ids = ids[known_by(loaded.tables, ids, as_of)]
        yield Look(ids, readings(reader, loaded.tables, ids, np.full(len(ids), as_of, np.int32)))
        done += len(part.rows)
        progress(done, len(customers))


@dataclass(frozen=True, slots=True)
class Quality:
    """How good an indicator has been on matured outcomes.

    `precision` is the share of hits that defaulted within the outcome window, with its Jeffreys interval (Brown, Cai
    and DasGupta, 2001); `lift` over the base rate; `recall` the share of defaults it hit. `lead_days` is the median
    time from the first hit before a default to its day, missing where outcomes do not date defaults.
    """

    name: str
    rows: int
    coverage: float
    hits: int
    defaults_hit: int
    precision: float | None
    precision_low: float | None
    precision_high: float | None
    lift: float | None
    recall: float | None
    false_alarms_per_1000: float
    lead_days: float | None


def quality(reader: Reader, tables: dict[str, Columns], labels: Labels, now: int) -> list[Quality]:
    """Each indicator held against outcomes matured by `now`, one row for each (customer, as_of) asked about."""
    values = readings(reader, tables, labels.customer_id, labels.as_of)
    dates = _default_days(tables["outcomes"], labels, now)
    hit = hits(reader.indicators, values)
    bad = labels.defaulted == 1
    return [
        _quality(one.name, values[:, place], hit[:, place], bad, _lead_days(labels, hit[:, place] & bad, dates))
        for place, one in enumerate(reader.indicators)
    ]


def _quality(name: str, values: np.ndarray, hit: np.ndarray, bad: np.ndarray, lead_days: float | None) -> Quality:
    rows, count, true = len(bad), int(hit.sum()), int((hit & bad).sum())
    precision = true / count if count else None
    low, high = jeffreys_interval(true, count) if count else (None, None)
    return Quality(
        name=name,
        rows=rows,
        coverage=float(np.isfinite(values).mean()) if rows else 0.0,
        hits=count,
        defaults_hit=true,
        precision=precision,
        precision_low=low,
        precision_high=high,
        lift=precision / float(bad.mean()) if precision is not None and bad.any() else None,
        recall=true / int(bad.sum()) if bad.any() else None,
        false_alarms_per_1000=1000 * (count - true) / rows if rows else 0.0,
        lead_days=lead_days,
    )


def _default_days(outcomes: Columns, labels: Labels, now: int) -> np.ndarray:
    """The day of default of each label as known last at `now`, NEVER where outcomes do not date it, (rows,)."""
    replaced = replaced_on(outcomes, ("as_of",), outcomes["customer_id"].codes)
    current = (outcomes["known_time"] <= now) & (replaced > now)
    keys = zip(outcomes["customer_id"].take(current).to_objects(), outcomes["as_of"][current].tolist(), strict=True)
    found = dict(zip(keys, outcomes["defaulted_on"][current].tolist(), strict=True))
    pairs = zip(labels.customer_id, labels.as_of.tolist(), strict=True)
    return np.array([found.get(pair, NEVER) for pair in pairs], np.int64)


def _lead_days(labels: Labels, caught: np.ndarray, dates: np.ndarray) -> float | None:
    """Median days from the first hit that caught a default to the default, each default once."""
    dated = caught & (dates != NEVER)
    first: dict[tuple[str, int], int] = {}
    for customer, on, as_of in zip(labels.customer_id[dated], dates[dated], labels.as_of[dated], strict=True):
        key = (customer, int(on))
        first[key] = min(first.get(key, int(as_of)), int(as_of))
    return float(np.median([on - as_of for (_, on), as_of in first.items()])) if first else None
