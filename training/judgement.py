"""What is known of a fresh model before anybody may use it: every examination of it, and the gate's verdict on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from configs.errors import InputError
from configs.settings import Product, Settings
from features import matrix
from features.catalogue import Program
from features.contracts import Columns
from training import conduct, examine, gate, leakage
from training.bundle import Bundle
from training.dataset import Dataset, Split
from training.model import Model
from training.monotone import certify
from training.scaling import Scale
from training.scorecard import compare, make_scorecard
from training.validate import Interval, Validation, auc_difference, validate


@dataclass(frozen=True, slots=True)
class Judgement:
    """The numbers on the test rows, the gate's verdict, the report, what it derives from, and the other examinations.

    `predictions` are the rows of predictions.parquet, `report` what validation.json holds, `evidence` the sections of
    training.json: gate, calibration, monotone, scorecard, leakage, and those about conduct.
    """

    test: Validation
    verdict: gate.Verdict
    against_champion: Interval | None
    default_probability: np.ndarray
    predictions: pd.DataFrame
    report: dict[str, Any]
    evidence: dict[str, Any]


def judge(
    product: Product,
    tables: Mapping[str, Columns],
    data: Dataset,
    split: Split,
    model: Model,
    reference: pd.DataFrame,
    scale: Scale,
    champion: Bundle | None,
    settings: Settings,
    now: int,
    stage: Callable[[str], None],
) -> Judgement:
    """Examine `model` on the rows that taught it nothing; `reference` are rows of reference.parquet."""
    test, features, seed = split.test, split.train.program.features, settings.training.seed
    default_probability = model.default_probability(test.matrix)
    numbers = validate(default_probability, test.defaulted, scale)
    of_champion = champion_default_probability(champion, test, tables)
    difference = against(of_champion, test, default_probability)
    training_auc = float(roc_auc_score(split.train.defaulted, model.default_probability(split.train.matrix)))
    stage("prove directions, look for leakage, train the scorecard")
    certificate = certify(model.booster, features)
    leaks = leakage.inspect(split, tables, seed, settings.training.threads)
    benchmark = compare(make_scorecard(split.train, seed), test, default_probability, scale)
    red = [finding.subject for finding in leakage.red(leaks)]
    verdict = gate.judge(numbers, training_auc, difference, settings.gate, certificate, red)
    facts = examine.gather(split, model.out_of_fold, gains(model.booster), scale, product, training_auc,
                           settings.validation)  # fmt: skip
    rows = examine.predictions(test, default_probability, of_champion, facts.top_features)
    moved = examine.moves(reference, features, facts, model.default_probability, scale, settings.validation)
    evidence = {
        "gate": verdict.to_json(),
        "auc_against_champion": asdict(difference) if difference else None,
        "calibration": model.chosen.to_json(),
        "monotone": certificate.to_json(),
        "scorecard": benchmark.to_json(scale),
        "leakage": [finding.to_json() for finding in leaks],
        **conduct.sections(product, tables, data, split, model.default_probability, model.tuned, settings, now, stage),
    }
    report = examine.examine(rows, facts, moved, scale, settings.validation)
    return Judgement(numbers, verdict, difference, default_probability, rows, report, evidence)


def require_columns(champion: Program, version: str, product: Product) -> None:
    """Raises InputError where the champion's flat columns are no longer declared: it could not be compared with."""
    declared = {column.name for column in product.columns}
    gone = [item.name for item in champion.features if item.group == "column" and item.name not in declared]
    if gone:
        raise InputError(
            f"{product.name}: its champion {version} reads columns that the product file no longer declares: "
            f"{', '.join(gone)}. Declare them and name them in deny: a challenger leaves them out and can be compared"
        )


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


def gains(booster: lgb.Booster) -> dict[str, float]:
    """The share of all gain that each feature brought."""
    found = booster.feature_importance("gain")
    return dict(zip(booster.feature_name(), found / max(found.sum(), 1e-300), strict=True))
