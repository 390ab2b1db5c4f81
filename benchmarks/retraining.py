"""When to retrain: if it pays, always, on drift, never. Profit over simulated months whose truth is known.

Each month the whole book in good standing is decided by the model in force under the fixed policy, and earns or loses
by what truly becomes of it. A change costs what the settings say. In one world of each seed the concept changes after a
third of the months, in the other nothing changes.

- always: retrain at every look;
- drift: where the PSI of any feature against the champion's reference passes 0.1;
- pays: where a preview on matured outcomes says that a refit pays, and the challenger itself then does, beyond doubt;
- never.

Run: python -m benchmarks.retraining [--seeds 10] [--customers 6000] [--months 36] [--every 3]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common import keep
from configs.settings import Product, Settings, load_product, load_settings
from features import load, matrix, outcome
from features.contracts import Columns, to_day
from features.outcome import Labels
from features.simulate import Portfolio, Scenario, simulate
from monitoring.retraining import preview, worth
from training import dataset
from training.dataset import Split
from training.model import Model, make
from training.psi import counts, edges_of, psi

FIRST, PRODUCT = 16, "consumer_platform"
STRATEGIES = ("pays", "always", "drift", "never")


@dataclass(frozen=True)
class Made:
    """A model fitted at a month: its PDs of any matrix, the program it reads, the values it was calibrated on."""

    model: Model
    split: Split


@dataclass
class World:
    """A simulated portfolio and the models made in it, each once whoever asks for it."""

    product: Product
    settings: Settings
    portfolio: Portfolio
    tables: dict[str, Columns]
    models: dict[int, Made] = field(default_factory=dict)

    def day(self, month: int) -> int:
        """The last day of a month."""
        return to_day(self.portfolio.month_ends[month].date())

    def made_at(self, month: int) -> Made:
        """The model of what had matured by a month."""
        if month not in self.models:
            data = dataset.assemble(self.product, self.tables, self.day(month))
            split = dataset.split(data, self.settings.training)
            name = f"study-{month}"
            model = make(split, self.settings.training, self.settings.stores.studies, name, lambda *_: None)
            self.models[month] = Made(model, split)
        return self.models[month]

    def values(self, made: Made, customers: np.ndarray, as_of: np.ndarray) -> np.ndarray:
        """The features a model reads."""
        return matrix.build(made.split.train.program, self.tables, customers, as_of)

    def profit(self, made: Made, month: int) -> float:
        """What the book of a month earns when this model decides it."""
        truth = self.portfolio.outcomes([month])
        customers = truth["customer_id"].to_numpy(object)
        as_of = np.full(len(truth), self.day(month), np.int32)
        pds = made.model.default_probability(self.values(made, customers, as_of))
        reads = worth.policy_reads(self.product, self.tables, customers, as_of)
        decided = worth.decided(self.product, pds, reads, self.settings.worth)
        # A month's decisions are a twelfth of a year's; the book is looked at whole each month.
        return float(worth.profit(self.product, decided, truth["defaulted"].to_numpy(), self.settings.worth).sum() / 12)


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--customers", type=int, default=6000)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--every", type=int, default=3, help="months between looks")
    arguments = parser.parse_args()
    rows = [
        {"seed": seed, "world": kind, "strategy": name, **result}
        for seed in range(arguments.seeds)
        for kind in ("concept change", "no change")
        for name, result in one(seed, kind == "concept change", arguments).items()
    ]
    frame = pd.DataFrame(rows)
    table = [summary(part, kind, name) for (kind, name), part in frame.groupby(["world", "strategy"])]
    print(pd.DataFrame(table).to_string(index=False))
    print(keep("retraining", {"table": table, "runs": rows, "arguments": vars(arguments)}))


def one(seed: int, changes: bool, arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Every strategy in one world: its profit and how often it changed the model."""
    with tempfile.TemporaryDirectory() as home:
        tuned = {"training": {"trials": 1, "max_rounds": 200, "folds": 2, "threads": 1}}
        settings, product = load_settings(Path(home), tuned), load_product(PRODUCT, Path(home))
        last = FIRST + arguments.months
        change = FIRST + arguments.months // 3 if changes else 10_000
        weights = {"discipline_weight_after": 0.2, "income_weight_after": 1.3}
        portfolio = simulate(
            Scenario(arguments.customers, 70_000 + seed, months=last, concept_change_month=change, **weights)
        )
        outcomes = portfolio.outcomes(range(0, last, 2)).drop(columns="true_pd")
        tables = load.check_tables({**portfolio.tables, "outcomes": outcomes}, product, "simulation")
        world = World(product, settings, portfolio, tables)
        return {name: live(world, TRIGGERS[name], last, arguments.every) for name in STRATEGIES}


