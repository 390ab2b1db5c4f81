"""Every goal of the issues as data: what was asked, which result answers it, what was seen, and the bound.

A goal without a bound asked for a figure to be shown. Where an issue gives no number but a word ("flat", "bounded"),
the bound and the words say how it is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks import seeing
from benchmarks.seeing import Seen

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: `look` reads what was seen out of the result called `result`; None where that does not tell.

    `form` shows a number; `side` says on which side of `bound` it should lie.
    """

    issue: int
    words: str
    benchmark: str
    look: Callable[[Result], Seen | None]
    bound: float | None = None
    side: Literal["least", "most"] = "least"
    form: str = "{:.2f}x"
    kept: str = ""

    @property
    def result(self) -> str:
        """The name of the JSON that answers."""
        return self.kept or self.benchmark


@dataclass(frozen=True, slots=True)
class Judged:
    """A goal beside what was seen: `met`, `missed`, `shown` where no bound was set, `not run` where nothing tells."""

    goal: Goal
    seen: Seen | None
    verdict: Literal["met", "missed", "shown", "not run"]

    @property
    def is_doubtful(self) -> bool:
        """The bound lies inside the spread, so that another run may judge otherwise."""
        bound, seen = self.goal.bound, self.seen
        return None not in (bound, seen, seen and seen.low) and seen.low <= bound <= seen.high

    @property
    def by(self) -> str:
        """How far from the bound: in percent of it, or as a number where it is 0 or counts."""
        goal, seen = self.goal, self.seen
        if goal.bound is None or seen is None:
            return ""
        apart = abs(seen.value - goal.bound)
        return goal.form.lstrip("+").format(apart) if not goal.bound else f"{apart / abs(goal.bound):.0%}"


def judged(goal: Goal, results: Mapping[str, Result]) -> Judged:
    """What the results say of a goal."""
    found = results.get(goal.result)
    seen = goal.look(found) if found else None
    if seen is None:
        return Judged(goal, None, "not run")
    if goal.bound is None:
        return Judged(goal, seen, "shown")
    met = seen.value >= goal.bound if goal.side == "least" else seen.value <= goal.bound
    return Judged(goal, seen, "met" if met else "missed")


_MONEY, _GAIN, _AUC = "{:+,.0f}", "{:+.4f}", "{:.4f}"
_PAYS = "retraining if it pays earns more than never, "

