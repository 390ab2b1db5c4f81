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

from features.history import ASSESSED

STATES = 25
HISTORY_MONTHS = 12  # of behaviour before the first as_of


@dataclass(frozen=True, slots=True)
class Scenario:
    """What to simulate. Months count from 0, the first as_of; behaviour starts a year earlier.

    From `concept_change_month` on, the two hidden factors weigh what the `_after` fields say. `new_share` of the
    customers join after month 0.
    """

    customers: int
    seed: int
    months: int = 36
    window_months: int = 12
    first_month: str = "2023-01"
    companies: bool = False
    base_hazard: float = -6.4
    discipline_weight: float = 1.3
    income_weight: float = 0.2
    discipline_weight_after: float = 0.7
    income_weight_after: float = 1.3
    concept_change_month: int = 10_000
    new_share: float = 0.2
    first_customer: int = 0


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
    seen = _Seen(scenario, ids, values[paths[0]], values[paths[1]], joined, default_month, rng)
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


class _Seen:
    """What can be seen of the hidden factors, table by table."""

    def __init__(
        self,
        scenario: Scenario,
        ids: np.ndarray,
        discipline: np.ndarray,
        income: np.ndarray,
        joined: np.ndarray,
        default_month: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        self.scenario, self.ids, self.rng = scenario, ids, rng
        self.discipline, self.income, self.joined = discipline, income, joined
        self.months = scenario.months + HISTORY_MONTHS
        self.scale = 40.0 if scenario.companies else 1.0
        start = pd.Period(scenario.first_month, "M") - HISTORY_MONTHS
        self.month_ends = pd.period_range(start, periods=self.months, freq="M").end_time.normalize()
        month = np.arange(-HISTORY_MONTHS, scenario.months)
        self.standing = default_month[:, None] > month
        self.active = (joined[:, None] <= month) & self.standing

    def tables(self) -> dict[str, pd.DataFrame]:
        """The raw tables the portfolio has."""
        found = {
            "customers": self._customers(),
            "statements": self._statements(),
            "investigations": self._investigations(),
        }
        if self.scenario.companies:
            found |= {
                "financials": self._financials(),
                "invoices": self._invoices(),
                "questionnaires": self._questionnaires(),
            }
        return found

    def _noise(self, spread: float) -> np.ndarray:
        return self.rng.normal(0, spread, (len(self.ids), self.months))

    def _customers(self) -> pd.DataFrame:
        start = pd.Period(self.scenario.first_month, "M")
        since = pd.PeriodIndex([start + int(month) for month in self.joined]).end_time.normalize()
        kind = "company" if self.scenario.companies else "person"
        return pd.DataFrame({"customer_id": self.ids, "kind": kind, "since": since})

    def _flat(self, columns: dict[str, np.ndarray]) -> pd.DataFrame:
        """The (customers, months) arrays as rows, one per active customer and month."""
        customer, month = np.nonzero(self.active)
        return pd.DataFrame(
            {"customer_id": self.ids[customer], "month": self.month_ends[month]}
            | {name: values[customer, month] for name, values in columns.items()}
        )

    def _statements(self) -> pd.DataFrame:
        shape = (len(self.ids), self.months)
        discipline, income = self.discipline[:, : self.months], self.income[:, : self.months]
        own = self.rng.normal(0, 0.4, len(self.ids))[:, None]
        limit = np.round(np.exp(7.6 + 0.4 * own + 0.25 * income[:, :1]), -2) * self.scale
        limit = np.broadcast_to(np.maximum(limit, 100.0), shape)
        used = expit(-0.3 - 0.9 * discipline + own + self._noise(0.5))
        balance = np.round(used * limit, 2)
        due = np.round(0.2 * np.concatenate([balance[:, :1], balance[:, :-1]], axis=1), 2)
        missed = self.rng.random(shape) < expit(-2.9 - 1.1 * discipline)
        paid = np.where(missed, 0.0, due * np.clip(1.1 + 0.25 * discipline + self._noise(0.3), 0.3, 5.0))
        inflow = np.exp(7.4 + 0.45 * income + self._noise(0.15)) * self.scale
        outflow = inflow * np.clip(0.93 - 0.04 * discipline + self._noise(0.08), 0.1, 2.0)
        return self._flat(
            {
                "account_id": np.full(shape, "main", object),
                "balance": balance,
                "credit_limit": limit,
                "amount_due": due,
                "amount_paid": np.round(paid, 2),
                "days_past_due": _days_past_due(missed),
                "inflow": np.round(inflow, 2),
                "outflow": np.round(outflow, 2),
                "transactions": self.rng.poisson(np.exp(2.7 + 0.15 * discipline)),
            }
        )

    def _financials(self) -> pd.DataFrame:
        """A report for each year end until a default, two from before the first month; known after four months."""
        last = self.month_ends.year[-1] - (self.month_ends.month[-1] < 12)
        years = np.arange(self.month_ends.year[0] - 2, last + 1)
        ends = pd.to_datetime([f"{year}-12-31" for year in years])
        customer = np.tile(np.arange(len(self.ids)), len(years))
        end = ends.repeat(len(self.ids))
        month = np.clip(
            self.month_ends.searchsorted(end), 0, self.months - 1
        )  # the hidden state of the first month holds before
        income, discipline = self.income[customer, month], self.discipline[customer, month]
        n = len(customer)
        draw = self.rng.normal
        size = np.exp(13.5 + 0.8 * draw(0, 1, len(self.ids)))[customer]
        revenue = size * np.exp(0.1 * income + draw(0, 0.08, n))
        debt = expit(0.1 - 0.6 * income - 0.2 * discipline + draw(0, 0.3, n))
        assets = 0.8 * size
        margin = 0.05 + 0.05 * income + draw(0, 0.03, n)
        current_assets, current_debt = 0.5 * assets, 0.55 * debt * assets
        frame = pd.DataFrame(
            {
                "customer_id": self.ids[customer],
                "period_end": end,
                "known_time": end + pd.DateOffset(months=4),
                "revenue": revenue,
                "cost_of_sales": revenue * (0.75 - 0.3 * margin),
                "ebit": revenue * margin,
                "interest": 0.05 * debt * assets,
                "net_income": revenue * margin - 0.05 * debt * assets,
                "cash": current_assets * expit(-1.5 + 0.5 * income + draw(0, 0.3, n)),
                "receivables": 0.5 * current_assets,
                "inventory": 0.25 * current_assets,
                "current_assets": current_assets,
                "total_assets": assets,
                "current_liabilities": current_debt,
                "total_liabilities": debt * assets,
                "equity": (1 - debt) * assets,
                "retained_earnings": (1 - debt) * assets * expit(0.3 + 0.4 * income + draw(0, 0.2, n)),
                "operating_cash_flow": revenue * (margin + draw(0, 0.02, n)),
            }
        )
        money = frame.columns[3:]
        frame[money] = frame[money].round(2)
        return frame[self.standing[customer, month]].reset_index(drop=True)

    def _invoices(self) -> pd.DataFrame:
        """One to three invoices a month on 30 days; how late they are paid tells of discipline."""
        counts = np.where(self.active, self.rng.integers(1, 4, self.active.shape), 0)
        customer, month = (np.repeat(axis, counts[self.active]) for axis in np.nonzero(self.active))
        n = len(customer)
        issued = self.month_ends[month] - pd.to_timedelta(self.rng.integers(0, 28, n), "D")
        beyond = np.round(np.exp(2.0 - 0.55 * self.discipline[customer, month] + self.rng.normal(0, 0.6, n)) - 6)
        beyond = np.clip(beyond, -20, 85)
        due = issued + pd.Timedelta(days=30)
        return pd.DataFrame(
            {
                "customer_id": self.ids[customer],
                "invoice_id": [f"I{i:08d}" for i in range(n)],
                "issued": issued,
                "due": due,
                "paid": due + pd.to_timedelta(beyond, "D"),
                "amount": np.round(np.exp(self.rng.normal(8.0, 0.5, n) + 0.2 * self.income[customer, month]), 2),
                "disputed": (self.rng.random(n) < expit(-3.5 - 0.4 * self.discipline[customer, month])).astype(int),
            }
        )

    def _investigations(self) -> pd.DataFrame:
        """Now and then a finding: inquiries by anyone, court, tax and news events by the undisciplined."""
        rates = {"court": (-5.5, 1.0), "tax": (-5.8, 0.9), "news": (-5.5, 0.5), "inquiry": (-2.0, 0.3)}
        parts = []
        for kind, (base, weight) in {**rates, "trade_reference": (-3.0, 0.0)}.items():
            chance = expit(base - weight * self.discipline[:, : self.months])
            customer, month = np.nonzero((self.rng.random(chance.shape) < chance) & self.active)
            n = len(customer)
            worse = -self.discipline[customer, month] + self.rng.normal(0, 1, n)
            parts.append(
                pd.DataFrame(
                    {
                        "customer_id": self.ids[customer],
                        "date": self.month_ends[month] - pd.to_timedelta(self.rng.integers(0, 28, n), "D"),
                        "source": "agency",
                        "type": kind,
                        "severity": np.clip(np.round(1.0 + worse), 0, 5),
                        "amount": np.round(np.exp(self.rng.normal(6, 1, n)) * self.scale, 2),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def _questionnaires(self) -> pd.DataFrame:
        """Five answers on joining and every January: how well the company is run shows in its income."""
        january = np.flatnonzero(self.month_ends.month == 1)
        asked = np.concatenate(
            [
                np.clip(self.joined + HISTORY_MONTHS, 0, self.months - 1),
                *(np.full(len(self.ids), month) for month in january),
            ]
        )
        customer = np.tile(np.arange(len(self.ids)), 1 + len(january))
        once = ~pd.DataFrame({"customer": customer, "month": asked}).duplicated().to_numpy()
        seen = once & self.active[customer, asked]
        customer, asked = customer[seen], asked[seen]
        parts = [
            pd.DataFrame(
                {
                    "customer_id": self.ids[customer],
                    "date": self.month_ends[asked],
                    "item": item,
                    "level": np.clip(
                        np.round(3 + 0.7 * self.income[customer, asked] + self.rng.normal(0, 0.8, len(customer))), 1, 5
                    ),
                }
            )
            for item in ASSESSED
        ]
        return pd.concat(parts, ignore_index=True)


def _days_past_due(missed: np.ndarray) -> np.ndarray:
    """30 days for each month missed in a row, 60 at most: 90 would be a default, which has its own clock."""
    late = np.zeros(missed.shape)
    for month in range(missed.shape[1]):
        before = late[:, month - 1] if month else 0.0
        late[:, month] = np.where(missed[:, month], np.minimum(before + 30.0, 60.0), 0.0)
    return late


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
