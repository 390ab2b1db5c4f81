"""The simulated portfolio: how often does the interval of a PD hold the mean true PD of customers who score alike?

Run: python -m benchmarks.pd_interval [--product consumer_platform] [--customers 20000] [--seeds 5] [--trials 10]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit

from benchmarks.common import keep
from benchmarks.true_pd import JUDGED, TRAINED
from configs.settings import load_product, load_settings
from features import load, matrix
from features.contracts import to_day
from features.simulate import Scenario, simulate
from training import dataset, fit, interval, pipeline

BINS = 20


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--product", default="consumer_platform")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    runs = [
        one_seed(arguments.product, arguments.customers, arguments.trials, 9_100 + k) for k in range(arguments.seeds)
    ]
    found = pd.concat(runs)
    for when, rows in found.groupby("when"):
        held = ((rows["low"] <= rows["true_pd"]) & (rows["true_pd"] <= rows["high"])).mean()
        print(
            f"{when}: {held:.3f} of {len(rows)} bins hold their mean true PD; width {(rows.high - rows.low).mean():.4f}"
        )
    print(keep(f"pd_interval_{arguments.product}", {"bins": found.to_dict("records"), "arguments": vars(arguments)}))


def one_seed(name: str, customers: int, trials: int, seed: int) -> pd.DataFrame:
    """Bins of customers who score alike, each with its interval and mean true PD: in the months taught, and later."""
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(Path(home), {"training": {"trials": trials}})
        product = load_product(name, Path(home))
        portfolio = simulate(Scenario(customers, seed, companies="invoices" in product.tables))
        months = range(0, TRAINED - 11, 2)
        outcomes = portfolio.outcomes(months).drop(columns="true_pd")
        tables = load.check_tables({**portfolio.tables, "outcomes": outcomes}, product, "simulation")
        data = dataset.assemble(product, tables, to_day(portfolio.month_ends[TRAINED].date()))
        split = dataset.split(data, settings.training)
        model = pipeline.make(split, settings.training, settings.stores.studies, "study", lambda *_: None)
        train, confidence = split.train, settings.explanation.pd_confidence
        band = interval.measure(logit(model.out_of_fold), train.defaulted, train.customer_id, confidence)
        assert band is not None
        frames = []
        for when, month in (("months taught", months[-1]), ("later", JUDGED)):
            truth = portfolio.outcomes([month])
            unseen = dataset.customer_draw(truth["customer_id"].to_numpy(object), settings.training.seed)
            truth = truth[unseen < settings.training.test_share]
            as_of = np.full(len(truth), to_day(portfolio.month_ends[month].date()), np.int32)
            values = matrix.build(data.program, tables, truth["customer_id"].to_numpy(object), as_of)
            scored = truth.assign(log_odds=model.calibration.log_odds(fit.raw_score(model.booster, values)))
            place = pd.qcut(scored["log_odds"], BINS, labels=False, duplicates="drop")
            bins = scored.groupby(place)[["log_odds", "true_pd"]].mean()
            around = [band.around(float(z)) for z in bins["log_odds"]]
            frames.append(bins.assign(when=when, low=[one.low for one in around], high=[one.high for one in around]))
        return pd.concat(frames)


if __name__ == "__main__":
    main()
