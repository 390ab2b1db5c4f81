"""The whole story of a model in one function: from checked tables to a registered challenger."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from configs.settings import Product, Settings, Training
from features import matrix
from features.contracts import Columns, iso
from training import bundle as bundles
from training import dataset, examine, fit, gate, report, tune
from training.bundle import Bundle
from training.calibrate import Calibration, platt
from training.dataset import Dataset, Split
from training.record import describe_run
from training.scaling import Scale, make_scale
from training.tune import Tuned
from training.validate import Interval, Validation, auc_difference, validate

log = logging.getLogger("creditloop.training")
_REFERENCE_ROWS = 20_000
_GOLDEN_ROWS = 64


@dataclass(frozen=True, slots=True)
class Model:
    """A tuned, fitted and calibrated model that is not yet a version."""

    booster: lgb.Booster
    calibration: Calibration
    tuned: Tuned

    def default_probability(self, values: np.ndarray) -> np.ndarray:
        """PD, (rows,)."""
        return self.calibration.default_probability(fit.raw_score(self.booster, values))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training gives back: the challenger, its numbers, the gate's answer, where to look."""

    bundle: Bundle
    validation: Validation
    verdict: gate.Verdict
    against_champion: Interval | None
    run_id: str
    page: Path


def train(
    product: Product,
    tables: Mapping[str, Columns],
    settings: Settings,
    now: int,
    champion: Bundle | None,
    progress: tune.Progress,
    stage: Callable[[str], None],
) -> Outcome:
    """Train a challenger on what had matured by `now` and let the gate judge it against the champion.

    `stage` is told what happens next, `progress` each trial. Raises DataError where the data cannot train a model.
    """
    from training import registry  # MLflow takes seconds to import: only who registers pays

    stage("build features and labels")
    data = dataset.assemble(product, tables, now)
    split = dataset.split(data, settings.training)
    data_digest = dataset.digest(tables)
    stage(f"tune on {len(split.train):,} rows, {len(data.program.features)} features")
    model = make(split, settings.training, settings.stores.studies, study_name(split, settings.training), progress)
    stage(f"validate on {len(split.test):,} rows")
    scale = make_scale(product.scaling, product.grades)
    default_probability = model.default_probability(split.test.matrix)
    test = validate(default_probability, split.test.defaulted, scale)
    of_champion = champion_default_probability(champion, split.test, tables)
    difference = against(of_champion, split.test, default_probability)
    training_auc = _auc(model, split.train)
    verdict = gate.judge(test, training_auc, difference, settings.gate)
    facts = examine.gather(
        split.train,
        split.calibrate,
        split.test,
        model.default_probability,
        _gains(model.booster),
        scale,
        product,
        training_auc,
        settings.validation,
    )
    rows = examine.predictions(split.test, default_probability, of_champion, facts.top_features)
    reference = _reference(split, model)
    features = split.train.program.features
    moved = examine.moves(reference, features, facts, model.default_probability, scale, settings.validation)
    validation = examine.examine(rows, facts, moved, scale, settings.validation)
    summary = _summary(split, model, verdict, difference, describe_run(product, settings, data_digest, iso(now)))
    stage("write the bundle, log to MLflow")
    parts = _parts(product, split, model, scale, reference, rows, validation, summary)
    folder = bundles.write(parts, settings.home / "bundles" / product.name, iso(now))
    made = bundles.load(folder)
    plots = report.figures(
        default_probability,
        split.test.defaulted,
        validation,
        _gains(model.booster),
        [trial["log_loss"] for trial in model.tuned.trials],
    )
    page = report.render(made.version, validation, verdict.to_json(), _told(summary), plots)
    page_path = settings.home / "reports" / product.name / f"{made.version}.html"
    page_path.parent.mkdir(parents=True, exist_ok=True)
    page_path.write_text(page, encoding="utf-8")
    run_id = registry.register(
        made,
        registry.Run(_params(summary), _metrics(test), model.tuned.trials, plots, page, verdict.to_json()),
        settings,
    )
    return Outcome(made, test, verdict, difference, run_id, page_path)


def make(split: Split, settings: Training, storage: str, name: str, progress: tune.Progress) -> Model:
    """Tune and fit on the training rows, calibrate on rows neither of them saw."""
    tuned = tune.search(split.train, settings, storage, name, progress)
    booster = fit.fit(
        split.train.matrix,
        split.train.defaulted,
        split.train.program.features,
        tuned.params,
        tuned.rounds,
        settings.seed,
        settings.threads,
    )
    raw_score = fit.raw_score(booster, split.calibrate.matrix)
    return Model(booster, platt(raw_score, split.calibrate.defaulted), tuned)


def study_name(split: Split, settings: Training) -> str:
    """A name that only the same rows, program and settings share: a rerun resumes, anything else starts afresh."""
    total = hashlib.sha256(split.train.program.digest.encode())
    total.update(json.dumps(settings.model_dump(exclude={"trials", "timeout_seconds", "threads"})).encode())
    total.update(np.ascontiguousarray(split.train.matrix).view(np.uint8).data)
    total.update(np.ascontiguousarray(split.train.defaulted).view(np.uint8).data)
    total.update("\x1f".join(map(str, split.train.customer_id)).encode())  # the folds are by customer
    return total.hexdigest()[:24]


