"""Early outcomes bridged to final ones: what a vintage whose window is open will come to, by fitted roll tables.

Of matured questions it is known in which state they were early on (30 days past due at month 3, say) and what became
of them. The share of each state that went bad, by grade where there are rows enough, is laid on the states of the
vintages that are still open. This sees what no distribution of features can: the same customers who pay otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from configs.watching import Early
from features.contracts import Columns
from features.outcome import Labels, window_end
from monitoring.outcomes.roll import Questions, RollTable, fit, states_at
from monitoring.outcomes.weighted import weighted_auc_interval
from training.validate import Interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """What questions whose window is open will come to: 95 % intervals of the default rate that will be observed.

    `vintage` is the month asked in, empty for all together; `months` the age of the youngest signal used.
    """

    vintage: str
    months: int
    rows: int
    mean_pd: float
    default_rate: Interval
    observed_to_expected: Interval


@dataclass(frozen=True, slots=True)
class EarlyView:
    """Roll tables, what open vintages are estimated to come to, and how the PDs rank early outcomes, now and then.

    Both AUCs are against the shares of the states, so they lie below an AUC against final outcomes; they compare
    with each other. `too_young` questions have no signal yet.
    """

    tables: tuple[RollTable, ...]
    vintages: tuple[Estimate, ...]
    together: Estimate | None
    auc_now: Interval | None
    auc_then: Interval | None
    too_young: int

    def to_json(self) -> dict[str, object]:
        """Plain values; of a roll table the share of each state over all grades."""
        tables = [
            {**table.signal.model_dump(), "shares": [asdict(s) for s in table.by_state()]} for table in self.tables
        ]
        return {
            "roll_tables": tables,
            "vintages": [asdict(one) for one in self.vintages],
            "together": None if self.together is None else asdict(self.together),
            "auc_now": None if self.auc_now is None else asdict(self.auc_now),
            "auc_then": None if self.auc_then is None else asdict(self.auc_then),
            "too_young": self.too_young,
        }


def early_view(
    questions: Questions,
    labels: Labels,
    tables: Mapping[str, Columns],
    window_months: int,
    grades: int,
    settings: Early,
    now: int,
) -> EarlyView | None:
    """Fit the roll tables on the questions that `labels` judge, and estimate those whose window is open at `now`.

    None where too few have matured. The questions that fit should not have taught the model: on those its grades
    are too good.
    """
    bad = _known(questions, labels)
    open_ = window_end(questions.as_of, window_months) > now
    fitting = np.flatnonzero((bad >= 0) & ~open_)
    if len(fitting) < settings.fit_rows:
        return None
    taught = questions.where(fitting)
    signals = [signal for signal in settings.signals if signal.months < window_months]
    states = {signal: states_at(signal, taught, tables, settings) for signal in signals}
    fitted = [fit(signal, states[signal], taught, bad[fitting], grades, settings) for signal in signals]
    young, too_young = _young(questions, open_, fitted, now)
    parts = [(table, rows, states_at(table.signal, rows, tables, settings)) for table, rows in young]
    vintages, together = estimate(parts, settings)
    then = [(table, taught, states[table.signal]) for table, _ in young]
    return EarlyView(
        tuple(fitted), vintages, together, _early_auc(parts, settings), _early_auc(then, settings), too_young
    )


Part = tuple[RollTable, Questions, np.ndarray]


def estimate(parts: list[Part], settings: Early) -> tuple[tuple[Estimate, ...], Estimate | None]:
    """Each vintage and all together, from questions and their states, (rows,), each with the table that bridges it.

    Intervals by simulation: shares from their Beta posteriors, all moved together by as much as vintages were found
    to differ, or by `economy_spread` where that is more, bads from the shares.
    """
    if not parts:
        return (), None
    rng = np.random.default_rng(settings.seed)
    months = np.concatenate([questions.months() for _, questions, _ in parts])
    vintages = np.unique(months)
    drawn, mean = np.zeros((len(vintages), settings.draws)), np.zeros(len(vintages))
    economy = rng.normal(size=settings.draws)
    for table, questions, state in parts:
        counts = _by_vintage(vintages, questions, state, table.rows.shape[1:])
        drawn += _draws(table, counts, max(table.dispersion(), settings.economy_spread) * economy, rng)
        mean += (counts * table.shares()).sum((1, 2))
    pds = np.concatenate([questions.default_probability for _, questions, _ in parts])
    age = np.concatenate([np.full(len(questions), table.signal.months) for table, questions, _ in parts])
    here = [months == vintage for vintage in vintages]
    found = tuple(
        _estimate(str(vintage), int(age[rows].min()), pds[rows], mean[place], drawn[place])
        for place, (vintage, rows) in enumerate(zip(vintages, here, strict=True))
    )
    return found, _estimate("", int(age.min()), pds, mean.sum(), drawn.sum(0))


def _draws(table: RollTable, counts: np.ndarray, economy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bads drawn for each vintage, (vintages, draws), of `counts` (vintages, grades, states) questions.

    `economy` (draws,) is the logarithm of what moves all shares together.
    """
    rows, bads = table.behind()
    shares = rng.beta(bads + 0.5, rows - bads + 0.5, (len(economy), *rows.shape))
    moved = np.minimum(1.0, shares * np.exp(economy)[:, None, None])
    return np.stack([rng.binomial(count, moved).sum((1, 2)) for count in counts])


