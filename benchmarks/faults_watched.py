"""One stream of months as every verdict sees it, and what its decisions lose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.faults_rivals import NannyML, any_psi_says, evidently_says
from benchmarks.lender import Book, Lender
from benchmarks.streams import FAULT, MADE, WINDOW, Stream, labels_of, poisoned, together, window_of
from monitoring import watch
from monitoring.drift.reference import Reference
from monitoring.drift.windows import Window
from monitoring.retraining import worth
from training.bundle import Bundle

_PERFORMANCE = ("estimated", "realised")


class Watched:
    """One stream as the verdicts see it, month by month."""

    def __init__(
        self, lent: Lender, bundle: Bundle, reference: Reference, stream: Stream, seed: int, nannyml: NannyML | None
    ) -> None:
        self.lent, self.bundle, self.reference, self.stream, self.seed = lent, bundle, reference, stream, seed
        self.nannyml = nannyml
        self.books: dict[int, Book] = {}
        self.windows: dict[int, Window] = {}
        self.alerts: dict[int, dict[str, Any]] = {}

    def window(self, month: int) -> Window:
        """The decisions of a month."""
        if month not in self.windows:
            self.books[month] = self.stream.book(month)
            self.windows[month] = window_of(self.lent, self.bundle, self.books[month])
        return self.windows[month]

    def ours(self, month: int) -> str:
        """The remedy that the monitor names at the end of a month."""
        past = {made: self.window(made) for made in range(MADE, month + 1)}
        window = self._recent(month)
        share = self.lent.settings.monitoring.vintage_coverage
        labels = labels_of(self.stream, {made: self.books[made] for made in past}, month, self.seed, share)
        found = watch.examine(
            window,
            together(list(past.values())),
            self.reference,
            self.bundle,
            labels if len(labels) else None,
            self.lent.settings,
            lambda _: None,
            None,
            self.lent.product,
        )
        return found.verdict.remedy

    def _recent(self, month: int) -> Window:
        """The month's decisions, and those before while they are too few for a verdict, as a round takes them."""
        least, taken = self.lent.settings.monitoring.minimum_rows, [self.window(month)]
        for earlier in range(month - 1, MADE - 1, -1):
            if sum(map(len, taken)) >= least:
                break
            taken.append(self.window(earlier))
        return together(taken)

    def verdicts(self, evidently: int) -> dict[str, tuple[int, Callable[[int], str]]]:
        """By name: the months from one look to the next, and what is said in a month."""
        then, names = self.reference.values, self.bundle.program.names
        found: dict[str, tuple[int, Callable[[int], str]]] = {
            "ours": (1, self.ours),
            "psi": (1, lambda month: _drift(any_psi_says(self.window(month), then))),
        }
        if evidently:
            found["evidently"] = evidently, lambda month: _drift(evidently_says(self.window(month), then, names))
        if self.nannyml is not None:
            found["nannyml"] = 1, lambda month: _drift(any(self._alerted(month)[name] for name in _PERFORMANCE))
            found["nannyml any column"] = 1, lambda month: _drift(bool(self._alerted(month)["columns"]))
        return found

    def _alerted(self, month: int) -> dict[str, Any]:
        """NannyML's alerts on a month, and on the months about which outcomes came in it."""
        if month not in self.alerts:
            assert self.nannyml is not None
            came = [(made, *self._outcomes(made, month)) for made in range(MADE, month) if self._news(made, month)]
            self.alerts[month] = self.nannyml.says(self.window(month), came)
        return self.alerts[month]

    def _news(self, made: int, month: int) -> bool:
        self.window(made)
        now, before = (self.stream.told(self.books[made], made, at) for at in (month, month - 1))
        return bool((now & ~before).any())

    def _outcomes(self, made: int, month: int) -> tuple[np.ndarray, np.ndarray]:
        """PDs of the decisions of a month, and what is told of them by another, NaN where nothing."""
        book = self.books[made]
        told = self.stream.told(book, made, month)
        bad = np.where(told, poisoned(self.stream.name, book, self.seed, made), np.nan)
        return self.windows[made].default_probability, bad[book.turn]

    def level_off(self, month: int) -> bool:
        """Whether the true PDs of the decisions a year old and older lie further from ours than the settings allow.

        The economy of the simulation turns in every stream, `nothing` too: who calls for a new level then is right.
        """
        old = range(MADE, month - WINDOW + 1)
        true = sum(
            float(self.books[made].true_pd[self.books[made].turn].sum()) for made in old if len(self.window(made))
        )
        told = sum(float(self.window(made).default_probability.sum()) for made in old)
        return bool(told) and not self.lent.settings.monitoring.calibration_ratio.holds(true / told)

    def lost(self, month: int) -> float:
        """What the month's decisions earned less than those by true PDs at equal exposure, in currency."""
        self.window(month)
        book, money, product = self.books[month], self.lent.settings.worth, self.lent.product
        places = [self.lent.program.names.index(name) for name in self.bundle.program.names]
        pds = self.bundle.default_probability(book.values[:, places])
        clean = np.nan_to_num(book.reads, nan=float(np.nanmedian(self.lent.book(FAULT - 1).reads)))
        sides = []
        for one, reads in ((pds, book.reads), (book.true_pd, clean)):
            made = worth.decided(product, one, reads, money)
            good, bad = (worth.profit(product, made, np.full(len(one), told), money) for told in (0, 1))
            sides.append((float(((1 - book.true_pd) * good + book.true_pd * bad).sum()), float(made.limit.sum())))
        (mine, exposure), (best, of_best) = sides
        return (best * exposure / max(of_best, 1.0) - mine) / 12


def _drift(told: bool) -> str:
    return "drift" if told else "nothing"
