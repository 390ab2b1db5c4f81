"""What a report says about conduct: groups, alternatives and the declined, for a product that lists their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from configs.settings import Product, Settings
from features.contracts import Columns
from training import alternatives, fairness, protected, proxy, rejects
from training.dataset import Dataset, Split
from training.tune import Tuned

Predict = Callable[[np.ndarray], np.ndarray]
"""A matrix (rows, features) to PDs (rows,)."""


def sections(
    product: Product,
    tables: Mapping[str, Columns],
    data: Dataset,
    split: Split,
    predict: Predict,
    tuned: Tuned,
    settings: Settings,
    now: int,
    stage: Callable[[str], None],
) -> dict[str, Any]:
    """JSON sections `fairness` and `alternatives` where the product lists `protected`, `reject_inference` where
    `declined`; `stage` is told what happens next.

    Groups are compared on the test rows, each customer once; alternatives on a fold of the training rows; the declined
    are held against all of `data`, as all vintages of both are. Raises DataError where a listed table is absent, and
    where a protected attribute is a feature too.
    """
    found: dict[str, Any] = {}
    if "protected" in product.tables:
        found |= _groups(product, tables, split, predict, tuned, settings, now, stage)
    if "declined" in product.tables:
        stage("bracket what the declined would have done")
        rows = rejects.declined_rows(product, tables, data.program, now)
        seed, threads = settings.training.seed, settings.training.threads
        band = rejects.infer(data, rows, tuned.params, tuned.rounds, settings.reject_inference, seed, threads)
        found["reject_inference"] = {**band.to_json(), "table": band.table()}
    return found


def _groups(
    product: Product,
    tables: Mapping[str, Columns],
    split: Split,
    predict: Predict,
    tuned: Tuned,
    settings: Settings,
    now: int,
    stage: Callable[[str], None],
) -> dict[str, Any]:
    bounds, seed, threads = settings.fairness, settings.training.seed, settings.training.threads
    program = split.train.program

    def groups_of(part: Dataset) -> dict[str, np.ndarray]:
        return protected.joined(product.name, tables, program.names, part.customer_id, now)

    stage("compare groups, look for proxies")
    judged = split.test.take(protected.newest_row_each(split.test.customer_id, split.test.as_of))
    default_probability = predict(judged.matrix)
    approved = fairness.approved_by_policy(default_probability, product.grades)
    report = fairness.assess(default_probability, judged.defaulted, approved, groups_of(judged), bounds)
    train = split.train
    proxies = proxy.proxy_test(
        train.matrix, program.features, train.customer_id, groups_of(train), bounds, seed, threads
    )
    learn, held_back = alternatives.sides(train, settings.training)
    candidates = alternatives.candidates_of(tuned, proxy.strongest(proxies, bounds.without_proxies), bounds)
    stage(f"judge {len(candidates)} alternatives")
    searched = alternatives.search(
        learn,
        held_back,
        alternatives.chosen_of(tuned),
        candidates,
        groups_of(held_back),
        product.grades,
        bounds,
        seed,
        threads,
        lambda done, wanted: stage(f"alternative {done} of {wanted}"),
    )
    told = {**report.to_json(), "proxies": [one.to_json() for one in proxies], "table": report.table()}
    return {"fairness": told, "alternatives": {**searched.to_json(), "table": searched.table()}}