def _estimate(vintage: str, months: int, pds: np.ndarray, bads: float, drawn: np.ndarray) -> Estimate:
    rate = Interval(*(float(value) / len(pds) for value in (bads, *np.quantile(drawn, [0.025, 0.975]))))
    mean_pd = float(pds.mean())
    ratio = Interval(rate.value / mean_pd, rate.low / mean_pd, rate.high / mean_pd)
    return Estimate(vintage, months, len(pds), mean_pd, rate, ratio)


def _by_vintage(vintages: np.ndarray, questions: Questions, state: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Questions by (vintage, grade, state)."""
    counts = np.zeros((len(vintages), *shape), np.int64)
    np.add.at(counts, (np.searchsorted(vintages, questions.months()), questions.grade, state), 1)
    return counts


def _young(
    questions: Questions, open_: np.ndarray, fitted: list[RollTable], now: int
) -> tuple[list[tuple[RollTable, Questions]], int]:
    """The open questions by the latest signal that each is old enough for, and how many are too young for any."""
    left = open_ & (questions.as_of <= now)
    young = []
    for table in reversed(fitted):
        old_enough = left & (window_end(questions.as_of, table.signal.months) <= now)
        if old_enough.any():
            young.append((table, questions.where(old_enough)))
        left &= ~old_enough
    return young, int(left.sum())


def _early_auc(parts: list[Part], settings: Early) -> Interval | None:
    """How the PDs rank the shares of the states, over all grades: a share by grade would rank as the PD does."""
    if not parts:
        return None
    share = np.concatenate([_state_shares(table)[state] for table, _, state in parts])
    score = np.concatenate([questions.default_probability for _, questions, _ in parts])
    customer = np.concatenate([questions.customer_id for _, questions, _ in parts])
    return weighted_auc_interval(score, share, customer, min(settings.draws, 200), settings.seed)


def _state_shares(table: RollTable) -> np.ndarray:
    return np.array([share.value for share in table.by_state()])


def _known(questions: Questions, labels: Labels) -> np.ndarray:
    """1 bad, 0 good, -1 where the labels do not judge the question, (rows,)."""
    found = pd.Series(labels.defaulted, pd.MultiIndex.from_arrays([labels.customer_id, labels.as_of]))
    asked = pd.MultiIndex.from_arrays([questions.customer_id, questions.as_of])
    return found.reindex(asked).fillna(-1).to_numpy(np.int8)
