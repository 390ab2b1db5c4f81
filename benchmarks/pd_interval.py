"""The simulated portfolio: how often does the interval of a PD hold the mean true PD of customers who score alike?

Each seed is a portfolio and a model of its own. Its customers who taught nothing are put into 10 bins by their score,
in the last month taught and in the later month that is judged; the interval at a bin's mean log-odds is held against
its mean true PD. Bins of one portfolio share its luck, so the spread over portfolios is told beside.
Run: python -m benchmarks.pd_interval [--product consumer_platform] [--customers 8000] [--seeds 8] [--trials 4]
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

BINS = 10


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--product", default="consumer_platform")
    parser.add_argument("--customers", type=int, default=8_000)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    arguments = parser.parse_args()
    runs = []
    for seed in range(9_100, 9_100 + arguments.seeds):
        runs.append(one_seed(arguments.product, arguments.customers, arguments.trials, seed, arguments.threads))
        print(f"portfolio {seed}: {_told(runs[-1])}", flush=True)
    found = pd.concat(runs)
    print(f"all: {_told(found)}")
    print(keep(f"pd_interval_{arguments.product}", {"bins": found.to_dict("records"), "arguments": vars(arguments)}))


def _told(found: pd.DataFrame) -> str:
    held = found.assign(held=(found["low"] <= found["true_pd"]) & (found["true_pd"] <= found["high"]))
    return "; ".join(
        f"{when} {rows['held'].mean():.3f} of {len(rows)} bins hold their mean true PD "
        f"(by portfolio {rows.groupby('seed')['held'].mean().min():.2f} to "
        f"{rows.groupby('seed')['held'].mean().max():.2f}), mean width {(rows['high'] - rows['low']).mean():.4f}"
        for when, rows in held.groupby("when", sort=False)
    )


def one_seed(name: str, customers: int, trials: int, seed: int, threads: int) -> pd.DataFrame:
    """Bins of customers who score alike, each with its interval and mean true PD: in the months taught, and later."""
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(Path(home), {"training": {"trials": trials, "threads": threads}})
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
            frames.append(
                bins.assign(seed=seed, when=when, low=[one.low for one in around], high=[one.high for one in around])
            )
        return pd.concat(frames)


if __name__ == "__main__":
    main()
