"""NannyML's default verdicts on a stream of months. Runs in an environment of NannyML's own: it pins other versions.

`python -P benchmarks/faults_nannyml.py` reads one JSON object a line from standard input and answers each with one.
First `{"reference": FILE, "rows": N}`: an .npz with `names`, `values` (rows, columns), `default_probability` and
`defaulted`, oldest rows first; it is cut into chunks of about as many rows as a month will have. Then, for each month,
`{"window": FILE}`: an .npz with `values` and `default_probability` of the month's decisions, which are one chunk, and
of the older months whose outcomes have changed since the last look `known_vintage`, `known_default_probability` and
`known_defaulted` (NaN: not known yet), each month a chunk. What counts as an alert is NannyML's default, untouched:

- `estimated`: CBPE's ROC AUC of the month outside the mean of the reference's chunks +- 3 standard deviations;
- `realised`: the ROC AUC of a month whose outcomes came, by PerformanceCalculator, outside the same kind of band;
- `columns`: those whose Jensen-Shannon distance from the reference exceeds 0.1 (UnivariateDriftCalculator), and those
  of which the month has no value where the reference has some: somebody would see that they are gone.

`cpu` is what the answer cost, in seconds of the processor. Whoever starts it sets NML_DISABLE_USAGE_LOGGING: nothing is
sent anywhere.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from typing import Any

import nannyml as nml
import numpy as np
import pandas as pd
from nannyml.chunk import Chunk, Chunker

PD, BAD = "default_probability", "defaulted"


class Months(Chunker):  # type: ignore[misc]  # of an environment of its own
    """The reference in chunks of about `rows`; fewer than two of them are one month, and one chunk."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows

    def _split(self, data: pd.DataFrame) -> list[Chunk]:
        parts = np.array_split(np.arange(len(data)), max(1, len(data) // self.rows))
        return [Chunk(key=str(place), data=data.iloc[rows]) for place, rows in enumerate(parts)]


class Judge:
    """NannyML's calculators, fitted to a reference."""

    def __init__(self, asked: dict[str, Any]) -> None:
        with np.load(asked["reference"]) as held:
            self.names = held["names"].tolist()
            reference = pd.DataFrame(held["values"], columns=self.names)
            outcomes = reference.assign(**{PD: held[PD], BAD: held[BAD]})
        common = {"y_pred_proba": PD, "y_true": BAD, "problem_type": "classification_binary", "metrics": "roc_auc"}
        months = Months(asked["rows"])
        self.estimator = nml.CBPE(**common, chunker=months).fit(outcomes[[PD, BAD]])
        self.calculator = nml.PerformanceCalculator(**common, chunker=months).fit(outcomes[[PD, BAD]])
        self.present = [name for name in self.names if reference[name].notna().any()]
        self.drift = nml.UnivariateDriftCalculator(self.present, chunker=months).fit(reference[self.present])

    def says(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The alerts of a month."""
        with np.load(asked["window"]) as held:
            month = pd.DataFrame(held["values"], columns=self.names).assign(**{PD: held[PD]})
            known = pd.DataFrame({name: held[f"known_{name}"] for name in ("vintage", PD, BAD)})
        came = [vintage for _, vintage in known.groupby("vintage") if vintage[BAD].nunique() == 2]
        return {
            "estimated": _alert(self.estimator.estimate(month[[PD]])),
            "realised": any(_alert(self.calculator.calculate(one[[PD, BAD]].reset_index(drop=True))) for one in came),
            "columns": self._drifted(month),
        }

    def _drifted(self, month: pd.DataFrame) -> list[str]:
        gone = [name for name in self.present if month[name].isna().all()]
        filled = month[self.present].fillna({name: 0.0 for name in gone})  # it cannot take a column of nothing
        found = self.drift.calculate(filled).filter(period="analysis").to_df()
        alerts = found.xs("alert", axis=1, level=-1).any(axis=0)
        return sorted({*gone, *(name for name, *_ in alerts.index[alerts])})


def _alert(result: Any) -> bool:
    return bool(result.filter(period="analysis").to_df()[("roc_auc", "alert")].any())


def main() -> None:
    """Answer until the input ends."""
    if "NML_DISABLE_USAGE_LOGGING" not in os.environ:
        raise SystemExit("set NML_DISABLE_USAGE_LOGGING=1: NannyML would send how it is used")
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no answer
    judge: Judge | None = None
    for line in sys.stdin:
        before, asked = time.process_time(), json.loads(line)
        if judge is None:
            judge, told = Judge(asked), {}
        else:
            told = judge.says(asked)
        print(json.dumps({**told, "cpu": time.process_time() - before}), file=answers, flush=True)


if __name__ == "__main__":
    main()
