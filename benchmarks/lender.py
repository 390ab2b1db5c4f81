"""A simulated lender, month by month: its books, the models it could make, and what the monitor would say of each.

The functions that decide are those of the house; only what they do with files, ledgers and pages is left out. Every
customer comes up for a decision once a year, so that what the monitor judges are different customers. What a model
earns is counted on the whole book by true PDs, without the luck of draws.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sklearn.metrics import roc_auc_score

from configs.settings import Monitoring, Product, Settings
from features import catalogue, matrix
from features.contracts import Columns, to_day
from features.declaration import Constant, Feature
from features.outcome import Labels
from features.simulate import Portfolio
from monitoring.drift.stability import Sizes, Stability, budget_of, stabilities
from monitoring.drift.tally import grid_of, tally
from monitoring.drift.windows import Window
from monitoring.outcomes.level import level_of
from monitoring.outcomes.performance import performance
from monitoring.outcomes.power import Promise, power_of
from monitoring.retraining import preview, worth
from monitoring.retraining.worth import Worth
from monitoring.verdict import Evidence, Verdict, judge
from training import dataset, gate, window
from training.dataset import Dataset, Split
from training.model import Model, make
from training.monotone import certify
from training.scaling import make_scale
from training.validate import Validation, auc_difference, validate


@dataclass(frozen=True)
class Book:
    """The customers in good standing at the end of a month, (rows,) each; `turn`: those who are decided about then."""

    customer_id: np.ndarray
    as_of: np.ndarray
    values: np.ndarray
    reads: np.ndarray
    true_pd: np.ndarray
    bad: np.ndarray
    turn: np.ndarray


@dataclass(frozen=True)
class Made:
    """A model, the rows that taught and judged it, and its validation."""

    model: Model
    split: Split
    test: Validation


@dataclass
class Lender:
    """A portfolio and its checked tables; books and models are made once, whoever asks for them."""

    product: Product
    settings: Settings
    portfolio: Portfolio
    tables: dict[str, Columns]
    books: dict[int, Book] = field(default_factory=dict)
    models: dict[int, Made] = field(default_factory=dict)
    scores: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.program = catalogue.compile_program(catalogue.product_features(self.product, {}))
        self.scale = make_scale(self.product.scaling, self.product.grades)

    def day(self, month: int) -> int:
        """The last day of a month, days since 1970."""
        return to_day(self.portfolio.month_ends[month].date())

    def book(self, month: int) -> Book:
        """The book of a month."""
        if month not in self.books:
            truth, at = self.portfolio.outcomes([month]), self.portfolio.standing(month)
            customers = truth["customer_id"].to_numpy(object)
            as_of = np.full(len(truth), self.day(month), np.int32)
            values = matrix.build(self.program, self.tables, customers, as_of)
            reads = worth.reads_of(self.program.names, self.product, values)
            bad, turn = truth["defaulted"].to_numpy(np.int8), at % 12 == month % 12
            self.books[month] = Book(customers, as_of, values, reads, truth["true_pd"].to_numpy(), bad, turn)
        return self.books[month]

    def made(self, month: int) -> Made:
        """The model of what had matured by a month."""
        if month not in self.models:
            training = self.settings.training
            data = dataset.assemble(self.product, self.tables, self.day(month))
            split = dataset.split(window.choose(data, training).of(data), training)
            model = make(split, training, "sqlite:///:memory:", f"made-{month}", lambda *_: None)
            test = validate(model.default_probability(split.test.matrix), split.test.defaulted, self.scale)
            self.models[month] = Made(model, split, test)
        return self.models[month]

    def pds(self, champion: int, month: int) -> np.ndarray:
        """The PDs of a month's book by the model made in month `champion`."""
        key = champion, month
        if key not in self.scores:
            made = self.made(champion)
            self.scores[key] = made.model.default_probability(self._read(made, self.book(month).values))
        return self.scores[key]

    def _read(self, made: Made, values: np.ndarray) -> np.ndarray:
        names = made.split.train.program.names
        same = names == self.program.names
        return values if same else values[:, [self.program.names.index(name) for name in names]]

    def earned(self, champion: int, month: int) -> tuple[float, float]:
        """Expected profit and exposure of a month's decisions, a twelfth of the book's, in currency."""
        book, money = self.book(month), self.settings.worth
        decided = worth.decided(self.product, self.pds(champion, month), book.reads, money)
        good, bad = (worth.profit(self.product, decided, np.full(len(book.bad), one), money) for one in (0, 1))
        profit = (1 - book.true_pd) * good + book.true_pd * bad
        return float(profit.sum() / 12), float(money.exposure_share * decided.limit.sum() / 12)

    def verdict(self, champion: int, since: int, month: int) -> tuple[Verdict, Worth | None]:
        """What the monitor says at the end of a month of the champion's own decisions, made from `since` on."""
        made, bounds = self.made(champion), self.settings.monitoring
        rows = self._matured(champion, range(since, month - self.product.outcome.window_months + 1))
        window = Window(rows.values, rows.default_probability, rows.customer_id, np.arange(len(rows.bad)), 0)
        labels = Labels(rows.customer_id, np.arange(len(rows.bad)), rows.bad, 0)
        known = performance(window, labels, made.test.auc) if len(rows.bad) else None
        taught = int(made.split.train.defaulted.sum())
        level = (
            level_of(rows.default_probability, rows.bad == 1, made.test.calibration_slope, taught) if known else None
        )
        promise = Promise(made.test.auc, made.test.defaults, made.test.defaults / made.test.rows)
        power = power_of(known.defaults if known else 0, promise, budget_of(bounds), bounds)
        book = self.book(month)
        score = _moved(self.pds(champion, month)[book.turn], made.model.out_of_fold, bounds)
        features, yearly = made.split.train.program.features, float(len(book.bad))
        gains = preview.preview(self.product, rows, features, yearly, self.settings.worth) if known else None
        refit = None if gains is None else gains.refit
        decided = int(book.turn.sum()) * (month - since + 1)
        return judge(Evidence(decided, (), score, known, level, power, None, refit), bounds), refit

    def _matured(self, champion: int, months: range) -> preview.Judged:
        made, books = self.made(champion), {month: self.book(month) for month in months}
        if not books:
            empty = np.empty(0)
            return preview.Judged(
                np.empty((0, 1)), np.empty((0, 1)), empty, empty.astype(np.int8), empty.astype(object)
            )
        return preview.Judged(
            np.concatenate([self._read(made, book.values[book.turn]) for book in books.values()]),
            np.concatenate([book.reads[book.turn] for book in books.values()]),
            np.concatenate([self.pds(champion, month)[book.turn] for month, book in books.items()]),
            np.concatenate([book.bad[book.turn] for book in books.values()]),
            np.concatenate([book.customer_id[book.turn] for book in books.values()]),
        )

    def challenger(self, champion: int, month: int) -> tuple[gate.Verdict, Worth | None]:
        """The gate's answer to the model of this month, and its worth in place of the champion on its own test rows."""
        made, test = self.made(month), self.made(month).split.test
        pds = made.model.default_probability(test.matrix)
        theirs = self._champion_on(champion, test)
        train = made.split.train
        training_auc = float(roc_auc_score(train.defaulted, made.model.default_probability(train.matrix)))
        difference = auc_difference(pds, theirs, test.defaulted.astype(bool))
        proved = certify(made.model.booster, train.program.features)
        answer = gate.judge(made.test, training_auc, difference, self.settings.gate, proved, ())
        reads = worth.reads_of(test.program.names, self.product, test.matrix)
        money = self.settings.worth
        before, after = (worth.decided(self.product, one, reads, money) for one in (theirs, pds))
        yearly = float(len(self.book(month).bad))
        return answer, worth.compare(self.product, before, after, test.defaulted, test.customer_id, yearly, money)

    def _champion_on(self, champion: int, test: Dataset) -> np.ndarray:
        program = self.made(champion).split.train.program
        values = (
            test.matrix
            if program.names == test.program.names
            else matrix.build(program, self.tables, test.customer_id, test.as_of)
        )
        return self.made(champion).model.default_probability(values)


def _moved(now: np.ndarray, then: np.ndarray, bounds: Monitoring) -> Stability:
    """How far PDs (rows,) moved, judged as a family of their own."""
    column = Feature("default_probability", "column", Constant(0.0), "", "", "unknown", "", "")
    grid = grid_of([column], then[:, None], bounds)
    sides = tally(now[:, None], grid), tally(then[:, None], grid)
    return stabilities(*sides, grid, Sizes(len(now), len(then)), bounds)[0]