GOALS: tuple[Goal, ...] = (
    Goal(2, "once round the loop within 3 minutes", "loop", seeing.plain("wall_seconds"), 180, "most", "{:.0f} s"),
    Goal(
        2, "Taiwan, nested: AUC above 0.783, a published result of boosting", "taiwan", seeing.taiwan, 0.783, form=_AUC
    ),
    Goal(2, "Taiwan: AUC above LightGBM defaults, paired", "taiwan", seeing.taiwan_gain, 0.0, form=_GAIN),
    Goal(
        2,
        "mean absolute difference of PD and true PD",
        "true_pd",
        seeing.plain("all"),
        form=_AUC,
        kept="true_pd_consumer_platform",
    ),
    Goal(
        3,
        "80 features of one customer: 50 times as fast as polars",
        "features",
        seeing.one_customer,
        50,
        form="{:.0f}x",
    ),
    Goal(3, "10,000,000 rows: twice as fast as the faster of polars and DuckDB", "features", seeing.ten_million, 2),
    Goal(3, "10,000,000 rows: no more peak memory than polars", "features", seeing.memory_beside_polars, 1, "most"),
    Goal(3, "100,000,000 rows in bounded memory: peak", "features", seeing.hundred_million, form="{:.1f} GB"),
    Goal(3, "Dask, two workers against one: times as fast", "features", seeing.dask),
    Goal(
        4,
        "tuning, beside cross_val_score that tunes trees: seconds to the same log-loss",
        "tuning",
        seeing.tuning(0),
        3,
    ),
    Goal(4, "tuning, beside cross_val_score told how many trees: the same", "tuning", seeing.tuning(1), 3),
    *(
        Goal(
            4,
            f"{name}: best or level with the best by AUC, log-loss and Brier (comparisons lost)",
            "rivals",
            seeing.rivals(portfolio),
            0,
            "most",
            "{:.0f}",
        )
        for name, portfolio in (
            ("Taiwan", "taiwan"),
            ("German", "german"),
            ("Polish, year 1", "polish_1"),
            ("Polish, year 5", "polish_5"),
        )
    ),
    Goal(4, "95 % interval of AUC holds the true one", "sizes", seeing.coverage("auc_delong"), 0.95, form="{:.1%}"),
    Goal(
        4,
        "95 % interval of a default rate holds the true one",
        "sizes",
        seeing.coverage("default_rate_jeffreys"),
        0.95,
        form="{:.1%}",
    ),
    Goal(4, "true size of the Jeffreys test at a nominal 5 %", "sizes", seeing.size, form="{:.1%}"),
    *(
        Goal(
            4,
            f"90 % interval of a PD holds the mean true PD, {words}",
            "pd_interval",
            seeing.held(*whens),
            0.9,
            form="{:.0%}",
            kept="pd_interval_consumer_platform",
        )
        for words, whens in (("in the months taught", seeing.TAUGHT), ("12 months later", seeing.LATER))
    ),
    *(
        Goal(5, f"{times} times the {name}, {count}", "http", seeing.http(rival, connections), times)
        for times, name, rival in ((8, "careful FastAPI", "frugal"), (40, "usual FastAPI", "usual"))
        for count, connections in (("1 connection", "1"), ("16 connections", "16"))
    ),
    Goal(
        5, "p99 at one connection within 5 ms of an empty route's", "http", seeing.beyond_empty, 5, "most", "{:.2f} ms"
    ),
    *(
        Goal(5, f"beside `mlflow models serve` of the model alone, {count}", "http_mlflow", seeing.http("mlflow", each))
        for count, each in (("1 connection", "1"), ("16 connections", "16"))
    ),
    Goal(
        5,
        "TreeSHAP, one row: 10 times LightGBM's pred_contrib",
        "shap",
        seeing.shap(lambda rows: rows == 1),
        10,
        form="{:.1f}x",
    ),
    Goal(
        5,
        "TreeSHAP, a batch: 50 times LightGBM's pred_contrib",
        "shap",
        seeing.shap(lambda rows: rows > 1),
        50,
        form="{:.1f}x",
    ),
    Goal(5, "TreeSHAP equal to LightGBM within 1e-9", "shap", seeing.shap_difference, 1e-9, "most", "{:.0e}"),
    Goal(5, "PDs in bulk within 1.5 times `Booster.predict` alone", "batch", seeing.batch, 1.5, "most"),
    Goal(
        6,
        "drift verdict of 60 columns, 100,000 rows: 50 times as fast as Evidently",
        "drift",
        seeing.drift,
        50,
        form="{:.0f}x",
    ),
    Goal(
        6,
        "10,000,000 rows in bounded memory (read as: peak at most 1.1 times that of 1,000,000)",
        "drift",
        seeing.drift_memory,
        1.1,
        "most",
    ),
    Goal(6, "planted faults told right, of those that are faults", "faults", seeing.told_right, form="{:.0%}"),
    Goal(6, "false alarms a year, where nothing is wrong", "faults", seeing.false_alarms, form="{:.1f}"),
    *(
        Goal(6, f"{_PAYS}{words}", "retraining", seeing.retraining(world, measure), 0.0, form=_MONEY)
        for words, world, measure in (
            ("after a changed concept, at equal exposure", "concept change", "more than never, equal"),
            ("after a changed concept, as granted", "concept change", "more than never"),
            ("where no concept changed, at equal exposure", "no change", "more than never, equal"),
        )
    ),
    *(
        Goal(7, f"profit over 36 months more than {words}, EUR", "customers", seeing.profit(rival), 0.0, form=_MONEY)
        for words, rival in (
            ("with fixed limits of 2 months", "fixed_2_months"),
            ("with fixed limits of 4 months", "fixed_4_months"),
            ("by grade only", "grade_only"),
            ("without early warnings", "without_warnings"),
        )
    ),
    Goal(
        7,
        "every early sign tells more than chance (lift; read as: above 1)",
        "customers",
        seeing.least_lift,
        1,
        form="{:.1f}",
    ),
    Goal(7, "calls by value at risk save more than by age, EUR", "customers", seeing.calls, 0.0, form=_MONEY),
    Goal(
        7,
        "cost of a customer reviewed flat from 10,000 to 1,000,000 (read as: at most 1.2 times)",
        "customers_book",
        seeing.flat,
        1.2,
        "most",
    ),
    Goal(7, "peak memory at 1,000,000 customers", "customers_book", seeing.book_memory, form="{:,.0f} MB"),
    Goal(
        8, "every page within 300 ms on 1,000,000 decisions", "console", seeing.slowest_page, 300, "most", "{:.0f} ms"
    ),
)
