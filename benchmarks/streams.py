"""Months of decisions with a fault planted in them: what arrives, what is decided on it, and what is lost by it.

Streams of one simulated lender. Each month a twelfth of the customers comes up for a decision by one model; the fault
begins in month FAULT. Outcomes become known a year later, as they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.lender import Book, Lender, Made
from configs.settings import Product, Settings
from features import faults, load, matrix
from features.outcome import Labels
from features.simulate import Scenario, simulate
from monitoring.drift.windows import Window
from monitoring.outcomes import vintages
from monitoring.retraining import worth
from training import bundle as bundles
from training.bundle import Bundle
from training.signature import public_key, signing_key

MADE, FAULT, MONTHS, WINDOW = 24, 30, 48, 12  # the model is made, the fault begins, the stream ends
CONCEPT: dict[str, Any] = {"discipline_weight_after": 0.2, "income_weight_after": 1.3}


@dataclass(frozen=True)
class Stream:
    """One stream: `book` of a month as it arrives, and `known`: whether an outcome of month `made` is told by month."""

    name: str
    book: Callable[[int], Book]
    told: Callable[[Book, int, int], np.ndarray]


def lender(settings: Settings, product: Product, scenario: Scenario) -> Lender:
    """A lender of this portfolio, with the outcomes of every third month."""
    portfolio = simulate(scenario)
    outcomes = portfolio.outcomes(range(0, scenario.months, 3)).drop(columns="true_pd")
    tables = load.check_tables({**portfolio.tables, "outcomes": outcomes}, product, "simulation")
    return Lender(product, settings, portfolio, tables)


def bundle_of(lent: Lender, home: Path) -> Bundle:
    """The model of month MADE as a version on disk, with what the monitor needs of it."""
    made, settings = lent.made(MADE), lent.settings
    parts = bundles.Parts(
        product=lent.product.name,
        program=made.split.train.program,
        booster=made.model.booster,
        calibration=made.model.calibration,
        scale=lent.scale,
        reference=_reference(made),
        predictions=pd.DataFrame({"defaulted": made.split.test.defaulted}),
        golden=made.split.test.matrix[:8],
        validation=made.test.to_json(),
        training={"parts": {"train": _counted(made.split.train), "test": _counted(made.split.test)}},
    )
    signer = signing_key(settings.signing)
    return bundles.load(bundles.write(parts, home / "bundles", "2025-01-01", signer), (public_key(signer),))


def _reference(made: Made) -> pd.DataFrame:
    train, test = made.split.train, made.split.test
    frame = pd.DataFrame(np.concatenate([train.matrix, test.matrix]), columns=list(train.program.names))
    pds = np.concatenate([made.model.out_of_fold, made.model.default_probability(test.matrix)])
    return frame.assign(
        _default_probability=pds,
        _defaulted=np.concatenate([train.defaulted, test.defaulted]),
        _as_of=np.concatenate([train.as_of, test.as_of]),
    )


def _counted(part: object) -> Mapping[str, int]:
    rows, defaults = len(part.defaulted), int(part.defaulted.sum())  # type: ignore[attr-defined]
    return {"rows": rows, "defaults": defaults, "customers": len(np.unique(part.customer_id))}  # type: ignore[attr-defined]


def streams(lent: Lender, scenario: Scenario, seed: int) -> Iterator[Stream]:
    """Every stream of a seed, `nothing` first."""
    yield Stream("nothing", lent.book, _a_year_later)
    for name, planted in _IN_STATEMENTS.items():
        since = lent.portfolio.month_ends[FAULT] - pd.offsets.MonthBegin(1)
        yield Stream(name, _arrives(lent, planted, since), _a_year_later)
    yield Stream("irrelevant drift", lambda month: _irrelevant(lent, lent.book(month), month), _a_year_later)
    yield Stream("population shift", lambda month: _riskier(lent, lent.book(month), month, seed), _a_year_later)
    others = lender(lent.settings, lent.product, replace(scenario, seed=scenario.seed + 500, **_NEWCOMERS))
    yield Stream("new segment", lambda month: _joined(lent.book(month), others.book(month), month), _a_year_later)
    yield Stream("label delay", lent.book, _goods_later)
    for share in (0.01, 0.10):
        yield Stream(f"label poisoning {share:.0%}", lent.book, _a_year_later)
    changed = lender(lent.settings, lent.product, replace(scenario, concept_change_month=FAULT, **CONCEPT))
    yield Stream("concept change", changed.book, _a_year_later)


_NEWCOMERS: dict[str, Any] = {"base_hazard": -5.3, "first_customer": 10**6}


def _swing(table: pd.DataFrame, column: str, date: str, since: pd.Timestamp) -> pd.DataFrame:
    """In and out of the account a fifth more in December, a fifth less in June."""
    month = table[date].dt.month
    factor = np.where(table[date] < since, 1.0, 1 + 0.2 * np.cos(2 * np.pi * month / 12))
    return table.assign(inflow=table["inflow"] * factor, outflow=table["outflow"] * factor)


Planted = Callable[[pd.DataFrame, str, str, pd.Timestamp], pd.DataFrame]
_IN_STATEMENTS: dict[str, Planted] = {
    "dead feed": faults.dead_feed,
    "unit error x100": faults.unit_error,
    "seasonal swing": _swing,
}


def _arrives(lent: Lender, planted: Planted, since: pd.Timestamp) -> Callable[[int], Book]:
    """The books as they arrive when the fault is in the statements' inflow."""
    statements = planted(lent.portfolio.tables["statements"], "inflow", "month", since)
    tables = load.check_tables({**lent.portfolio.tables, "statements": statements}, lent.product, "simulation")

    def book(month: int) -> Book:
        sound = lent.book(month)
        if month < FAULT:
            return sound
        values = matrix.build(lent.program, tables, sound.customer_id, sound.as_of)
        return replace(sound, values=values, reads=worth.reads_of(lent.program.names, lent.product, values))

    return book