def champion_default_probability(
    champion: Bundle | None, test: Dataset, tables: Mapping[str, Columns]
) -> np.ndarray | None:
    """The champion's PDs of the test rows, (rows,), by its own features."""
    if champion is None:
        return None
    values = matrix.build(champion.program, tables, test.customer_id, test.as_of)
    return champion.default_probability(values, threads=0)


def against(of_champion: np.ndarray | None, test: Dataset, default_probability: np.ndarray) -> Interval | None:
    """AUC of the challenger's PDs minus the champion's on the same rows."""
    if of_champion is None:
        return None
    return auc_difference(default_probability, of_champion, test.defaulted.astype(bool))


def _auc(model: Model, data: Dataset) -> float:
    return float(roc_auc_score(data.defaulted, model.default_probability(data.matrix)))


def _gains(booster: lgb.Booster) -> dict[str, float]:
    gains = booster.feature_importance("gain")
    return dict(zip(booster.feature_name(), gains / max(gains.sum(), 1e-300), strict=True))


def _summary(
    split: Split, model: Model, verdict: gate.Verdict, difference: Interval | None, run: Mapping[str, Any]
) -> dict[str, Any]:
    parts = {"train": split.train, "calibrate": split.calibrate, "test": split.test}
    return {
        "run": dict(run),
        "split": "out of time and by customer" if split.by_time else "by customer",
        "parts": {
            name: {
                "rows": len(part),
                "defaults": int(part.defaulted.sum()),
                "customers": len(np.unique(part.customer_id)),
                "from": iso(part.as_of.min()),
                "to": iso(part.as_of.max()),
            }
            for name, part in parts.items()
        },
        "immature_outcomes": split.train.immature,
        "params": model.tuned.params,
        "rounds": model.tuned.rounds,
        "folds_log_loss": model.tuned.log_loss,
        "trials": len(model.tuned.trials),
        "gate": verdict.to_json(),
        "auc_against_champion": asdict(difference) if difference else None,
    }


def _parts(
    product: Product,
    split: Split,
    model: Model,
    scale: Scale,
    reference: pd.DataFrame,
    predictions: pd.DataFrame,
    validation: Mapping[str, Any],
    summary: Mapping[str, Any],
) -> bundles.Parts:
    return bundles.Parts(
        product=product.name,
        program=split.train.program,
        booster=model.booster,
        calibration=model.calibration,
        scale=scale,
        reference=reference,
        predictions=predictions,
        golden=split.test.matrix[:_GOLDEN_ROWS],
        validation=validation,
        training=summary,
    )


def _reference(split: Split, model: Model) -> pd.DataFrame:
    """Rows the fit never saw, so that their PDs are spread as those of new customers will be.

    Of many rows every n-th is taken: the first would be those that calibrated alone.
    """
    rows = len(split.calibrate) + len(split.test)
    taken = np.linspace(0, rows - 1, min(rows, _REFERENCE_ROWS)).astype(int)
    values = np.concatenate([split.calibrate.matrix, split.test.matrix])[taken]
    frame = pd.DataFrame(values, columns=list(split.train.program.names))
    judged = {
        "default_probability": model.default_probability(values),
        "defaulted": np.concatenate([split.calibrate.defaulted, split.test.defaulted])[taken],
        "as_of": np.concatenate([split.calibrate.as_of, split.test.as_of])[taken],
    }
    return frame.assign(**{f"_{name}": column for name, column in judged.items()})


def _told(summary: Mapping[str, Any]) -> dict[str, str]:
    run = summary["run"]
    parts = summary["parts"]
    return {
        "split": summary["split"],
        **{
            f"{name} rows": f"{p['rows']:,} ({p['defaults']:,} defaults), {p['from']} to {p['to']}"
            for name, p in parts.items()
        },
        "outcomes not matured": f"{summary['immature_outcomes']:,}",
        "trees": str(summary["rounds"]),
        "parameters": json.dumps(summary["params"]),
        "data SHA-256": run["data_sha256"],
        "product SHA-256": run["product_sha256"],
        "git commit": f"{run['git_commit']}{'' if run['git_clean'] else ' with uncommitted changes'}",
        "libraries": json.dumps(run["libraries"]),
    }


def _params(summary: Mapping[str, Any]) -> dict[str, Any]:
    run = summary["run"]
    facts = {key: run[key] for key in ("now", "data_sha256", "product_sha256", "lock_sha256", "git_commit")}
    rows = {f"{name}_rows": part["rows"] for name, part in summary["parts"].items()}
    return {**summary["params"], "rounds": summary["rounds"], "split": summary["split"], **rows, **facts}


def _metrics(test: Validation) -> dict[str, float]:
    return {
        "auc": test.auc.value,
        "auc_low": test.auc.low,
        "auc_high": test.auc.high,
        "gini": test.gini,
        "ks": test.ks,
        "log_loss": test.log_loss,
        "brier": test.brier,
        "calibration_slope": test.calibration_slope.value,
        "observed_to_expected": test.observed_to_expected.value,
    }
