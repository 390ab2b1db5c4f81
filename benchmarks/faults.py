"""Planted faults over many seeds: does each verdict say what happened, and does it stay silent where nothing did?

One model is trained on the simulated consumer platform; each seed is another stream of it, in which a dead feed, a unit
error, a shift of the population, a changed concept, twelve irrelevant shifted columns, or nothing is planted. Three
verdicts on the same rows: ours; Evidently's default (drift, if more than half of the columns drifted); PSI > 0.1 on any
column. Ours also sees the outcomes that matured; the others have no place for them.
Run: python -m benchmarks.faults [--seeds 20] [--customers 3000] [--no-evidently]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common import keep
from configs.settings import Product, Settings, load_product, load_settings
from features import faults, load, outcome
from features.contracts import to_day
from features.simulate import Portfolio, Scenario, simulate
from monitoring import watch
from monitoring.drift.windows import Window, from_tables
from monitoring.telling.page import Report
from serving.score import Scorer, make_scorer
from training import pipeline

TAUGHT, WATCHED, CONCEPT = range(0, 9, 2), 9, {"discipline_weight": 0.2, "income_weight": 1.3}
RIGHT = {
    "nothing": {"nothing"},
    "irrelevant drift": {"nothing"},
    "population shift": {"nothing", "wait"},
    "dead feed": {"fix_data"},
    "unit error x100": {"fix_data"},
    "concept change": {"recalibrate", "retrain"},
}
SILENT = ("nothing", "irrelevant drift", "population shift")  # where an alarm of the others is false


@dataclass(frozen=True)
class Judged:
    """What each verdict said of one stream; Evidently's is None where it was left out."""

    fault: str
    seed: int
    ours: str
    at_stake_share: float
    evidently: bool | None
    psi: bool


def model(home: Path, customers: int) -> tuple[Settings, Product, Scorer, Portfolio]:
    """A model really trained on the first months of a portfolio."""
    settings = load_settings(home, {"training": {"trials": 3, "max_rounds": 300, "folds": 3, "threads": 1}})
    product = load_product("consumer_platform", home)
    portfolio = simulate(Scenario(customers, 11, months=24))
    tables = _tables(portfolio, product, portfolio.tables, TAUGHT)
    made = pipeline.train(product, tables, settings, _day(portfolio, 20), None, lambda *_: None, lambda _: None)
    return settings, product, make_scorer(made.bundle, product), portfolio


def _day(portfolio: Portfolio, month: int) -> int:
    return to_day(portfolio.month_ends[month].date())


def _tables(portfolio: Portfolio, product: Product, tables: dict[str, pd.DataFrame], months: object) -> dict:
    outcomes = portfolio.outcomes(months).drop(columns="true_pd")
    return load.check_tables({**tables, "outcomes": outcomes}, product, "simulation")


def stream(fault: str, seed: int, customers: int, product: Product, scorer: Scorer) -> tuple[Window, outcome.Labels]:
    """A window with the fault planted in it, and the outcomes known a year later."""
    concept = CONCEPT if fault == "concept change" else {}
    portfolio = simulate(Scenario(customers, seed, months=24, **concept))
    tables = dict(portfolio.tables)
    planted = {"dead feed": faults.dead_feed, "unit error x100": faults.unit_error}.get(fault)
    if planted is not None:
        since = portfolio.month_ends[0] - pd.DateOffset(months=14)
        tables["statements"] = planted(tables["statements"], "inflow", "month", since)
    checked = _tables(portfolio, product, tables, [WATCHED])
    window = from_tables(scorer, checked, _day(portfolio, WATCHED))
    labels = outcome.matured(checked["outcomes"], product.outcome, _day(portfolio, WATCHED + 12))
    if fault == "population shift":
        window = _riskier(window, scorer, seed)
    if fault == "irrelevant drift":
        window = _irrelevant(window, scorer)
    return window, labels


