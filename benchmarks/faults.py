"""Planted faults over many seeds: how soon does each verdict say what happened, how often is it wrong, what is lost?

For each seed a model is made and watched for two years, month by month; after half a year a fault begins (streams.py).
The verdicts are on the same rows: ours; Evidently's default (drift, if more than half of the columns drifted); PSI
above 0.1 on any column; and with --nannyml two defaults of NannyML: an alert on the ROC AUC, estimated (CBPE) or
realised, and an alert on any column (faults_nannyml.py). Ours and NannyML also see the outcomes that are known by then;
the others have no place for them. Evidently is asked every so many months: it takes most of the time.

An alarm is a verdict that calls for somebody (not `nothing`, not `wait`). Delay: months from the fault to the first
right alarm. Money: what the decisions of these months earned less than decisions by true PDs at equal exposure, beyond
what they would have lost without the fault. The economy of the simulation turns in every stream, so an alarm that calls
for a new level where nothing was planted may be true: of the false alarms, all counted in `false_a_year`,
`level_true_a_year` are those at which the true PDs of the decisions with known outcomes lay beyond what the settings
allow. Each seed runs in a process of its own and is kept at once, with the seconds of the processor of each verdict.
Run: python -m benchmarks.faults [--seeds 8] [--first 0] [--jobs 1] [--customers 6000] [--evidently 6]
     [--nannyml PYTHON], the interpreter of an environment made by
     python3.11 -m venv FOLDER && FOLDER/bin/pip install nannyml statsmodels
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.faults_rivals import NannyML
from benchmarks.faults_table import RIGHT, SOUND, table
from benchmarks.faults_watched import Watched
from benchmarks.resumed import add_seeds, runs
from benchmarks.streams import FAULT, MADE, MONTHS, bundle_of, lender, streams
from configs.settings import load_product, load_settings
from features.simulate import Scenario
from monitoring.drift.reference import reference_of


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
        rows = int(lent.book(MADE).turn.sum())
        names = bundle.program.names
        nannyml = NannyML(arguments.nannyml, home, bundle.reference(), names, rows) if arguments.nannyml else None
        cost = Cost(nannyml)
        found: dict[str, Any] = {}
        base: dict[int, float] = {}
        before: dict[str, dict[int, str]] = {}
        for stream in streams(lent, scenario, arguments.one):
            watched = Watched(lent, bundle, reference, stream, arguments.one, nannyml)
            said = {
                name: _said(cost.of(name, verdict), name, step, watched, before.get(name, {}))
                for name, (step, verdict) in watched.verdicts(arguments.evidently).items()
            }
            if stream.name == "nothing":
                base = {month: watched.lost(month) for month in range(FAULT, MONTHS)}
                before = {
                    name: {month: verdict for month, verdict in told.items() if month < FAULT}
                    for name, told in said.items()
                }
            lost = {} if stream.name in SOUND else {month: watched.lost(month) - base[month] for month in base}
            found[stream.name] = {
                "said": said,
                "lost": {month: round(value, 1) for month, value in lost.items()},
                "level_off": [month for month in base if watched.level_off(month)],
            }
        if nannyml is not None:
            nannyml.close()
        return {**found, "cpu": cost.told()}


class Cost:
    """Seconds of the processor by verdict: of this process, and of NannyML's."""

    def __init__(self, nannyml: NannyML | None) -> None:
        self.nannyml = nannyml
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.looks: Counter[str] = Counter()

    def _now(self) -> float:
        return time.process_time() + (0.0 if self.nannyml is None else self.nannyml.cpu)

    def of(self, name: str, verdict: Callable[[int], str]) -> Callable[[int], str]:
        """The verdict, its cost counted under `name`."""

        def counted(month: int) -> str:
            before = self._now()
            said = verdict(month)
            self.seconds[name] += self._now() - before
            self.looks[name] += 1
            return said

        return counted

    def told(self) -> dict[str, Any]:
        """By verdict the seconds and looks; `all`: the whole seed."""
        each = {name: {"seconds": round(self.seconds[name], 2), "looks": self.looks[name]} for name in self.looks}
        return {**each, "all": {"seconds": round(self._now(), 1), "looks": sum(self.looks.values())}}


def _said(
    verdict: Callable[[int], str], name: str, step: int, watched: Watched, before: dict[int, str]
) -> dict[int, str]:
    """By month; a stream with a fault is followed up to its first right verdict."""
    said, stream = dict(before), watched.stream.name
    right = RIGHT[stream] if name == "ours" else ("drift",)
    for month in range(FAULT if before else MADE, MONTHS):
        if (month - FAULT) % step:
            continue
        watched.window(month)  # what all verdicts need is no one's cost
        said[month] = verdict(month)
        if stream not in SOUND and month >= FAULT and said[month] in right:
            break
    return said


def main() -> None:
    """Plant, judge, print after each seed, and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_seeds(parser, 8, 0)
    parser.add_argument("--customers", type=int, default=6000)
    parser.add_argument("--evidently", type=int, default=6, help="months between its verdicts; 0: leave it out")
    parser.add_argument("--nannyml", default="", metavar="PYTHON", help="of NannyML's environment; without: left out")
    arguments = parser.parse_args()
    if arguments.one is not None:
        print(json.dumps(one(arguments)))
        return
    for found in runs("benchmarks.faults", arguments.into or "faults", arguments, table):
        if found:
            print(f"{len(found)} seeds", *map(json.dumps, table(found)), sep="\n", flush=True)


if __name__ == "__main__":
    main()
