"""The whole validation of a model from stored predictions and a few facts: every number of validation.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from configs.settings import Product, ValidationPolicy
from features.declaration import Feature
from training import findings, ratings, reliability, segments, steadiness
from training.dataset import Dataset, Split
from training.findings import Judged
from training.lights import Finding
from training.psi import counts, edges_of
from training.scaling import Scale
from training.segments import Slice
from training.sensitivity import Move, sensitivity
from training.steadiness import Drift
from training.swap import swap_sets
from training.validate import Validation, validate

SLICE = "slice:"  # of the columns of predictions.parquet that say which slice of a feature a row belongs to
CHAMPION = "champion_default_probability"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report needs beside the predictions, none of it computed by the report: kept so that it re-derives.

    Rows and defaults of the training rows by grade, told out of fold (the initial validation), the AUC on the training
    rows, the PD below which the policy approves, the most used features, and their rows by bin then (training) and now
    (test).
    """

    training_auc: float
    initial_rows: tuple[int, ...]
    initial_defaults: tuple[int, ...]
    approve_below: float
    top_features: tuple[str, ...]
    feature_counts: Mapping[str, Mapping[str, tuple[int, ...]]]


def predictions(
    test: Dataset,
    default_probability: np.ndarray,
    champion_default_probability: np.ndarray | None,
    top_features: tuple[str, ...],
) -> pd.DataFrame:
    """The rows of predictions.parquet: customer, day, PD (exact), outcome, the champion's PD, the slice by feature."""
    frame = pd.DataFrame(
        {
            # Customers are numbered: a bundle goes where their names need not.
            "customer": np.unique(test.customer_id.astype(str), return_inverse=True)[1],
            "as_of": test.as_of,
            "default_probability": default_probability,
            "defaulted": test.defaulted.astype(np.int8),
        }
    )
    if champion_default_probability is not None:
        frame[CHAMPION] = champion_default_probability
    for name in top_features:
        place = test.program.names.index(name)
        labels = segments.quarters(test.matrix[:, place], test.program.features[place].categories)
        frame[f"{SLICE}{name}"] = pd.Categorical(labels)
    return frame


def gather(
    split: Split,
    out_of_fold: np.ndarray,
    gains: Mapping[str, float],
    scale: Scale,
    product: Product,
    training_auc: float,
    policy: ValidationPolicy,
) -> Facts:
    """The facts of a fresh model: `out_of_fold` (rows,) are PDs of the training rows by trees that never saw them."""
    train, test = split.train, split.test
    grade = scale.grade_index(out_of_fold)
    size = len(scale.names)
    used = sorted((name for name, gain in gains.items() if gain > 0), key=lambda name: -gains[name])
    top = tuple(used[: policy.top_features])
    columns = {name: train.program.names.index(name) for name in top}
    return Facts(
        training_auc=training_auc,
        initial_rows=tuple(np.bincount(grade, minlength=size).tolist()),
        initial_defaults=tuple(np.bincount(grade[train.defaulted == 1], minlength=size).tolist()),
        approve_below=approve_below(product),
        top_features=top,
        feature_counts={
            name: _counts(train.matrix[:, place], test.matrix[:, place], train.program.features[place], policy)
            for name, place in columns.items()
        },
    )


def approve_below(product: Product) -> float:
    """The PD at which the policy stops approving: 0 where no grade is approved, 1 where all are."""
    bounds = [1.0 if g.pd_below is None else g.pd_below for g in product.grades if g.decision == "approve"]
    return max(bounds, default=0.0)


def _counts(
    then: np.ndarray, now: np.ndarray, feature: Feature, policy: ValidationPolicy
) -> dict[str, tuple[int, ...]]:
    edges = np.arange(len(feature.categories) - 1) + 0.5 if feature.categories else edges_of(then, policy.psi_bins)
    return {"then": tuple(counts(then, edges).tolist()), "now": tuple(counts(now, edges).tolist())}


