"""One seed of `benchmarks.customers`: every policy in one world, the early signs, and the queue of collections."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import customers_world as world
from configs.settings import Product, load_product, load_settings
from features import load
from features.contracts import Columns, to_day
from features.outcome import Labels
from features.simulate import Portfolio, Scenario, simulate
from monitoring.customers import ageing, overdue, reviewed
from monitoring.customers.indicators import Reader, hits, make_reader, readings
from monitoring.customers.review import Previous, known_by, make_question, review_part
from monitoring.customers.reviewed import Reviewed
from monitoring.customers.warning import quality
from serving.batch import grant_all
from serving.score import Scorer, make_scorer
from training import pipeline

PRODUCT, MONTHS = "trade_credit", 36
FIXED = {"fixed_2_months": 2.0, "fixed_4_months": 4.0}
POLICIES = ("managed", "without_warnings", "without_trade_rules", "grade_only", *FIXED)
QUEUES = ("value_at_risk", "largest_first", "oldest_first")


@dataclass(frozen=True, slots=True)
class Seen:
    """A portfolio as the system sees it: checked tables, the day of each month end, its champion."""

    portfolio: Portfolio
    tables: dict[str, Columns]
    days: list[int]
    scorer: Scorer


def one(seed: int, customers: int, how: world.Economics) -> dict[str, Any]:
    """Every policy in the world of a seed, the early signs, and the queue of collections; plain values."""
    started = time.process_time()
    with tempfile.TemporaryDirectory(prefix="creditloop-customers-") as home:
        product = world.with_trade_rules(load_product(PRODUCT, Path(home)), how)
        seen = _seen(seed, customers, champion(seed, Path(home), product, how), how)
        books, frozen, raised = managed(seen, seen.scorer)
        found = {
            "policies": policies(seen, books, frozen, raised, how),
            "warnings": signs(seen),
            "collections": collections(seen, books, how),
            "moves": int(sum((book.cause > 1).sum() for book in books[1:])),
            "cpu_seconds": 0.0,
        }
    return {**found, "cpu_seconds": time.process_time() - started}


def champion(seed: int, home: Path, product: Product, how: world.Economics) -> Scorer:
    """A small model of the product, taught on other companies of the same world."""
    tuned = {"training": {"trials": 1, "max_rounds": 300, "folds": 3, "threads": 1}}
    portfolio = simulate(Scenario(3000, 500_000 + seed, months=24, companies=True))
    portfolio = world.with_arrears(portfolio, how.sudden_share, seed)
    tables = _tables(portfolio, product, range(0, 11, 2))
    now = to_day(portfolio.month_ends[23].date())
    settings = load_settings(home, tuned)
    made = pipeline.train(product, tables, settings, now, None, lambda *_: None, lambda _: None)
    return make_scorer(made.bundle, product)


def _seen(seed: int, customers: int, scorer: Scorer, how: world.Economics) -> Seen:
    portfolio = simulate(Scenario(customers, 900_000 + seed, months=MONTHS + 1, companies=True))
    portfolio = world.with_arrears(portfolio, how.sudden_share, seed)
    tables = _tables(portfolio, scorer.product, range(0, MONTHS - 11, 3))
    return Seen(portfolio, tables, [to_day(day.date()) for day in portfolio.month_ends], scorer)


def _tables(portfolio: Portfolio, product: Product, months: Sequence[int]) -> dict[str, Columns]:
    outcomes = portfolio.outcomes(months).drop(columns="true_pd")
    when = dict(zip(portfolio.customer_id, world.default_days(portfolio), strict=True))
    days = outcomes["customer_id"].map(when).to_numpy().astype("datetime64[D]").astype("datetime64[ns]")
    outcomes["defaulted_on"] = np.where(outcomes["defaulted"] == 1, days, np.datetime64("NaT", "ns"))
    return load.check_tables({**portfolio.tables, "outcomes": outcomes}, product, "simulation")


def managed(seen: Seen, scorer: Scorer, warned: bool = True) -> tuple[list[Reviewed], list[np.ndarray], int]:
    """The review of each month; whom a critical warning then freezes, (customers,) bool; how many warnings rose."""
    reader = make_reader(scorer)
    critical = np.array([one.level == "critical" for one in reader.indicators])
    books: list[Reviewed] = []
    frozen, raised = [], 0
    open_before = np.zeros((len(seen.portfolio.customer_id), len(reader.indicators)), bool)
    for day in seen.days[:MONTHS]:
        ids = _standing(seen, day)
        previous = Previous(int(books[-1].reviewed_on.max()), Path()) if books else None  # `before` is in memory
        books.append(review_part(make_question(scorer, day, previous), seen.tables, ids, _before(books, ids)))
        if not warned:
            continue
        hit = np.zeros_like(open_before)
        place = np.searchsorted(seen.portfolio.customer_id.astype(str), ids.astype(str))
        hit[place] = hits(reader.indicators, readings(reader, seen.tables, ids, np.full(len(ids), day, np.int32)))
        raised += int((hit & ~open_before).sum())
        frozen.append((hit & critical).any(1))
        open_before = hit
    return books, frozen, raised


def _standing(seen: Seen, day: int) -> np.ndarray:
    """Customers known by the day who have not defaulted by then."""
    ids = seen.portfolio.customer_id
    return ids[known_by(seen.tables, ids, day) & (world.default_days(seen.portfolio) > day)]


def _before(books: list[Reviewed], ids: np.ndarray) -> Reviewed:
    """What the last review said of these customers, blank of who was not in it."""
    blank = reviewed.blank(ids)
    if not books:
        return blank
    last = books[-1]
    place = np.minimum(np.searchsorted(last.customer_id.astype(str), ids.astype(str)), len(last) - 1)
    known = np.flatnonzero(last.customer_id[place] == ids)
    return reviewed.replaced(blank, known, last.take(place[known]))


def policies(
    seen: Seen, books: list[Reviewed], frozen: list[np.ndarray], raised: int, how: world.Economics
) -> dict[str, dict[str, float]]:
    """What each policy comes to."""
    orders = world.orders(seen.portfolio, MONTHS)
    limits, terms = _spread(seen, books, "limit"), _spread(seen, books, "terms_days")
    guarded = [np.where(stop, 0.0, limit) for limit, stop in zip(limits, frozen, strict=True)]
    by_grade, fixed = _grade_only(seen, books), _two_months(seen)
    without = managed(seen, _without_trade_rules(seen.scorer), warned=False)[0]
    plain = [np.full_like(limit, world.BASE_TERMS) for limit in limits]
    last = seen.days[MONTHS]
    lived = {
        "managed": world.live(orders, guarded, terms, raised, last, how),
        "without_warnings": world.live(orders, limits, terms, 0, last, how),
        "without_trade_rules": world.live(
            orders, _spread(seen, without, "limit"), _spread(seen, without, "terms_days"), 0, last, how
        ),
        "grade_only": world.live(orders, *by_grade, 0, last, how),
    }
    for name, months in FIXED.items():
        lived[name] = world.live(orders, [months / 2 * limit for limit in fixed], plain, 0, last, how)
    return {name: asdict(result) for name, result in lived.items()}


def _without_trade_rules(scorer: Scorer) -> Scorer:
    customers = scorer.product.customers.model_copy(update={"trade": None})
    return make_scorer(scorer.bundle, scorer.product.model_copy(update={"customers": customers}))


def _spread(seen: Seen, books: list[Reviewed], column: str) -> list[np.ndarray]:
    return [_of_all(seen, book.customer_id, getattr(book, column)) for book in books]


def _of_all(seen: Seen, ids: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values of some customers in the places of all, 0 of the others."""
    found = np.zeros(len(seen.portfolio.customer_id))
    found[np.searchsorted(seen.portfolio.customer_id.astype(str), ids.astype(str))] = values
    return found


