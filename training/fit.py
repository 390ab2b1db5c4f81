"""LightGBM as this house uses it: deterministic, monotone, numpy in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import lightgbm as lgb
import numpy as np

from features.declaration import Feature


def fixed_parameters(features: Sequence[Feature], seed: int, threads: int) -> dict[str, Any]:
    """What is not tuned. `threads` 0 takes all cores; the model text does not depend on it."""
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "verbosity": -1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "num_threads": threads or os.cpu_count() or 1,
        "feature_pre_filter": False,
        "bagging_freq": 1,
        "monotone_constraints": [item.direction for item in features],
        # "basic" is the only method without open reports of violated constraints (LightGBM #5358, #6155).
        "monotone_constraints_method": "basic",
    }


def to_lightgbm(
    matrix: np.ndarray,
    defaulted: np.ndarray,
    features: Sequence[Feature],
    reference: lgb.Dataset | None = None,
) -> lgb.Dataset:
    """A LightGBM dataset with names and categories; with `reference`, binned like it."""
    return lgb.Dataset(
        matrix,
        defaulted,
        feature_name=[item.name for item in features],
        categorical_feature=[place for place, item in enumerate(features) if item.categories],
        reference=reference,
        params={"feature_pre_filter": False, "verbosity": -1},
        free_raw_data=False,
    )


def fit(
    matrix: np.ndarray,
    defaulted: np.ndarray,
    features: Sequence[Feature],
    params: Mapping[str, Any],
    rounds: int,
    seed: int,
    threads: int,
) -> lgb.Booster:
    """`rounds` trees on all rows given; same input, same model text."""
    everything = {**fixed_parameters(features, seed, threads), **params}
    booster = lgb.train(everything, to_lightgbm(matrix, defaulted, features), num_boost_round=rounds)
    # The text lists the parameters too, and the threads of this machine are no part of the model. (To reset the
    # parameter of a finished booster ends the process.)
    used = f"[num_threads: {everything['num_threads']}]"
    return lgb.Booster(model_str=booster.model_to_string().replace(used, "[num_threads: 0]"))


def raw_score(booster: lgb.Booster, matrix: np.ndarray, threads: int = 0) -> np.ndarray:
    """The sum of the leaves, (rows,): the same bits for one row and for many, with one thread and with all (0)."""
    return np.asarray(booster.predict(matrix, raw_score=True, num_threads=threads))
