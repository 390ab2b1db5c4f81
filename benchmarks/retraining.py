"""When to retrain: if it pays, always, on drift, never. Profit over simulated months whose truth is known.

Each month the book is decided by the model in force under the fixed policy, and earns what its true PDs say. A change
of model costs `--cost`: 10,000, as shipped, for a lender of 30,000 customers is 1,300 for the 4,000 simulated. In one
world of each seed the concept changes after a third of the months, in the other nothing does but the economy.

- pays: the monitor's verdict is to retrain, the challenger passes the gate and is worth more than it costs beyond doubt
  (a verdict to move the level or the line makes no new trees: at equal exposure worth nothing, it waits for a person);
- always: at every look;
- drift: where the PSI of any feature against the champion's reference passes 0.1, whatever the sample;
- never.

Profit is told as granted, and at the exposure that `never` has in the same month: who lends more earns more under any
model, and to lend more is the policy's decision. Each seed runs in a process of its own and is kept at once.
Run: python -m benchmarks.retraining [--seeds 8] [--first 0] [--jobs 1] [--customers 4000] [--months 36] [--every 3]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.lender import Lender
from benchmarks.resumed import add_seeds, interval, runs, said
from benchmarks.streams import CONCEPT
from configs.settings import load_product, load_settings
from features import load
from features.simulate import Scenario, simulate
from training.psi import counts, edges_of, psi

FIRST, TOLD, PRODUCT = 22, 3, "consumer_platform"  # the first decision; months between outcomes that teach
WORLDS = ("concept change", "no change")


def lender(seed: int, world: str, arguments: argparse.Namespace, home: Path) -> Lender:
    """The lender of a seed in one of the worlds."""
    last = FIRST + arguments.months
    settings = load_settings(
        home,
        {
            "training": {"trials": 1, "max_rounds": 120, "folds": 2, "threads": 1, "minimum_defaults": 15},
            "monitoring": {"runs_a_year": 12 // arguments.every},
            "schedule": {"every_days": 31 * arguments.every},
            "worth": {"cost_of_change": arguments.cost},
        },
    )
    product = load_product(PRODUCT, home)
    change = FIRST + arguments.months // 3 if world == "concept change" else 10_000
    portfolio = simulate(
        Scenario(arguments.customers, 70_000 + seed, months=last, concept_change_month=change, **CONCEPT)
    )
    outcomes = portfolio.outcomes(range(0, last, TOLD)).drop(columns="true_pd")
    tables = load.check_tables({**portfolio.tables, "outcomes": outcomes}, product, "simulation")
    return Lender(product, settings, portfolio, tables)


@dataclass(frozen=True)
class Look:
    """A look at the champion, made in month `champion` and in force from `since` on, at the end of `month`."""

    champion: int
    since: int
    month: int


Trigger = Callable[[Lender, Look], tuple[bool, str]]
"""Whether to change to the model of this month, and why, in a word or two."""


def never(_: Lender, __: Look) -> tuple[bool, str]:
    return False, ""


def always(_: Lender, __: Look) -> tuple[bool, str]:
    return True, ""


def on_drift(lent: Lender, look: Look) -> tuple[bool, str]:
    """PSI above 0.1 on any feature of this month's book: the usual rule."""
    then = lent.made(look.champion).split.test
    now = lent.book(look.month).values[:, [lent.program.names.index(name) for name in then.program.names]]
    edges = [edges_of(column, 10) for column in then.matrix.T]
    found = [psi(counts(now[:, k], edge), counts(then.matrix[:, k], edge)) for k, edge in enumerate(edges)]
    return max(found) > 0.1, f"PSI {max(found):.2f}"


