"""The one place that knows MLflow: a run with its record, the model registered, the alias `challenger` set."""

from __future__ import annotations

import os

# Before the import: the library reads them once. Nothing we start sends usage data.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import logging
import time
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mlflow.entities import Metric, Param
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from configs.errors import ConfigError
from configs.lock import making
from configs.settings import Settings
from training.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Run:
    """What a training run leaves in MLflow besides the bundle."""

    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    trials: tuple[Mapping[str, Any], ...]
    figures: Mapping[str, Figure]
    page: str
    gate: Mapping[str, Any]


def _at(tracking: str) -> None:
    """Turn to a store; a SQLite file is made where there is none, whole or not at all.

    MLflow makes it by some fifty migrations, each on its own: what a kill leaves of them no later run opens.
    """
    _quiet()
    with making(tracking) as path:
        if path is not None and not path.exists():
            for left in path.parent.glob(f".{path.name}.half*"):
                left.unlink()
            half = path.with_name(f".{path.name}.half-{uuid.uuid4().hex}")  # MLflow remembers each it has opened
            MlflowClient(tracking_uri=f"sqlite:///{half}").search_experiments(max_results=1)
            half.replace(path)
    mlflow.set_tracking_uri(tracking)


def require_client(artifacts: str) -> None:
    """Raises ConfigError where artefacts lie in an S3 store and MLflow's client of it is not installed."""
    if artifacts.startswith("s3://") and find_spec("boto3") is None:
        raise ConfigError("stores.artifacts: s3:// needs boto3, which is not installed: pip install 'creditloop[s3]'")


def register(bundle: Bundle, run: Run, settings: Settings) -> str:
    """Log `run` and register the bundle's Booster as a version of the product; returns the run's id.

    The Booster goes in its native text form: nothing pickled is written. MLflow mirrors what the bundle says;
    serving never asks it.
    """
    _at(settings.stores.tracking)
    experiment = _experiment(bundle.product, settings.stores.artifacts)
    with mlflow.start_run(experiment_id=experiment, run_name=bundle.version) as active:
        mlflow.log_params({key: str(value)[:500] for key, value in run.params.items()})
        mlflow.log_metrics({key: value for key, value in run.metrics.items() if np.isfinite(value)})
        _log_trials(run.trials, experiment, str(active.info.run_id))
        mlflow.log_table(pd.DataFrame(list(run.trials)).astype(object), "trials.json")
        for name, figure in run.figures.items():
            mlflow.log_figure(figure, f"plots/{name}.png")
        mlflow.log_text(run.page, "validation.html")
        mlflow.log_dict(dict(run.gate), "gate.json")
        mlflow.log_artifacts(str(bundle.folder), "bundle")
        mlflow.set_tags({"product": bundle.product, "bundle": bundle.version, "gate_passed": run.gate["passed"]})
        run_id = str(active.info.run_id)
        _register_version(bundle, _log_model(bundle), run_id)
        return run_id


def _quiet() -> None:
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _experiment(product: str, artifacts: str) -> str:
    """The id of the product's experiment, made with its artefacts below `artifacts`; "": where the server puts them."""
    found = mlflow.get_experiment_by_name(product)
    if found:
        return str(found.experiment_id)
    place = artifacts if "://" in artifacts or not artifacts else Path(artifacts).as_uri()
    return mlflow.create_experiment(product, artifact_location=f"{place}/{product}" if place else None)


def _log_trials(trials: tuple[Mapping[str, Any], ...], experiment: str, parent: str) -> None:
    """A child run for each trial, and their log-losses as a curve of the parent: in batches, for each call costs.

    MLflow knows no state `pruned`: such a run ends as killed, with the state as a tag. A trial whose process died, or
    that failed, ends as failed.
    """
    client = MlflowClient()
    moment = int(time.time() * 1000)
    curve = [
        Metric("trial_log_loss", trial["log_loss"], moment, trial["number"])
        for trial in trials
        if trial["log_loss"] is not None
    ]
    client.log_batch(parent, metrics=curve)
    for trial in trials:
        number, state = trial["number"], trial["state"]
        tags = {MLFLOW_PARENT_RUN_ID: parent, "trial": str(number), "state": state}
        child = client.create_run(experiment, moment + number, tags, f"trial {number}").info.run_id
        told = {key: value for key, value in trial.items() if key not in ("number", "state") and value is not None}
        measured = [Metric(key, told.pop(key), moment, 0) for key in _MEASURED if key in told]
        client.log_batch(child, metrics=measured, params=[Param(key, str(value)) for key, value in told.items()])
        client.set_terminated(child, _ENDED.get(state, "FAILED"))


_MEASURED = ("log_loss", "spread", "rounds")
_ENDED = {"complete": "FINISHED", "pruned": "KILLED"}


def _log_model(bundle: Bundle) -> str:
    example = pd.DataFrame(bundle.reference()[list(bundle.program.names)].head(5), dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's hints on type inference are not for our users
        logged = mlflow.lightgbm.log_model(
            bundle.booster,
            name="model",
            signature=infer_signature(example, bundle.default_probability(example.to_numpy())),
            pip_requirements=[f"lightgbm=={version('lightgbm')}"],  # else MLflow starts a process to find out
        )
    return str(logged.model_uri)


def _register_version(bundle: Bundle, model_uri: str, run_id: str) -> None:
    client = MlflowClient()
    if not client.search_registered_models(f"name = '{bundle.product}'"):
        client.create_registered_model(bundle.product)
    made = client.create_model_version(bundle.product, model_uri, run_id, tags={"bundle": bundle.version})
    client.set_registered_model_alias(bundle.product, "challenger", made.version)


def mirror_champion(product: str, version: str, tracking: str) -> bool:
    """Set the alias `champion` to the bundle `version`; False where MLflow does not know it. The ledger decides."""
    _at(tracking)
    client = MlflowClient()
    for found in client.search_model_versions(f"name = '{product}'"):
        if found.tags.get("bundle") == version:
            client.set_registered_model_alias(product, "champion", found.version)
            return True
    return False
