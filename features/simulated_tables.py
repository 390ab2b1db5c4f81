"""What can be seen of a simulated portfolio: the raw tables that its hidden factors leave behind."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit

from features.history import ASSESSED
from features.scenario import HISTORY_MONTHS, Scenario


class Seen:
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