def if_it_pays(lent: Lender, look: Look) -> tuple[bool, str]:
    """As `creditloop monitor run`, `retrain` and promotion within limits do it."""
    verdict, refit = lent.verdict(look.champion, look.since, look.month)
    told = verdict.remedy if refit is None else f"{verdict.remedy}, refit {refit.value:.0f} ({refit.low:.0f})"
    if verdict.remedy != "retrain":
        return False, told
    answer, found = lent.challenger(look.champion, look.month)
    value = "not known" if found is None else f"{found.value:.0f} ({found.low:.0f})"
    failed = ",".join(check.name for check in answer.checks if not check.passed)
    return answer.passed and found is not None and found.pays, f"{told}; challenger {value} {failed}".strip()


TRIGGERS: dict[str, Trigger] = {"pays": if_it_pays, "always": always, "drift": on_drift, "never": never}


def live(lent: Lender, trigger: Trigger, arguments: argparse.Namespace) -> dict[str, Any]:
    """Decide every month; look every so many months; change the model where the trigger says so."""
    champion, since, changes, trail = FIRST, FIRST, [], []
    earned = []
    for month in range(FIRST, FIRST + arguments.months):
        if month > FIRST and (month - FIRST) % arguments.every == 0:
            change, why = trigger(lent, Look(champion, since, month))
            trail.append(f"{month - FIRST}: {why}")
            if change:
                champion = since = month
                changes.append(month - FIRST)
        earned.append(lent.earned(champion, month))
    profit, exposure = np.array(earned).T.round(1).tolist()
    return {"profit": profit, "exposure": exposure, "changes": changes, "trail": trail if any(trail) else []}


def one(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every strategy in every world of one seed."""
    with tempfile.TemporaryDirectory() as home:
        lenders = {world: lender(arguments.one, world, arguments, Path(home)) for world in WORLDS}
        return {
            world: {name: live(lent, trigger, arguments) for name, trigger in TRIGGERS.items()}
            for world, lent in lenders.items()
        }


def table(found: list[dict[str, Any]], cost: float) -> list[dict[str, Any]]:
    """By world and strategy over seeds: profit after the costs of change, and how much more than `never`, paired.

    Intervals are 95 %, of Student's t over seeds.
    """
    rows = []
    for world in WORLDS:
        base = [np.array(run[world]["never"]["exposure"]) for run in found]
        sums = {name: _sums([run[world][name] for run in found], base, cost) for name in TRIGGERS}
        for name, (granted, equal, changes) in sums.items():
            rows.append(
                {
                    "world": world,
                    "strategy": name,
                    "changes": round(float(np.mean(changes)), 1),
                    "profit": interval(granted),
                    "more than never": interval(granted - sums["never"][0]),
                    "equal exposure": interval(equal),
                    "more than never, equal": interval(equal - sums["never"][1]),
                }
            )
    return rows


def _sums(lives: list[dict[str, Any]], base: list[np.ndarray], cost: float) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Profit of each seed as granted and at equal exposure, and changes."""
    changes = [len(life["changes"]) for life in lives]
    profits = [np.array(life["profit"]) for life in lives]
    scales = [never / np.array(life["exposure"]) for never, life in zip(base, lives, strict=True)]
    paid = cost * np.array(changes)
    granted = np.array([profit.sum() for profit in profits]) - paid
    equal = np.array([(profit * scale).sum() for profit, scale in zip(profits, scales, strict=True)]) - paid
    return granted, equal, changes


def main() -> None:
    """Measure, print after each seed, and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_seeds(parser, 8, 0)
    parser.add_argument("--customers", type=int, default=4000)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--every", type=int, default=3, help="months between looks")
    parser.add_argument("--cost", type=float, default=1300.0, help="of a change of the model, in currency")
    arguments = parser.parse_args()
    if arguments.one is not None:
        print(json.dumps(one(arguments)))
        return
    summed = partial(table, cost=arguments.cost)
    for found in runs("benchmarks.retraining", arguments.into or "retraining", arguments, summed):
        if found:
            print(f"{len(found)} seeds\n{pd.DataFrame(map(said, summed(found))).to_string(index=False)}", flush=True)


if __name__ == "__main__":
    main()
