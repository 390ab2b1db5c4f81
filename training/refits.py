"""The same model fitted again where chance decided: under another seed, or on another draw of its customers."""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm as lgb
import numpy as np

from configs.settings import Training
from features.declaration import Feature
from training import fit
from training.dataset import Dataset
from training.model import Model


def on_other_customers(train: Dataset, model: Model, settings: Training, count: int) -> list[lgb.Booster]:
    """`count` refits, each on as many customers drawn with replacement, under a seed of its own."""
    customers, customer = np.unique(train.customer_id.astype(str), return_inverse=True)
    made = []
    for seed in range(settings.seed + 1, settings.seed + 1 + count):
        drawn = np.random.default_rng(seed).integers(0, len(customers), len(customers))
        rows = np.repeat(np.arange(len(train)), np.bincount(drawn, minlength=len(customers))[customer])
        made.append(_refit(train, rows, model, settings, seed))
    return made


def under_other_seeds(train: Dataset, model: Model, settings: Training, count: int) -> list[lgb.Booster]:
    """`count` refits on the same rows: only the rows and columns that each tree draws differ."""
    seeds = range(settings.seed + 1, settings.seed + 1 + count)
    return [_refit(train, np.arange(len(train)), model, settings, seed) for seed in seeds]


def _refit(train: Dataset, rows: np.ndarray, model: Model, settings: Training, seed: int) -> lgb.Booster:
    rounds, params = model.booster.current_iteration(), dict(model.params)
    features = train.program.features
    return fit.fit(train.matrix[rows], train.defaulted[rows], features, params, rounds, seed, settings.threads)


def contributions(
    booster: lgb.Booster, rows: np.ndarray, features: Sequence[Feature], sentences: Sequence[str]
) -> np.ndarray:
    """What each sentence adds to the log-odds of default of `rows` (rows, features), (rows, sentences)."""
    by_feature = np.asarray(booster.predict(rows, pred_contrib=True))[:, :-1]
    belongs = np.array([[feature.reason == sentence for sentence in sentences] for feature in features], float)
    return by_feature @ belongs
