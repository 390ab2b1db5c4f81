"""The simulated portfolio: how far is the PD from the true PD, by grade? Fresh customers, other seeds than the tests'.

Run: python -m benchmarks.true_pd [--product consumer_platform] [--customers 20000] [--seeds 3]
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common import begun, keep
from configs.settings import load_product, load_settings
from features import load, matrix
from features.contracts import to_day
from features.simulate import Scenario, simulate
from training import dataset
from training.model import make
from training.scaling import make_scale

TRAINED, JUDGED = 20, 20


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--product", default="consumer_platform")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    seeds = range(9_000, 9_000 + arguments.seeds)
    run = begun(dt.datetime.now(dt.UTC), seeds, "all portfolios together")
    book = pd.concat([one_seed(arguments.product, arguments.customers, arguments.trials, seed) for seed in seeds])
    book["error"] = (book["default_probability"] - book["true_pd"]).abs()
    table = book.groupby("grade").agg(
        rows=("error", "size"),
        mean_pd=("default_probability", "mean"),
        mean_true_pd=("true_pd", "mean"),
        default_rate=("defaulted", "mean"),
        mean_absolute_difference=("error", "mean"),
    )
    print(table.round(4).to_string())
    base = float((book["true_pd"] - book["true_pd"].mean()).abs().mean())
    print(f"all: mean |PD - true PD| {book['error'].mean():.4f}; of the mean PD for everyone {base:.4f}")
    values = {
        "grades": table.reset_index().to_dict("records"),
        "all": float(book["error"].mean()),
        "mean_pd_for_everyone": base,
        "arguments": vars(arguments),
    }
    print(keep(f"true_pd_{arguments.product}", values, run))


def one_seed(name: str, customers: int, trials: int, seed: int) -> pd.DataFrame:
    """A portfolio trained on at month 20 and its whole book of that month scored, with the truth beside."""
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(Path(home), {"training": {"trials": trials}})
        product = load_product(name, Path(home))
        portfolio = simulate(Scenario(customers, seed, companies="invoices" in product.tables))
        outcomes = portfolio.outcomes(range(0, TRAINED - 11, 2)).drop(columns="true_pd")
        tables = load.check_tables({**portfolio.tables, "outcomes": outcomes}, product, "simulation")
        data = dataset.assemble(product, tables, to_day(portfolio.month_ends[TRAINED].date()))
        split = dataset.split(data, settings.training)
        model = make(split, settings.training, settings.stores.studies, "study", lambda *_: None)
        truth = portfolio.outcomes([JUDGED])
        # Customers of the test side only: their earlier rows taught the model nothing.
        unseen = dataset.customer_draw(truth["customer_id"].to_numpy(object), settings.training.seed)
        truth = truth[unseen < settings.training.test_share]
        as_of = np.full(len(truth), to_day(portfolio.month_ends[JUDGED].date()), np.int32)
        values = matrix.build(data.program, tables, truth["customer_id"].to_numpy(object), as_of)
        predicted = model.default_probability(values)
        scale = make_scale(product.scaling, product.grades)
        grades = [scale.names[place] for place in scale.grade_index(predicted)]
        return truth.assign(default_probability=predicted, grade=grades)


if __name__ == "__main__":
    main()