Trigger = Callable[[World, int, int], bool]


def live(world: World, trigger: Trigger, last: int, every: int) -> dict[str, float]:
    """Decide every month; look every so many months; change the model where the trigger says so."""
    champion, profit, changes = FIRST, 0.0, 0
    for month in range(FIRST, last):
        if month > FIRST and (month - FIRST) % every == 0 and trigger(world, champion, month):
            champion, changes = month, changes + 1
            profit -= world.settings.worth.cost_of_change
        profit += world.profit(world.made_at(champion), month)
    return {"profit": profit, "changes": changes}


def never(_: World, __: int, ___: int) -> bool:
    return False


def always(_: World, __: int, ___: int) -> bool:
    return True


def on_drift(world: World, champion: int, month: int) -> bool:
    """PSI above 0.1 on any feature of this month's book, whatever the sample: the usual rule."""
    made = world.made_at(champion)
    customers = world.portfolio.customer_id[world.portfolio.standing(month)]
    now = world.values(made, customers, np.full(len(customers), world.day(month), np.int32))
    then = made.split.test.matrix
    edges = [edges_of(column, 10) for column in then.T]
    found = [psi(counts(now[:, k], edge), counts(then[:, k], edge)) for k, edge in enumerate(edges)]
    return max(found) > 0.1


def if_it_pays(world: World, champion: int, month: int) -> bool:
    """The preview on what matured in the last year says so, and the challenger on its own test rows says so too."""
    labels = outcome.matured(world.tables["outcomes"], world.product.outcome, world.day(month))
    recent = labels.as_of > world.day(month - 20)
    made, settings = world.made_at(champion), world.settings.worth
    labels = Labels(labels.customer_id[recent], labels.as_of[recent], labels.defaulted[recent], 0)
    values = world.values(made, labels.customer_id, labels.as_of)
    reads = worth.policy_reads(world.product, world.tables, labels.customer_id, labels.as_of)
    pds = made.model.default_probability(values)
    yearly = float(len(world.portfolio.standing(month)))
    rows = preview.Judged(values, reads, pds, labels.defaulted, labels.customer_id)
    gains = preview.preview(world.product, rows, made.split.train.program.features, yearly, settings)
    if gains.refit is None or not gains.refit.pays:
        return False
    test = world.made_at(month).split.test
    reads = worth.policy_reads(world.product, world.tables, test.customer_id, test.as_of)
    ours, theirs = (
        worth.decided(
            world.product,
            one.model.default_probability(world.values(one, test.customer_id, test.as_of)),
            reads,
            settings,
        )
        for one in (made, world.made_at(month))
    )
    found = worth.compare(world.product, ours, theirs, test.defaulted, test.customer_id, yearly, settings)
    return found is not None and found.pays


TRIGGERS: dict[str, Trigger] = {"pays": if_it_pays, "always": always, "drift": on_drift, "never": never}


def summary(part: pd.DataFrame, kind: str, name: str) -> dict[str, object]:
    """Mean profit over seeds with its 95 % interval (normal), and changes."""
    spread = 1.96 * part["profit"].std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else float("nan")
    mean = float(part["profit"].mean())
    return {
        "world": kind,
        "strategy": name,
        "profit": round(mean),
        "low": None if np.isnan(spread) else round(mean - spread),
        "high": None if np.isnan(spread) else round(mean + spread),
        "changes": float(part["changes"].mean()),
    }


if __name__ == "__main__":
    main()