def _irrelevant(lent: Lender, book: Book, month: int) -> Book:
    """The twelve features that the model uses least moved by 0.3 standard deviations."""
    if month < FAULT:
        return book
    names = lent.made(MADE).split.train.program.names
    gain = lent.made(MADE).model.booster.feature_importance("gain")
    least = [lent.program.names.index(names[place]) for place in np.argsort(gain, kind="stable")[:12]]
    values = book.values.copy()
    values[:, least] += 0.3 * np.nanstd(values[:, least], axis=0)
    return replace(book, values=values)


def _riskier(lent: Lender, book: Book, month: int, seed: int) -> Book:
    """Those who use much of their limit come three times as often."""
    if month < FAULT:
        return book
    used = book.values[:, lent.program.names.index("utilisation_mean_6m")]
    chance = np.where(used > np.nanmedian(used), 1.0, 1 / 3)
    return replace(book, turn=book.turn & (np.random.default_rng([seed, month]).random(len(used)) < chance))


def _joined(book: Book, others: Book, month: int) -> Book:
    """A third of the decisions are about a segment that the model was not taught: twice as risky at equal features."""
    if month < FAULT:
        return book
    kept = np.flatnonzero(~others.turn | (np.arange(len(others.turn)) % 2 == 0))
    pairs = {name: (getattr(book, name), getattr(others, name)[kept]) for name in book.__dataclass_fields__}
    return Book(**{name: np.concatenate(pair) for name, pair in pairs.items()})


def _a_year_later(book: Book, made: int, month: int) -> np.ndarray:
    return np.full(len(book.bad), month >= made + WINDOW)


def _goods_later(book: Book, made: int, month: int) -> np.ndarray:
    """From FAULT on nobody tells for half a year that a customer did not default; defaults are told at once."""
    late = month >= FAULT
    return np.where(book.bad == 1, month >= made + WINDOW, month >= made + WINDOW + (6 if late else 0))


def poisoned(stream: str, book: Book, seed: int, made: int) -> np.ndarray:
    """The outcomes as they are told, (rows,): of a poisoned stream a share of goods is told as bad."""
    share = float(stream.rsplit(" ", 1)[1].rstrip("%")) / 100 if stream.startswith("label poisoning") else 0.0
    flipped = np.random.default_rng([seed, made, 7]).random(len(book.bad)) < share
    return np.where(flipped, 1, book.bad).astype(np.int8)


def window_of(lent: Lender, bundle: Bundle, book: Book) -> Window:
    """The month's decisions as the monitor sees them."""
    places = [lent.program.names.index(name) for name in bundle.program.names]
    values = book.values[book.turn][:, places]
    pds = bundle.default_probability(values)
    return Window(values, pds, book.customer_id[book.turn], book.as_of[book.turn], 0)


def labels_of(stream: Stream, books: Mapping[int, Book], month: int, seed: int, share: float) -> Labels:
    """The outcomes known at the end of `month` of the decisions in `books`, by month, of whole vintages."""
    parts = []
    for made, book in books.items():
        rows = np.flatnonzero(book.turn & stream.told(book, made, month))
        parts.append((book.customer_id[rows], book.as_of[rows], poisoned(stream.name, book, seed, made)[rows]))
    customers, days, bad = (np.concatenate(part) for part in zip(*parts, strict=True))
    asked = np.concatenate([book.as_of[book.turn] for book in books.values()])
    return vintages.whole(Labels(customers, days, bad, 0), asked, share)


def together(parts: list[Window]) -> Window:
    """Windows in one."""
    return Window(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.default_probability for part in parts]),
        np.concatenate([part.customer_id for part in parts]),
        np.concatenate([part.as_of for part in parts]),
        0,
    )
