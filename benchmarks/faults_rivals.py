"""What others say of a month of decisions: Evidently's default, PSI > 0.1 on any column, NannyML in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from monitoring.drift.windows import Window
from training.psi import counts, edges_of, psi

_WORKER = Path(__file__).with_name("faults_nannyml.py")


def any_psi_says(window: Window, then: np.ndarray) -> bool:
    """PSI > 0.1 on any column, whatever the sample."""
    edges = [edges_of(column, 10) for column in then.T]
    found = [psi(counts(window.values[:, k], edge), counts(then[:, k], edge)) for k, edge in enumerate(edges)]
    return max(found) > 0.1


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


class NannyML:
    """faults_nannyml.py under the interpreter of NannyML's environment, told one reference. `cpu`: its seconds."""

    def __init__(self, python: str, folder: Path, reference: pd.DataFrame, names: tuple[str, ...], rows: int) -> None:
        environment = {**os.environ, "NML_DISABLE_USAGE_LOGGING": "1", "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        self.asked = folder / "nannyml.npz"
        self.process = subprocess.Popen(
            [python, "-P", str(_WORKER)],  # without -P our http.py beside it would be taken for Python's
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.cpu = 0.0
        # Within a date the order is of customers and parts; a chunk is to be like a month, so it is drawn.
        drawn = reference.sample(frac=1, random_state=0).sort_values("_as_of", kind="stable")
        np.savez(
            self.asked,
            names=np.array(names),
            values=drawn[list(names)].to_numpy(),
            default_probability=drawn["_default_probability"].to_numpy(),
            defaulted=drawn["_defaulted"].to_numpy(),
        )
        self._ask({"reference": str(self.asked), "rows": rows})

    def says(self, window: Window, known: list[tuple[int, np.ndarray, np.ndarray]]) -> dict[str, Any]:
        """Its alerts on a month; `known` are (vintage, PDs, outcomes or NaN) of months about which outcomes came."""
        parts = known or [(0, np.empty(0), np.empty(0))]
        np.savez(
            self.asked,
            values=window.values,
            default_probability=window.default_probability,
            known_vintage=np.concatenate([np.full(len(pds), made) for made, pds, _ in parts]),
            known_default_probability=np.concatenate([pds for _, pds, _ in parts]),
            known_defaulted=np.concatenate([bad for _, _, bad in parts]),
        )
        return self._ask({"window": str(self.asked)})

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"NannyML's process ended with {self.process.wait()}; what it said stands above")
        told = json.loads(line)
        self.cpu += told.pop("cpu")
        return told

    def close(self) -> None:
        """End the process."""
        self.process.communicate()
