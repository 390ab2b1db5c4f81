"""Planted faults over many seeds: how soon does each verdict say what happened, how often is it wrong, what is lost?

For each seed a model is made and watched for two years, month by month; after half a year a fault begins (streams.py).
Three verdicts on the same rows: ours; Evidently's default (drift, if more than half of the columns drifted); PSI > 0.1
on any column. Ours also sees the outcomes that are known by then; the others have no place for them. Evidently is asked
every so many months: it takes most of the time. NannyML is not compared yet: it wants an
environment of its own.

An alarm is a verdict that calls for somebody (not `nothing`, not `wait`). Delay: months from the fault to the first
right alarm. Money: what the decisions of these months earned less than decisions by true PDs at equal exposure, beyond
what they would have lost without the fault. Each seed runs in a process of its own and is kept at once.
Run: python -m benchmarks.faults [--seeds 8] [--first 0] [--jobs 1] [--customers 6000] [--evidently 6]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common import keep
from benchmarks.lender import Book, Lender
from benchmarks.resumed import add_seeds, runs
from benchmarks.streams import (
    FAULT,
    MADE,
    MONTHS,
    Stream,
    bundle_of,
    labels_of,
    lender,
    streams,
    together,
    window_of,
)
from configs.settings import load_product, load_settings
from features.simulate import Scenario
from monitoring import watch
from monitoring.drift.reference import Reference, reference_of
from monitoring.drift.windows import Window
from monitoring.retraining import worth
from training.bundle import Bundle
from training.psi import counts, edges_of, psi

SILENT = ("nothing", "wait")
OUTCOMES = ("shift_intercept", "recalibrate", "retrain")
RIGHT = {
    "nothing": SILENT,
    "irrelevant drift": SILENT,
    "seasonal swing": SILENT,
    "population shift": SILENT,
    "label delay": SILENT,
    "label poisoning 1%": (*SILENT, "fix_data"),
    "label poisoning 10%": (*SILENT, "fix_data"),
    "dead feed": ("fix_data",),
    "unit error x100": ("fix_data",),
    "new segment": OUTCOMES,
    "concept change": OUTCOMES,
}
SOUND = [name for name, right in RIGHT.items() if "nothing" in right]  # where an alarm is false


class Watched:
    """One stream as the verdicts see it, month by month."""

    def __init__(self, lent: Lender, bundle: Bundle, reference: Reference, stream: Stream, seed: int) -> None:
        self.lent, self.bundle, self.reference, self.stream, self.seed = lent, bundle, reference, stream, seed
        self.books: dict[int, Book] = {}
        self.windows: dict[int, Window] = {}

    def window(self, month: int) -> Window:
        """The decisions of a month."""
        if month not in self.windows:
            self.books[month] = self.stream.book(month)
            self.windows[month] = window_of(self.lent, self.bundle, self.books[month])
        return self.windows[month]

    def ours(self, month: int) -> str:
        """The remedy that the monitor names at the end of a month."""
        past = {made: self.window(made) for made in range(MADE, month + 1)}
        window = self._recent(month)
        share = self.lent.settings.monitoring.vintage_coverage
        labels = labels_of(self.stream, {made: self.books[made] for made in past}, month, self.seed, share)
        found = watch.examine(
            window,
            together(list(past.values())),
            self.reference,
            self.bundle,
            labels if len(labels) else None,
            self.lent.settings,
            lambda _: None,
            None,
            self.lent.product,
        )
        return found.verdict.remedy

    def _recent(self, month: int) -> Window:
        """The month's decisions, and those before while they are too few for a verdict, as a round takes them."""
        least, taken = self.lent.settings.monitoring.minimum_rows, [self.window(month)]
        for earlier in range(month - 1, MADE - 1, -1):
            if sum(map(len, taken)) >= least:
                break
            taken.append(self.window(earlier))
        return together(taken)

    def any_psi(self, month: int) -> str:
        """PSI > 0.1 on any column, whatever the sample."""
        now, then = self.window(month).values, self.reference.values
        edges = [edges_of(column, 10) for column in then.T]
        found = [psi(counts(now[:, k], edge), counts(then[:, k], edge)) for k, edge in enumerate(edges)]
        return "drift" if max(found) > 0.1 else "nothing"

    def evidently(self, month: int) -> str:
        """Evidently's default verdict."""
        told = evidently_says(self.window(month), self.reference.values, self.bundle.program.names)
        return "drift" if told else "nothing"

    def lost(self, month: int) -> float:
        """What the month's decisions earned less than those by true PDs at equal exposure, in currency."""
        self.window(month)
        book, money, product = self.books[month], self.lent.settings.worth, self.lent.product
        places = [self.lent.program.names.index(name) for name in self.bundle.program.names]
        pds = self.bundle.default_probability(book.values[:, places])
        clean = np.nan_to_num(book.reads, nan=float(np.nanmedian(self.lent.book(FAULT - 1).reads)))
        sides = []
        for one, reads in ((pds, book.reads), (book.true_pd, clean)):
            made = worth.decided(product, one, reads, money)
            good, bad = (worth.profit(product, made, np.full(len(one), told), money) for told in (0, 1))
            sides.append((float(((1 - book.true_pd) * good + book.true_pd * bad).sum()), float(made.limit.sum())))
        (mine, exposure), (best, of_best) = sides
        return (best * exposure / max(of_best, 1.0) - mine) / 12


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