def _riskier(window: Window, scorer: Scorer, seed: int) -> Window:
    """Those who use much of their limit come three times as often; what follows from features stays the same."""
    used = window.values[:, scorer.bundle.program.names.index("utilisation_mean_6m")]
    chance = np.where(used > np.nanmedian(used), 0.9, 0.3)
    rows = np.flatnonzero(np.random.default_rng(seed).random(len(window)) < chance)
    return replace(
        window,
        values=window.values[rows],
        default_probability=window.default_probability[rows],
        customer_id=window.customer_id[rows],
        as_of=window.as_of[rows],
    )


def _irrelevant(window: Window, scorer: Scorer) -> Window:
    """Twelve features that the model does not use, or uses least, moved by 0.3 standard deviations."""
    least = np.argsort(scorer.bundle.booster.feature_importance("gain"), kind="stable")[:12]
    values = window.values.copy()
    values[:, least] += 0.3 * np.nanstd(values[:, least], axis=0)
    return replace(window, values=values, default_probability=scorer.bundle.default_probability(values))


def evidently_says(window: Window, then: np.ndarray, names: tuple[str, ...]) -> bool:
    """Evidently's default verdict, on the columns that it can take."""
    os.environ["DO_NOT_TRACK"] = "true"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        usable = [
            at for at in range(len(names)) if all(np.isfinite(side[:, at]).sum() >= 2 for side in (window.values, then))
        ]
        columns = [names[at] for at in usable]
        definition = DataDefinition(numerical_columns=columns)
        sides = [
            Dataset.from_pandas(pd.DataFrame(side[:, usable], columns=columns), definition)
            for side in (window.values, then)
        ]
        told = Report([DataDriftPreset()]).run(*sides).dict()
    counted = next(metric["value"] for metric in told["metrics"] if "DriftedColumnsCount" in str(metric))
    # A column that it cannot take has drifted, to be fair: somebody would see that it is gone.
    return (counted["count"] + len(names) - len(usable)) / len(names) > 0.5


def judged(customers: int, seeds: int, evidently: bool) -> Iterator[Judged]:
    """Every fault on every seed."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings, product, scorer, _ = model(home, 2 * customers)
        then = scorer.bundle.reference()[list(scorer.bundle.program.names)].to_numpy(np.float64)
        for seed in range(100, 100 + seeds):
            for fault in RIGHT:
                window, labels = stream(fault, seed, customers, product, scorer)
                report = watch.run(
                    window, scorer.bundle, labels, settings, int(window.as_of[0]), False, lambda _: None, None, product
                )
                other = evidently_says(window, then, scorer.bundle.program.names) if evidently else None
                psi = any(item.psi > 0.1 for item in report.features)
                yield Judged(fault, seed, report.verdict.remedy, _stake(report), other, psi)


def _stake(report: Report) -> float:
    money = report.money
    return money.effects[0].at_stake.value / money.expected_loss if money and money.effects else 0.0


def summary(found: list[Judged]) -> list[dict[str, object]]:
    """By fault: how often each verdict was right, and what ours said."""
    table = []
    for fault, right in RIGHT.items():
        here = [item for item in found if item.fault == fault]
        alarm = fault not in SILENT
        seen = [item.evidently == alarm for item in here if item.evidently is not None]
        table.append(
            {
                "fault": fault,
                "streams": len(here),
                "ours_right": float(np.mean([item.ours in right for item in here])),
                "ours": dict(Counter(item.ours for item in here)),
                "at_stake_share": float(np.median([item.at_stake_share for item in here])),
                "evidently_right": float(np.mean(seen)) if seen else None,
                "any_psi_right": float(np.mean([item.psi == alarm for item in here])),
            }
        )
    return table


def main() -> None:
    """Plant, judge, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--customers", type=int, default=3000)
    parser.add_argument("--no-evidently", action="store_true", help="it takes most of the time")
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    arguments = parser.parse_args()
    found = []
    for item in judged(arguments.customers, arguments.seeds, not arguments.no_evidently):
        found.append(item)
        print(item, flush=True)
    table = summary(found)
    print("\n".join(json.dumps(row) for row in table))
    if not arguments.dry:
        keep("faults", {"customers": arguments.customers, "seeds": arguments.seeds, "table": table})


if __name__ == "__main__":
    main()
