"""Tune, fit and calibrate: the model itself, before anything judges it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np

from configs.settings import Training
from training import fit, tune
from training.calibrate import Calibration, Chosen, choose
from training.dataset import Split
from training.folds import Folds, Rows, rounds_of_all, slowed
from training.tune import Tuned

log = logging.getLogger("creditloop.training")
_JUDGED_BY = "line log-loss at one quick rate"  # trials judged otherwise are no trials of this study
_OF_NO_TRIAL = {"trials", "timeout_seconds", "threads", "workers", "scheduler"}


@dataclass(frozen=True, slots=True)
class Model:
    """A tuned, fitted and calibrated model that is not yet a version.

    `params` are those of the fit: the tuner's, learnt more slowly.
    `out_of_fold` (rows,) are PDs of the training rows, each by trees of the same recipe that never saw its customer.
    """

    booster: lgb.Booster
    params: Mapping[str, Any]
    chosen: Chosen
    tuned: Tuned
    out_of_fold: np.ndarray

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
    """Tune on the training rows, calibrate on their scores out of fold at the best parameters, fit on all of them.

    To keep rows back for calibration would keep them from the trees: a fifth fewer defaults to learn from.
    """
    train = split.train
    tuned = tune.search(train, settings, storage, name, progress, family)
    params, rounds = slowed(tuned.params, tuned.rounds, settings)
    raw_score = Folds(Rows.of(train), settings).out_of_fold(params, rounds)
    chosen = choose(raw_score, train.defaulted, train.customer_id, settings.seed, long_run_default_rate)
    log.info("calibration %s, long-run default rate %s", chosen.calibration.kind, long_run_default_rate)
    rounds = rounds_of_all(rounds, settings, params["num_leaves"])
    features, seed, threads = train.program.features, settings.seed, settings.threads
    booster = fit.fit(train.matrix, train.defaulted, features, params, rounds, seed, threads)
    return Model(booster, params, chosen, tuned, chosen.calibration.default_probability(raw_score))


def study_name(split: Split, settings: Training) -> str:
    """A name that only the same rows, program and settings share: a rerun resumes, anything else starts afresh."""
    total = hashlib.sha256(f"{_JUDGED_BY} {split.train.program.digest}".encode())
    total.update(json.dumps(settings.model_dump(exclude=_OF_NO_TRIAL)).encode())
    total.update(np.ascontiguousarray(split.train.matrix).view(np.uint8).data)
    total.update(np.ascontiguousarray(split.train.defaulted).view(np.uint8).data)
    total.update("\x1f".join(map(str, split.train.kin())).encode())  # the folds are by customer and group
    total.update(np.ascontiguousarray(split.train.as_of).view(np.uint8).data)  # a trial answers for stability over time
    return total.hexdigest()[:24]
