"""UCI credit cards: our model, honestly nested, beside LightGBM defaults on the raw columns, on the same folds.

Outer folds judge; inside each, the outer training rows tune, calibrate out of fold, and fit. No judged row
is seen by tuner, fit or calibration. Run: python -m benchmarks.taiwan --data FOLDER [--trials 30]
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from tqdm import tqdm

from benchmarks.common import begun, keep
from configs.settings import load_product, load_settings
from features import uci_default
from features.contracts import to_day
from features.load import load
from features.sources import open_source
from training import dataset
from training.dataset import Dataset, Split
from training.model import make
from training.scaling import make_scale
from training.validate import auc_difference, validate

FOLD_SEED = 7


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        settings = load_settings(Path(home), {"training": {"trials": arguments.trials}})
        run = begun(dt.datetime.now(dt.UTC), (settings.training.seed, FOLD_SEED), "95 % intervals (DeLong)")
        product = load_product("uci_default", Path(home))
        tables = load(open_source([str(arguments.data)], product.reader), product).tables
        data = dataset.assemble(product, tables, to_day(dt.date(2006, 1, 1)))
        raw = raw_columns(arguments.data, data)
        ours, theirs = np.zeros(len(data)), np.zeros(len(data))
        folds = StratifiedKFold(5, shuffle=True, random_state=FOLD_SEED).split(raw, data.defaulted)
        started = time.monotonic()
        for number, (learn, judge) in enumerate(tqdm(list(folds), desc="outer folds")):
            split = Split(data.take(learn), data.take(judge), by_time=False)
            storage = settings.stores.studies.replace("optuna", f"optuna-{number}")
            model = make(split, settings.training, storage, "study", lambda *_: None)
            ours[judge] = model.default_probability(split.test.matrix)
            default = lgb.LGBMClassifier(verbosity=-1).fit(raw[learn], data.defaulted[learn])
            theirs[judge] = np.asarray(default.booster_.predict(raw[judge]))
        values = report(data, ours, theirs, make_scale(product.scaling, product.grades))
        kept = {"trials": arguments.trials, "seconds": time.monotonic() - started}
        print(keep("taiwan", values | kept, run))


def raw_columns(folder: Path, data: Dataset) -> np.ndarray:
    """The 23 published columns as they are, in the order of `data`."""
    raw = uci_default.read_published(folder).set_index("ID").iloc[:, :-1]
    return raw.loc[data.customer_id.astype(int)].to_numpy(float)


def report(data: Dataset, ours: np.ndarray, theirs: np.ndarray, scale: Any) -> dict[str, Any]:
    """Print the table; the numbers."""
    bad = data.defaulted.astype(bool)
    rows = {}
    for name, predicted in (("creditloop", ours), ("LightGBM defaults, raw columns", theirs)):
        numbers = validate(predicted, data.defaulted, scale)
        rows[name] = {
            "auc": numbers.auc.value,
            "auc_low": numbers.auc.low,
            "auc_high": numbers.auc.high,
            "log_loss": numbers.log_loss,
            "brier": numbers.brier,
            "calibration_slope": numbers.calibration_slope.value,
            "observed_to_expected": numbers.observed_to_expected.value,
        }
        print(f"{name:<32} " + "  ".join(f"{key} {value:.4f}" for key, value in rows[name].items()))
    gained = auc_difference(ours, theirs, bad)
    print(f"AUC difference {gained.value:+.4f} ({gained.low:+.4f} to {gained.high:+.4f})")
    assert abs(roc_auc_score(bad, ours) - rows["creditloop"]["auc"]) < 1e-12
    return {
        "rows": rows,
        "difference": {"value": gained.value, "low": gained.low, "high": gained.high},
        "features": len(data.program.features),
    }


if __name__ == "__main__":
    main()
