"""Customers managed by the system against fixed limits and grade-only rules, over 36 simulated months, seed by seed.

Every seed makes other companies, trains a champion on others again, and lives 36 months under each policy. The system
is the house itself: `review_part` moves grades, limits and terms, the indicators of the product warn (a critical one
freezes sales), the queue of `overdue` says whom to call. `fixed` grants two months of purchases on 30 days when a
customer is first seen, for good. `grade_only` follows each month's PD through masterscale and policy: no hysteresis,
steps, triggers, warnings or weighed terms. What the world is made of: `customers_world`.

Run: python -m benchmarks.customers [--seeds 20] [--first 0] [--workers 2]. Seeds in the result are not run anew.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from benchmarks import customers_world as world
from benchmarks.common import RESULTS, keep
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

NAME, PRODUCT, MONTHS = "customers", "trade_credit", 36
POLICIES = ("managed", "without_warnings", "grade_only", "fixed")
FIXED_MONTHS = 2.0
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
        product = load_product(PRODUCT, Path(home))
        seen = _seen(seed, customers, champion(seed, Path(home), product, how), how)
        books, frozen, raised = managed(seen)
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


def managed(seen: Seen) -> tuple[list[Reviewed], list[np.ndarray], int]:
    """The review of each month; whom a critical warning then freezes, (customers,) bool; how many warnings rose."""
    reader = make_reader(seen.scorer)
    critical = np.array([one.level == "critical" for one in reader.indicators])
    books: list[Reviewed] = []
    frozen, raised = [], 0
    open_before = np.zeros((len(seen.portfolio.customer_id), len(reader.indicators)), bool)
    for day in seen.days[:MONTHS]:
        ids = _standing(seen, day)
        previous = Previous(int(books[-1].reviewed_on.max()), Path()) if books else None
        asked = make_question(seen.scorer, day, previous)
        books.append(review_part(asked, seen.tables, ids, _before(books, ids)))
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
    by_grade, fixed = _grade_only(seen, books), _fixed(seen)
    plain = [np.full_like(limit, world.BASE_TERMS) for limit in limits]
    last = seen.days[MONTHS]
    lived = {
        "managed": world.live(orders, guarded, terms, raised, last, how),
        "without_warnings": world.live(orders, limits, terms, 0, last, how),
        "grade_only": world.live(orders, *by_grade, 0, last, how),
        "fixed": world.live(orders, fixed, plain, 0, last, how),
    }
    return {name: asdict(result) for name, result in lived.items()}


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
        scores = seen.scorer.score(seen.tables, book.customer_id, np.full(len(book), day, np.int32))
        grants = grant_all(seen.scorer, scores, scores.grade)
        limits.append(_of_all(seen, book.customer_id, np.array([one.limit for one in grants])))
        terms.append(_of_all(seen, book.customer_id, np.array([one.terms_days for one in grants])))
    return limits, terms


def _fixed(seen: Seen) -> list[np.ndarray]:
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
        granted = np.where(granted > 0, granted, FIXED_MONTHS * monthly)
        months.append(granted)
    return months


def signs(seen: Seen) -> list[dict[str, Any]]:
    """Precision, lift, recall and lead time of each indicator on what became of the customers."""
    reader: Reader = make_reader(seen.scorer)
    outcomes = seen.tables["outcomes"]
    labels = Labels(
        outcomes["customer_id"].to_objects(), outcomes["as_of"], (outcomes["defaulted"] > 0).astype(np.int8), 0
    )
    return [asdict(one) for one in quality(reader, seen.tables, labels)]


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


def summary(seeds: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Means over seeds with their 95 % intervals (Student's t), differences paired by seed."""
    runs = list(seeds.values())
    measures = ("sales_kept", "bad_debt", "funding", "profit")
    levels = {
        policy: {name: interval([run["policies"][policy][name] for run in runs]) for name in measures}
        for policy in POLICIES
    }
    gains = {
        f"managed - {rival}": {
            name: interval([run["policies"]["managed"][name] - run["policies"][rival][name] for run in runs])
            for name in measures
        }
        for rival in POLICIES[1:]
    }
    uplift = {
        f"value_at_risk - {rival}": interval(
            [run["collections"]["value_at_risk"] - run["collections"][rival] for run in runs]
        )
        for rival in QUEUES[1:]
    }
    names = [one["name"] for one in runs[0]["warnings"]]
    warnings = {
        name: {
            key: interval([run["warnings"][place][key] for run in runs if run["warnings"][place][key] is not None])
            for key in ("precision", "lift", "recall", "lead_days")
        }
        for place, name in enumerate(names)
    }
    saved = {name: interval([run["collections"][name] for run in runs]) for name in QUEUES}
    return {
        "seeds": len(runs),
        "policies": levels,
        "paired": gains,
        "warnings": warnings,
        "collections": {"saved": saved, "paired": uplift},
    }


def interval(values: Sequence[float]) -> dict[str, float | None]:
    """Mean, and the bounds of its 95 % interval; None where there is too little."""
    if len(values) < 2:
        return {"mean": values[0] if values else None, "low": None, "high": None}
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))
    half = float(student.ppf(0.975, len(values) - 1)) * error
    return {"mean": mean, "low": mean - half, "high": mean + half}


def told(found: Mapping[str, Any]) -> str:
    """The summary in lines."""

    def said(one: Mapping[str, float | None], scale: float = 1.0) -> str:
        return " .. ".join("-" if one[key] is None else f"{one[key] * scale:,.4g}" for key in ("low", "mean", "high"))

    lines = [f"{found['seeds']} seeds, {MONTHS} months; low .. mean .. high of 95 %"]
    for part in ("policies", "paired"):
        for name, values in found[part].items():
            kept, *money = (said(values[key], 100 if key == "sales_kept" else 1) for key in values)
            lines.append(
                f"{name:<28} sales kept, % {kept} | bad debt {money[0]} | funding {money[1]} | profit {money[2]}"
            )
    for name, values in found["warnings"].items():
        lines.append(f"{name:<28} " + " | ".join(f"{key} {said(one)}" for key, one in values.items()))
    for part in ("saved", "paired"):
        lines += [f"calls: {name:<28} {said(one)}" for name, one in found["collections"][part].items()]
    return "\n".join(lines)


def main() -> None:
    """Run what is missing of the seeds wanted, in spawned processes; the result is kept after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (%(default)s)")
    parser.add_argument("--customers", type=int, default=1000, help="of each seed (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes (%(default)s)")
    for name, value in asdict(world.Economics()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=value, help="(%(default)s)")
    arguments = parser.parse_args()
    how = world.Economics(**{name: getattr(arguments, name) for name in asdict(world.Economics())})
    asked = {"customers": arguments.customers, "months": MONTHS, **asdict(how)}
    path = RESULTS / f"{NAME}.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    seeds: dict[str, Any] = kept.get("runs", {}) if kept.get("asked") == asked else {}
    wanted = [seed for seed in range(arguments.first, arguments.first + arguments.seeds) if str(seed) not in seeds]
    with ProcessPoolExecutor(arguments.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {seed: pool.submit(one, seed, arguments.customers, how) for seed in wanted}
        for seed, run in waiting.items():
            seeds[str(seed)] = run.result()
            keep(NAME, {"asked": asked, "summary": summary(seeds), "runs": seeds})
    print(told(summary(seeds)))
    print(path)


if __name__ == "__main__":
    main()
