"""The simulated portfolio: companies or persons whose true PD is known, in an economy that moves.

Two hidden factors of each customer, payment discipline and strength of income, follow persistent Markov chains
(Rouwenhorst, 1995). They drive what can be seen (statements, invoices, reports) and a monthly hazard of default, so
the true PD of a customer at a date is exact: a recursion over the chain, not an estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import expit
from scipy.stats import binom

from features.scenario import HISTORY_MONTHS as HISTORY_MONTHS
from features.scenario import Scenario as Scenario
from features.simulated_tables import Seen

STATES = 25


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A simulated portfolio: raw tables as frames, and the truth behind them.

    `default_month` (customers,) is the month of default, `joined_month` that of joining; `true_pd` (customers,
    months) is the chance of default in the window after each month end, missing where not a customer in good standing.
    """

    tables: dict[str, pd.DataFrame]
    customer_id: np.ndarray
    month_ends: pd.DatetimeIndex
    joined_month: np.ndarray
    default_month: np.ndarray
    true_pd: np.ndarray
    window_months: int

    def standing(self, month: int) -> np.ndarray:
        """The positions of the customers in good standing at the end of `month`."""
        return np.flatnonzero(~np.isnan(self.true_pd[:, month]))

    def outcomes(self, months: Sequence[int]) -> pd.DataFrame:
        """What became of every customer in good standing at the end of each of `months`, and the true PD."""
        parts = []
        for month in months:
            at = self.standing(month)
            defaulted = self.default_month[at] <= month + self.window_months
            parts.append(
                pd.DataFrame(
                    {
                        "customer_id": self.customer_id[at],
                        "as_of": self.month_ends[month],
                        "defaulted": defaulted.astype(int),
                        "true_pd": self.true_pd[at, month],
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)


def chain(states: int, persistence: float) -> tuple[np.ndarray, np.ndarray]:
    """A Markov chain like an AR(1) of unit variance: (states,) values and the (states, states) transition matrix.

    Rouwenhorst (1995) as in Kopecky and Suen (2010): from state k, the next is the sum of two binomials.
    """
    stay = (1 + persistence) / 2
    values = np.linspace(-1, 1, states) * np.sqrt(states - 1)
    transition = np.zeros((states, states))
    for k in range(states):
        up = binom.pmf(np.arange(k + 1), k, stay)
        down = binom.pmf(np.arange(states - k), states - 1 - k, 1 - stay)
        transition[k] = np.convolve(up, down)
    return values, transition / transition.sum(1, keepdims=True)


def simulate(scenario: Scenario) -> Portfolio:
    """The portfolio of `scenario`: the same scenario gives the same bytes."""
    rng = np.random.default_rng(scenario.seed)
    values, transition = chain(STATES, 0.97)
    hazards = _hazards(scenario, values)
    first = -HISTORY_MONTHS
    last = scenario.months + scenario.window_months
    joined = _joined(scenario, rng)
    paths = [_walk(transition, scenario.customers, last - first, rng) for _ in range(2)]
    default_month = _defaults(hazards, paths, joined, rng)
    true_pd = _true_pd(scenario, hazards, transition, paths, joined, default_month)
    months = pd.date_range(scenario.first_month, periods=scenario.months, freq="ME")
    ids = np.array(
        [f"{'F' if scenario.companies else 'P'}{scenario.first_customer + i:08d}" for i in range(scenario.customers)],
        object,
    )
    seen = Seen(scenario, ids, values[paths[0]], values[paths[1]], joined, default_month, rng)
    return Portfolio(seen.tables(), ids, months, joined, default_month, true_pd, scenario.window_months)


def _joined(scenario: Scenario, rng: np.random.Generator) -> np.ndarray:
    before = rng.integers(-96, 1, scenario.customers)
    after = rng.integers(1, max(scenario.months, 2), scenario.customers)
    return np.where(rng.random(scenario.customers) < scenario.new_share, after, before)


def _walk(transition: np.ndarray, customers: int, months: int, rng: np.random.Generator) -> np.ndarray:
    """States (customers, months) of independent chains started in their long-run distribution."""
    cumulative = transition.cumsum(1)
    path = np.empty((customers, months), np.int64)
    path[:, 0] = rng.binomial(STATES - 1, 0.5, customers)
    for month in range(1, months):
        draw = rng.random(customers)[:, None]
        path[:, month] = np.minimum((draw > cumulative[path[:, month - 1]]).sum(1), STATES - 1)
    return path


def _hazards(scenario: Scenario, values: np.ndarray) -> np.ndarray:
    """The monthly hazard (months, discipline, income), months from the start of behaviour on."""
    months = np.arange(-HISTORY_MONTHS, scenario.months + scenario.window_months)
    economy = 0.25 * np.sin(2 * np.pi * months / 48)
    before = months < scenario.concept_change_month
    discipline = np.where(before, scenario.discipline_weight, scenario.discipline_weight_after)[:, None, None]
    income = np.where(before, scenario.income_weight, scenario.income_weight_after)[:, None, None]
    factors = discipline * values[:, None] + income * values
    return expit(scenario.base_hazard - factors - economy[:, None, None])


def _defaults(hazards: np.ndarray, paths: list[np.ndarray], joined: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The month of default, far away where there is none. Before month 1 and before joining nobody defaults."""
    when = np.full(len(joined), 10**6)
    for column in range(HISTORY_MONTHS + 1, hazards.shape[0]):
        month = column - HISTORY_MONTHS
        at_risk = (when == 10**6) & (joined < month)
        hazard = hazards[column, paths[0][:, column], paths[1][:, column]]
        when[at_risk & (rng.random(len(joined)) < hazard)] = month
    return when


def _true_pd(
    scenario: Scenario,
    hazards: np.ndarray,
    transition: np.ndarray,
    paths: list[np.ndarray],
    joined: np.ndarray,
    default_month: np.ndarray,
) -> np.ndarray:
    """The chance of default within the window after each month, given the hidden state at that month."""
    out = np.full((scenario.customers, scenario.months), np.nan)
    for month in range(scenario.months):
        column = month + HISTORY_MONTHS
        survival = np.ones((STATES, STATES))
        for step in range(scenario.window_months, 0, -1):
            survival = transition @ (survival * (1 - hazards[column + step])) @ transition.T
        at = np.flatnonzero((joined <= month) & (default_month > month))
        out[at, month] = 1 - survival[paths[0][at, column], paths[1][at, column]]
    return out


def write(
    scenario: Scenario, folder: Path, progress: Callable[[int, int], None], customers_each: int = 20_000
) -> dict[str, int]:
    """Write a portfolio of any size as parquet, `customers_each` in memory at a time; the rows of each file by path.

    Beside the raw tables: `outcomes` of every third month, and `truth` (the same with the true PD, for judges only).
    Parts draw from seeds of their own, so a portfolio of one part is `simulate(scenario)` and a larger one is not.
    `progress` hears of (customers written, customers wanted). Files are renamed into place when all are whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, pq.ParquetWriter] = {}
    rows: dict[str, int] = {}
    try:
        for first in range(0, scenario.customers, customers_each):
            count = min(customers_each, scenario.customers - first)
            seed = (
                scenario.seed
                if first == 0
                else int(np.random.SeedSequence([scenario.seed, first]).generate_state(1)[0])
            )
            part = simulate(
                replace(scenario, customers=count, seed=seed, first_customer=scenario.first_customer + first)
            )
            for name, frame in _files(part).items():
                table = pa.Table.from_pandas(frame.sort_values("customer_id", kind="stable"), preserve_index=False)
                if name not in writers:
                    writers[name] = pq.ParquetWriter(folder / f".{name}.parquet.unfinished", table.schema)
                writers[name].write_table(table)
                rows[name] = rows.get(name, 0) + len(frame)
            progress(first + count, scenario.customers)
    finally:
        for writer in writers.values():
            writer.close()
    return {str(_finished(folder, name)): count for name, count in rows.items()}


def _files(portfolio: Portfolio) -> dict[str, pd.DataFrame]:
    outcomes = portfolio.outcomes(range(0, len(portfolio.month_ends), 3))
    return {**portfolio.tables, "outcomes": outcomes.drop(columns="true_pd"), "truth": outcomes}


def _finished(folder: Path, name: str) -> Path:
    return (folder / f".{name}.parquet.unfinished").replace(folder / f"{name}.parquet")