def _grade_only(seen: Seen, books: list[Reviewed]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Limits and terms of each month's PD, as the masterscale and the policy say, at once."""
    limits, terms = [], []
    for book, day in zip(books, seen.days, strict=False):
        days = np.full(len(book), day, np.int32)
        scores = seen.scorer.score(seen.tables, book.customer_id, days)
        doubts = seen.scorer.doubts(seen.tables, book.customer_id, days, scores.values)
        grants = grant_all(seen.scorer, scores, scores.grade, doubts)
        limits.append(_of_all(seen, book.customer_id, np.array([one.limit for one in grants])))
        terms.append(_of_all(seen, book.customer_id, np.array([one.terms_days for one in grants])))
    return limits, terms


def _two_months(seen: Seen) -> list[np.ndarray]:
    """Two months of purchases when first seen to buy, for good."""
    granted = np.zeros(len(seen.portfolio.customer_id))
    invoices = seen.portfolio.tables["invoices"]
    issued, months = world.days_of(invoices["issued"]), []
    for day in seen.days[:MONTHS]:
        since = (issued <= day) & (issued > day - 365)
        bought = invoices[since].groupby("customer_id")["amount"].sum()
        first = invoices[since].groupby("customer_id")["issued"].min()
        active = np.clip((day - world.days_of(first)) / 30.4, 1, 12)
        monthly = _of_all(seen, bought.index.to_numpy(object), bought.to_numpy() / active)
        granted = np.where(granted > 0, granted, 2 * monthly)
        months.append(granted)
    return months


def signs(seen: Seen) -> list[dict[str, Any]]:
    """Precision, lift, recall and lead time of each indicator on what became of the customers."""
    reader: Reader = make_reader(seen.scorer)
    outcomes = seen.tables["outcomes"]
    labels = Labels(
        outcomes["customer_id"].to_objects(), outcomes["as_of"], (outcomes["defaulted"] > 0).astype(np.int8), 0
    )
    return [asdict(one) for one in quality(reader, seen.tables, labels, int(outcomes["known_time"].max()))]


CONTACTS, RECOVERED = 15, 0.4  # calls a month; the share that a call saves of what would have been lost


def collections(seen: Seen, books: list[Reviewed], how: world.Economics) -> dict[str, float]:
    """What as many calls a month save, in the order of each queue: the house's, largest or oldest debt first.

    A call saves a share of what is late where the customer would default within four months, else nothing.
    """
    saved = dict.fromkeys(QUEUES, 0.0)
    product, when = seen.scorer.product, world.default_days(seen.portfolio)
    soon = dict(zip(seen.portfolio.customer_id, when, strict=True))
    for book, day in list(zip(books, seen.days, strict=False))[12::3]:
        days = overdue.month_days(day, product.customers.collections.months)
        items = [ageing.open_items(seen.tables, one) for one in days]
        bounds = product.customers.collections.buckets
        moved = sum(ageing.rolled(a, b, bounds) for a, b in pairwise(items))
        loss = ageing.chance_of_loss(
            ageing.roll_shares(np.asarray(moved)), product.customers.collections.horizon_months
        )
        pds = dict(zip(book.customer_id.tolist(), book.default_probability.tolist(), strict=True))
        there = set(book.customer_id.tolist())
        rows = [row for row in overdue.queue(items[-1], [], loss, pds, product, day) if row["customer_id"] in there]
        for name, key in (
            ("value_at_risk", lambda row: 0.0),  # as the house orders it: sorting is stable
            ("largest_first", lambda row: -row["overdue"]),
            ("oldest_first", lambda row: -row["days_past_due"]),
        ):
            called = sorted((row for row in rows if row["held"] is None), key=key)[:CONTACTS]
            lost = sum(row["overdue"] for row in called if soon[row["customer_id"]] <= day + 122)
            saved[name] += RECOVERED * how.loss_given_default * lost
    return saved
