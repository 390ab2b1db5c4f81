"""The same model fitted again where chance decided: under another seed, or on another draw of its customers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import lightgbm as lgb
import numpy as np

from configs.settings import Training
from features.declaration import Feature
from training import fit
from training.dataset import Dataset
from training.model import Model

One = TypeVar("One")
Made = TypeVar("Made")


def on_other_customers(train: Dataset, model: Model, settings: Training, count: int) -> list[lgb.Booster]:
    """`count` refits, each on as many customers drawn with replacement, under a seed of its own."""
    customers, customer = np.unique(train.customer_id.astype(str), return_inverse=True)

    def rows_of(seed: int) -> np.ndarray:
        drawn = np.random.default_rng(seed).integers(0, len(customers), len(customers))
        return np.repeat(np.arange(len(train)), np.bincount(drawn, minlength=len(customers))[customer])

    return _refits(train, rows_of, model, settings, count)


def under_other_seeds(train: Dataset, model: Model, settings: Training, count: int) -> list[lgb.Booster]:
    """`count` refits on the same rows: only the rows and columns that each tree draws differ."""
    return _refits(train, lambda _: np.arange(len(train)), model, settings, count)


def _refits(
    train: Dataset, rows_of: Callable[[int], np.ndarray], model: Model, settings: Training, count: int
) -> list[lgb.Booster]:
    rounds, params = model.booster.current_iteration(), dict(model.params)

    def refit(seed: int) -> lgb.Booster:
        rows = rows_of(seed)
        return fit.fit(train.matrix[rows], train.defaulted[rows], train.program.features, params, rounds, seed, 1)

    return side_by_side(refit, range(settings.seed + 1, settings.seed + 1 + count), settings.threads)


def side_by_side(work: Callable[[One], Made], items: Iterable[One], threads: int) -> list[Made]:
    """`work` of each item, one to a core: threads inside a small tree wait for each other longer than they work."""
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        return list(pool.map(work, items))


def contributions(
    booster: lgb.Booster, rows: np.ndarray, features: Sequence[Feature], sentences: Sequence[str]
) -> np.ndarray:
    """What each sentence adds to the log-odds of default of `rows` (rows, features), (rows, sentences)."""
    by_feature = np.asarray(booster.predict(rows, pred_contrib=True, num_threads=1))[:, :-1]
    belongs = np.array([[feature.reason == sentence for sentence in sentences] for feature in features], float)
    return by_feature @ belongs
