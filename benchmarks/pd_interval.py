"""The simulated portfolio: how often does the interval of a PD hold the mean true PD of customers who score alike?

Each seed is a portfolio and a model of its own, made in one of several months, so that the economy (a wave of four
years) stands elsewhere in each: taught by the vintages of the two years whose outcomes are known by then. Its customers
who taught nothing are put into 10 bins by their score, in the last month taught and in the month the model is made and
goes to work; the interval at a bin's mean log-odds is held against its mean true PD. Three intervals: of sampling
alone; with the spread that the vintages showed; and as it is told, with the setting's spread where that is more. Bins
of one portfolio share its luck and its month, so each is told by itself.
Run: python -m benchmarks.pd_interval [--product consumer_platform] [--customers 8000] [--seeds 8] [--first 9100]
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common import begun, keep
from configs.settings import load_product, load_settings
from features import load, matrix
from features.contracts import to_day
from features.simulate import Scenario, simulate
from training import dataset, fit, interval
from training.model import make

BINS = 10
MADE = (20, 32, 44, 56)  # months of the simulation, a year apart: once round its economy
TAUGHT = 24  # months asked about that teach, every second of them
INTERVALS = ("sampling", "found", "told")


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--product", default="consumer_platform")
    parser.add_argument("--customers", type=int, default=8_000)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--first", type=int, default=9_100, help="take fresh seeds for a final run")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    run, runs = begun(dt.datetime.now(dt.UTC), seeds, "lowest and highest portfolio"), []
    for place, seed in enumerate(seeds):
        made = MADE[place % len(MADE)]
        runs.append(one_seed(arguments.product, arguments.customers, arguments.trials, seed, made, arguments.threads))
        print(f"portfolio {seed}, made in month {made}:", *_told(runs[-1]), sep="\n  ", flush=True)
    found = pd.concat(runs)
    print("all:", *_told(found), sep="\n  ")
    values = {"bins": found.to_dict("records"), "arguments": vars(arguments)}
    print(keep(f"pd_interval_{arguments.product}", values, run))


def _told(found: pd.DataFrame) -> list[str]:
    return [
        f"{when}: PD {rows['pd'].mean():.4f}, true {rows['true_pd'].mean():.4f}, "
        f"economy's spread found {rows['economy_found'].mean():.3f}; of {len(rows)} bins hold "
        + ", ".join(
            f"{kind} {_held(rows, kind):.3f} (width {(rows[f'{kind}_high'] - rows[f'{kind}_low']).mean():.4f})"
            for kind in INTERVALS
        )
        for when, rows in found.groupby("when", sort=False)
    ]


def _held(rows: pd.DataFrame, kind: str) -> float:
    return float(rows["true_pd"].between(rows[f"{kind}_low"], rows[f"{kind}_high"]).mean())


def one_seed(name: str, customers: int, trials: int, seed: int, made: int, threads: int) -> pd.DataFrame:
    """Bins of customers who score alike, their intervals and mean true PD: in the last month taught, and when made."""
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(Path(home), {"training": {"trials": trials, "threads": threads}})
        product = load_product(name, Path(home))
        portfolio = simulate(Scenario(customers, seed, months=made + 1, companies="invoices" in product.tables))
        months = range(max(0, made - 11 - TAUGHT), made - 11, 2)
        outcomes = portfolio.outcomes(months).drop(columns="true_pd")
        tables = load.check_tables({**portfolio.tables, "outcomes": outcomes}, product, "simulation")
        days = [to_day(end.date()) for end in portfolio.month_ends]
        split = dataset.split(dataset.assemble(product, tables, days[made]), settings.training)
        model = make(split, settings.training, settings.stores.studies, "study", lambda *_: None)
        band = interval.measure(split.train, model.out_of_fold, settings.explanation)
        assert band is not None
        frames = []
        for when, month in (("last month taught", days.index(split.train.as_of.max())), ("month made", made)):
            truth = portfolio.outcomes([month])
            unseen = dataset.customer_draw(truth["customer_id"].to_numpy(object), settings.training.seed)
            truth = truth[unseen < settings.training.test_share]
            as_of = np.full(len(truth), days[month], np.int32)
            values = matrix.build(split.train.program, tables, truth["customer_id"].to_numpy(object), as_of)
            raw_score = fit.raw_score(model.booster, values)
            scored = truth.assign(
                log_odds=model.calibration.log_odds(raw_score), pd=model.calibration.default_probability(raw_score)
            )
            place = pd.qcut(scored["log_odds"], BINS, labels=False, duplicates="drop")
            bins = scored.groupby(place)[["log_odds", "pd", "true_pd"]].mean()
            frames.append(_with_intervals(bins, band).assign(seed=seed, made=made, when=when))
        return pd.concat(frames)


def _with_intervals(bins: pd.DataFrame, band: interval.Uncertainty) -> pd.DataFrame:
    bands = (band.of_sampling(), replace(band, economy_spread=band.economy_found), band)
    for kind, one in zip(INTERVALS, bands, strict=True):
        around = [one.around(float(z)) for z in bins["log_odds"]]
        bins[f"{kind}_low"], bins[f"{kind}_high"] = [i.low for i in around], [i.high for i in around]
    return bins.assign(economy_found=band.economy_found)


if __name__ == "__main__":
    main()
