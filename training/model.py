"""Tune, fit and calibrate: the model itself, before anything judges it."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from configs.settings import Training
from training import fit, tune
from training.calibrate import Calibration, Chosen, choose
from training.dataset import Split
from training.tune import Tuned

log = logging.getLogger("creditloop.training")


@dataclass(frozen=True, slots=True)
class Model:
    """A tuned, fitted and calibrated model that is not yet a version."""

    booster: lgb.Booster
    chosen: Chosen
    tuned: Tuned

    @property
    def calibration(self) -> Calibration:
        """From raw scores to PDs."""
        return self.chosen.calibration

    def default_probability(self, values: np.ndarray) -> np.ndarray:
        """PD, (rows,)."""
        return self.calibration.default_probability(fit.raw_score(self.booster, values))


def make(
    split: Split,
    settings: Training,
    storage: str,
    name: str,
    progress: tune.Progress,
    long_run_default_rate: float | None = None,
    family: str | None = None,
) -> Model:
    """Tune and fit on the training rows, calibrate on rows neither of them saw."""
    tuned = tune.search(split.train, settings, storage, name, progress, family)
    booster = fit.fit(
        split.train.matrix,
        split.train.defaulted,
        split.train.program.features,
        tuned.params,
        tuned.rounds,
        settings.seed,
        settings.threads,
    )
    held = split.calibrate
    raw_score = fit.raw_score(booster, held.matrix)
    chosen = choose(raw_score, held.defaulted, held.customer_id, settings.seed, long_run_default_rate)
    log.info("calibration %s, long-run default rate %s", chosen.calibration.kind, long_run_default_rate)
    return Model(booster, chosen, tuned)


def study_name(split: Split, settings: Training) -> str:
    """A name that only the same rows, program and settings share: a rerun resumes, anything else starts afresh."""
    total = hashlib.sha256(split.train.program.digest.encode())
    total.update(json.dumps(settings.model_dump(exclude={"trials", "timeout_seconds", "threads", "workers"})).encode())
    total.update(np.ascontiguousarray(split.train.matrix).view(np.uint8).data)
    total.update(np.ascontiguousarray(split.train.defaulted).view(np.uint8).data)
    total.update("\x1f".join(map(str, split.train.kin())).encode())  # the folds are by customer and group
    return total.hexdigest()[:24]