def moves(
    reference: pd.DataFrame,
    features: tuple[Feature, ...],
    facts: Facts,
    default_probability: Callable[[np.ndarray], np.ndarray],
    scale: Scale,
    policy: ValidationPolicy,
) -> tuple[Move, ...]:
    """The sensitivity of the model on rows of reference.parquet, evenly thinned to those the policy asks for."""
    taken = np.linspace(0, len(reference) - 1, min(len(reference), policy.sensitivity_rows)).astype(int)
    values = reference[[item.name for item in features]].to_numpy(np.float64)[taken]
    return sensitivity(values, features, facts.top_features, default_probability, scale)


def examine(
    rows: pd.DataFrame, facts: Facts, moved: tuple[Move, ...], scale: Scale, policy: ValidationPolicy
) -> dict[str, Any]:
    """Every number of validation.json: the measures, then each test with its light, tables, and the facts.

    `rows` as of `predictions`. The same rows, facts and policy give the same bits on one machine.
    """
    judged = _judged(rows, facts, scale, policy)
    parts = {name.removeprefix(SLICE): rows[name].to_numpy(object) for name in rows if str(name).startswith(SLICE)}
    pds, bad = judged.default_probability, judged.bad
    weak = segments.judge_slices(parts, pds, bad, policy, keep_small=False)
    vintages = segments.judge_slices({"month": segments.months(judged.as_of)}, pds, bad, policy, keep_small=True)
    tests = findings.grade_tests(judged)
    migration = ratings.migrations(judged.customer, judged.as_of, judged.grade, len(scale.names))
    drifts = _drifts(facts, policy)
    swaps = swap_sets(pds, rows[CHAMPION].to_numpy(), bad, facts.approve_below) if CHAMPION in rows else ()
    upper, lower = ratings.migration_bandwidths(migration)
    lights = [
        *findings.discrimination(judged),
        *findings.level(judged, tests, vintages),
        *findings.shape(judged),
        *steadiness.stability(judged, migration, drifts),
        *_sliced(weak, vintages, policy),
        *([steadiness.swap(swaps, policy)] if swaps else []),
    ]
    return {
        **_with_tests(judged.numbers, tests),
        "tests": [asdict(light) for light in lights],
        "calibration_curve": [asdict(one) for one in reliability.curve(pds, bad, policy.calibration_bins)],
        "vintages": [asdict(one) for one in vintages],
        "segments": [asdict(one) for one in weak],
        "sensitivity": [asdict(one) for one in moved],
        "drift": [asdict(one) for one in drifts],
        "migration": {"customers": migration.tolist(), "worse_bandwidth": upper, "better_bandwidth": lower},
        "swap_sets": [asdict(one) for one in swaps],
        "facts": asdict(facts),
    }


def _judged(rows: pd.DataFrame, facts: Facts, scale: Scale, policy: ValidationPolicy) -> Judged:
    pds, defaulted = rows["default_probability"].to_numpy(), rows["defaulted"].to_numpy()
    inside = np.clip(pds, 1e-15, 1 - 1e-15)
    return Judged(
        default_probability=inside,
        bad=defaulted.astype(bool),
        customer=rows["customer"].to_numpy(),
        as_of=rows["as_of"].to_numpy(),
        grade=scale.grade_index(inside),
        numbers=validate(pds, defaulted, scale),
        initial_rows=np.array(facts.initial_rows),
        initial_defaults=np.array(facts.initial_defaults),
        policy=policy,
    )


def _drifts(facts: Facts, policy: ValidationPolicy) -> tuple[Drift, ...]:
    by_time = [facts.feature_counts[name] for name in facts.top_features]
    return tuple(
        steadiness.drift(name, np.array(counted["now"]), np.array(counted["then"]), policy)
        for name, counted in zip(facts.top_features, by_time, strict=True)
    )


def _sliced(weak: tuple[Slice, ...], vintages: tuple[Slice, ...], policy: ValidationPolicy) -> list[Finding]:
    return [steadiness.slices("weak_segments", weak, policy), steadiness.slices("vintages", vintages, policy)]


def _with_tests(numbers: Validation, tests: tuple[findings.GradeTests, ...]) -> dict[str, Any]:
    told = numbers.to_json()
    graded = [{**row, **asdict(test)} for row, test in zip(told["grades"], tests, strict=True)]
    return {**told, "grades": graded}
