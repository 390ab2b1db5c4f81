"""Roll tables: of matured questions, the share of each early state that went bad by the end of the outcome window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from configs.watching import Early, Signal
from features import matrix
from features.catalogue import compile_program, features_named
from features.contracts import NEVER, Columns
from features.outcome import window_end
from training.backtests import jeffreys_interval
from training.validate import Interval

_SILENCE = "days_since_statement"


@dataclass(frozen=True, slots=True)
class Questions:
    """Who was asked about when, and the model's answer: (rows,) each; `grade` is the place on the masterscale."""

    customer_id: np.ndarray
    as_of: np.ndarray
    default_probability: np.ndarray
    grade: np.ndarray

    def __len__(self) -> int:
        return len(self.as_of)

    def where(self, rows: np.ndarray) -> Questions:
        """These rows (a mask or positions)."""
        return Questions(self.customer_id[rows], self.as_of[rows], self.default_probability[rows], self.grade[rows])

    def months(self) -> np.ndarray:
        """The month each was asked in, (rows,) datetime64[M]: its vintage."""
        return self.as_of.astype("datetime64[D]").astype("datetime64[M]")


@dataclass(frozen=True, slots=True)
class RollTable:
    """Of the matured questions how many there were and how many went bad, (vintages, grades, states) each.

    The states: below the first bound of days past due, from each bound on, silent, defaulted already. A share is of
    the grade's own rows where there are `grade_rows` of them, else of all grades.
    """

    signal: Signal
    rows: np.ndarray
    bads: np.ndarray
    grade_rows: int

    def behind(self, vintages: np.ndarray | slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Rows and bads behind the share of each (grade, state), counting these vintages."""
        rows, bads = self.rows[vintages].sum(0), self.bads[vintages].sum(0)
        enough = rows >= self.grade_rows
        return np.where(enough, rows, rows.sum(0)), np.where(enough, bads, bads.sum(0))

    def shares(self, vintages: np.ndarray | slice = slice(None)) -> np.ndarray:
        """The share that goes bad by (grade, state), the mean of Beta(bads + 1/2, goods + 1/2)."""
        rows, bads = self.behind(vintages)
        return np.asarray((bads + 0.5) / (rows + 1.0))

    def by_state(self) -> list[Interval]:
        """The share of each state over all grades with its Jeffreys interval (Brown, Cai and DasGupta, 2001)."""
        rows, bads = self.rows.sum((0, 1)), self.bads.sum((0, 1))
        pairs = zip(bads.tolist(), rows.tolist(), strict=True)
        return [Interval((bad + 0.5) / (row + 1.0), *jeffreys_interval(bad, row)) for bad, row in pairs]

    def dispersion(self) -> float:
        """By how much default rates of vintages differ from what the others' shares foretell, beyond chance.

        The standard deviation of the ratio by the method of moments, from foretelling each vintage without itself:
        an economy that turns moves all shares of a vintage together. 0 with fewer than two vintages.
        """
        vintages = np.arange(len(self.rows))
        if len(vintages) < 2:
            return 0.0
        expected = np.array([(self.rows[v] * self.shares(vintages[vintages != v])).sum() for v in vintages])
        observed = self.bads.sum((1, 2))
        return float(np.sqrt(max(0.0, np.mean((observed - expected) ** 2 / expected**2 - 1 / expected))))


def fit(
    signal: Signal, state: np.ndarray, asked: Questions, bad: np.ndarray, grades: int, settings: Early
) -> RollTable:
    """Count the matured questions `asked`, their states and whether they went bad, (rows,) each."""
    vintages, vintage = np.unique(asked.months(), return_inverse=True)
    shape = (len(vintages), grades, len(settings.days_past_due) + 3)
    rows, bads = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    np.add.at(rows, (vintage, asked.grade, state), 1)
    np.add.at(bads, (vintage, asked.grade, state), bad.astype(np.int64))
    return RollTable(signal, rows, bads, settings.grade_rows)


def states_at(signal: Signal, questions: Questions, tables: Mapping[str, Columns], settings: Early) -> np.ndarray:
    """The state of each question, (rows,), `signal.months` after it was asked, by what was known by then."""
    program = compile_program(features_named([{"name": name, "group": ""} for name in (signal.feature, _SILENCE)]))
    day = window_end(questions.as_of, signal.months)
    past_due, silent = matrix.build(program, tables, questions.customer_id, day).T
    state = np.searchsorted(settings.days_past_due, past_due, side="right")
    gone = np.isnan(past_due) | np.isnan(silent) | (silent >= settings.silent_days)
    state = np.where(gone, len(settings.days_past_due) + 1, state)
    return np.where(_defaulted(questions, tables.get("outcomes"), day), len(settings.days_past_due) + 2, state)


def _defaulted(questions: Questions, outcomes: Columns | None, day: np.ndarray) -> np.ndarray:
    """Whether a dated default of each question had come and was known by `day`, (rows,)."""
    if outcomes is None:
        return np.zeros(len(questions), bool)
    dated = np.flatnonzero(outcomes["defaulted_on"] != NEVER)
    told = pd.DataFrame(
        {
            "customer_id": outcomes["customer_id"].take(dated).to_objects(),
            "as_of": outcomes["as_of"][dated],
            "on": np.maximum(outcomes["defaulted_on"], outcomes["known_time"])[dated],
        }
    )
    first = told.groupby(["customer_id", "as_of"])["on"].min()
    asked = pd.MultiIndex.from_arrays([questions.customer_id, questions.as_of])
    return np.asarray(first.reindex(asked).to_numpy(np.float64, na_value=np.inf) <= day)