def one(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every stream of one seed: what each verdict said in each month, and the money lost in each."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        tuned = {"training": {"trials": 1, "max_rounds": 200, "folds": 2, "threads": 1, "minimum_defaults": 15}}
        settings, product = load_settings(home, tuned), load_product("consumer_platform", home)
        scenario = Scenario(arguments.customers, 80_000 + arguments.one, months=MONTHS)
        lent = lender(settings, product, scenario)
        bundle = bundle_of(lent, home)
        reference = reference_of(bundle, settings.monitoring)
        found, base, before = {}, {}, {}
        for stream in streams(lent, scenario, arguments.one):
            watched = Watched(lent, bundle, reference, stream, arguments.one)
            verdicts = {"ours": watched.ours, "psi": watched.any_psi, "evidently": watched.evidently}
            said = {name: _said(verdict, name, arguments, before, stream.name) for name, verdict in verdicts.items()}
            if stream.name == "nothing":
                base = {month: watched.lost(month) for month in range(FAULT, MONTHS)}
                before = {
                    name: {month: verdict for month, verdict in told.items() if month < FAULT}
                    for name, told in said.items()
                }
            lost = {} if stream.name in SOUND else {month: watched.lost(month) - base[month] for month in base}
            found[stream.name] = {"said": said, "lost": {month: round(value, 1) for month, value in lost.items()}}
        return found


def _said(
    verdict: Callable[[int], str], name: str, arguments: argparse.Namespace, before: dict[str, Any], stream: str
) -> dict[int, str]:
    """By month; a stream with a fault is followed up to its first right verdict."""
    step = arguments.evidently if name == "evidently" else 1
    if not step:
        return {}
    said = dict(before.get(name, {}))
    right = RIGHT[stream] if name == "ours" else ("drift",)
    for month in range(FAULT if before else MADE, MONTHS):
        if (month - FAULT) % step:
            continue
        said[month] = verdict(month)
        if stream not in SOUND and month >= FAULT and said[month] in right:
            break
    return said


def table(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By stream and verdict over seeds."""
    rows = []
    for stream, right in RIGHT.items():
        for name in ("ours", "evidently", "psi"):
            seeds = [run[stream] for run in found if run[stream]["said"][name]]
            if seeds:
                rows.append({"stream": stream, "verdict": name, **_row(stream, name, right, seeds)})
    return rows


def _row(stream: str, name: str, right: tuple[str, ...], seeds: list[dict[str, Any]]) -> dict[str, Any]:
    said = [{int(month): told for month, told in seed["said"][name].items()} for seed in seeds]
    after = [told for one in said for month, told in one.items() if month >= FAULT]
    if stream in SOUND:
        alarms = [told not in SILENT for told in after]
        a_year = 12 * float(np.mean(alarms))
        quiet = [all(told in right for month, told in one.items() if month >= FAULT) for one in said]
        return {"right": float(np.mean(quiet)), "false_a_year": a_year, "told": dict(Counter(after))}
    wanted = right if name == "ours" else ("drift",)
    hits = [next((month for month in sorted(one) if month >= FAULT and one[month] in wanted), None) for one in said]
    # A look in the month of the fault that says so is a delay of 0.
    delays = [hit - FAULT for hit in hits if hit is not None]
    lost = [
        sum(value for month, value in seed["lost"].items() if int(month) <= (MONTHS if hit is None else hit))
        for seed, hit in zip(seeds, hits, strict=True)
    ]
    wrong = [told for told in after if told not in SILENT and told not in wanted]
    return {
        "right": len(delays) / len(hits),
        "delay": float(np.median(delays)) if delays else None,
        "lost": round(float(np.mean(lost))),
        "wrong_alarms": len(wrong),
        "told": dict(Counter(after)),
    }


def main() -> None:
    """Plant, judge, print after each seed, and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_seeds(parser, 8, 0)
    parser.add_argument("--customers", type=int, default=6000)
    parser.add_argument("--evidently", type=int, default=6, help="months between its verdicts; 0: leave it out")
    arguments = parser.parse_args()
    if arguments.one is not None:
        print(json.dumps(one(arguments)))
        return
    name = arguments.into or "faults"
    found: list[dict[str, Any]] = []
    for found in runs("benchmarks.faults", name, arguments):
        if found:
            print(f"{len(found)} seeds", *map(json.dumps, table(found)), sep="\n", flush=True)
    asked = {key: getattr(arguments, key) for key in ("customers", "evidently")}
    keep(name, {"arguments": asked, "table": table(found), "runs": found})


if __name__ == "__main__":
    main()
