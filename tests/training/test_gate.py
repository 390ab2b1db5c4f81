"""The gate: each check can say yes and can say no, and chance alone does not make it say no."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import fisher_exact

from configs.settings import Band, Gate
from training import gate
from training.monotone import Certificate, Finding, Violation
from training.scaling import Scale
from training.validate import GradeRow, Interval, Validation, auc_difference, validate

BOUNDS = Gate(
    minimum_auc=0.60,
    maximum_auc_drop=0.005,
    calibration_slope=Band(low=0.75, high=1.33),
    calibration_ratio=Band(low=0.75, high=1.33),
    maximum_overfit=0.10,
)


PROVED = Certificate(100, (Finding("debt", "rises", True, 0.0, None), Finding("income", "falls", True, 0.0, None)))


def row(name: str, rows: int, defaults: int) -> GradeRow:
    return GradeRow(name, rows, defaults, 0.1, defaults / rows if rows else float("nan"), 0.5)


GOOD = Validation(
    rows=1000,
    defaults=60,
    auc=Interval(0.75, 0.70, 0.80),
    gini=0.5,
    ks=0.4,
    log_loss=0.2,
    brier=0.05,
    calibration_intercept=Interval(0.0, -0.1, 0.1),
    calibration_slope=Interval(1.0, 0.8, 1.2),
    observed_to_expected=Interval(1.0, 0.8, 1.25),
    grades=(row("A", 500, 10), row("B", 300, 20), row("C", 200, 30)),
)


def failed(
    changes: dict[str, Any] | None = None,
    training_auc: float = 0.78,
    against: Interval | None = None,
    bounds: Gate = BOUNDS,
    certificate: Certificate = PROVED,
    leaks: tuple[str, ...] = (),
) -> list[str]:
    test = dataclasses.replace(GOOD, **(changes or {}))
    verdict = gate.judge(test, training_auc, against, bounds, certificate, leaks)
    assert verdict.passed == all(check.passed for check in verdict.checks)
    return [check.name for check in verdict.checks if not check.passed]


def test_a_good_model_passes() -> None:
    assert failed() == []


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("auc", {"auc": Interval(0.59, 0.5, 0.68)}),
        ("calibration_slope", {"calibration_slope": Interval(0.5, 0.3, 0.74)}),
        ("calibration_slope", {"calibration_slope": Interval(2.0, 1.34, 2.6)}),
        ("observed_to_expected", {"observed_to_expected": Interval(0.5, 0.3, 0.74)}),
        ("observed_to_expected", {"observed_to_expected": Interval(2.0, 1.34, 2.6)}),
        ("grades_rise", {"grades": (row("A", 500, 40), row("B", 300, 5))}),
    ],
)
def test_each_fault_fails_its_own_check_alone(name: str, changes: dict[str, Any]) -> None:
    assert failed(changes, training_auc=0.6) == [name]


def test_a_model_that_knows_its_training_rows_by_heart_fails() -> None:
    assert failed(training_auc=0.91) == ["overfit"]


def test_a_gap_that_the_small_test_may_have_made_by_chance_is_no_overfit() -> None:
    assert failed(training_auc=0.89) == []


@pytest.mark.parametrize(
    ("changes", "training_auc"),
    [
        ({"auc": Interval(0.60, 0.5, 0.7)}, 0.70),
        ({"calibration_slope": Interval(0.5, 0.25, 0.75)}, 0.78),
        ({"observed_to_expected": Interval(1.6, 1.33, 1.9)}, 0.78),
    ],
)
def test_a_measure_on_its_bound_passes(changes: dict[str, Any], training_auc: float) -> None:
    assert failed(changes, training_auc) == []


def test_a_feature_that_leaks_fails_and_is_named() -> None:
    assert failed(leaks=("closed_on",)) == ["no_leakage"]
    told = gate.judge(GOOD, 0.78, None, BOUNDS, PROVED, ("closed_on",)).checks[-1].wanted
    assert told == "no red finding about leakage; found: closed_on"


def test_without_a_champion_there_is_no_comparison() -> None:
    names = [check.name for check in gate.judge(GOOD, 0.78, None, BOUNDS, PROVED, ()).checks]
    assert "not_worse_than_champion" not in names


def test_a_challenger_that_may_be_worse_than_allowed_fails() -> None:
    assert failed(against=Interval(0.0, -0.0051, 0.0051)) == ["not_worse_than_champion"]


def test_a_challenger_as_good_as_the_champion_passes() -> None:
    assert failed(against=Interval(0.0, -0.005, 0.005)) == []


def test_a_challenger_significantly_worse_than_the_champion_is_refused() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(-2, 1.2, 4000)
    bad = rng.random(4000) < expit(truth)
    difference = auc_difference(truth + rng.normal(0, 1.5, 4000), truth, bad)
    assert difference.high < 0
    assert failed(against=difference) == ["not_worse_than_champion"]


def test_the_champion_itself_is_not_refused_as_its_own_challenger() -> None:
    rng = np.random.default_rng(2)
    score = rng.normal(size=300)
    assert failed(against=auc_difference(score, score, rng.random(300) < 0.1)) == []


def test_one_bad_row_alone_in_the_best_grade_is_no_evidence() -> None:
    # Two-proportion z would say 4.0 here; the exact p is 6 in 101.
    assert failed({"grades": (row("A", 1, 1), row("B", 100, 5))}) == []


def test_empty_grades_are_passed_over() -> None:
    assert failed({"grades": (row("A", 500, 40), row("B", 0, 0), row("C", 300, 5))}) == ["grades_rise"]


def test_a_test_with_one_grade_filled_has_no_inversion() -> None:
    assert failed({"grades": (row("A", 0, 0), row("B", 1000, 60))}) == []


@pytest.mark.parametrize(("better", "worse"), [((50, 6), (40, 2)), ((500, 40), (300, 5)), ((9, 0), (7, 3))])
def test_the_evidence_of_an_inversion_is_fishers(better: tuple[int, int], worse: tuple[int, int]) -> None:
    changed = dataclasses.replace(GOOD, grades=(row("A", *better), row("B", *worse)))
    measured = {c.name: c.measured for c in gate.judge(changed, 0.78, None, BOUNDS, PROVED, ()).checks}["grades_rise"]
    table = [[better[1], better[0] - better[1]], [worse[1], worse[0] - worse[1]]]
    assert measured == pytest.approx(fisher_exact(table, alternative="greater").pvalue, rel=1e-9)


@pytest.mark.parametrize("rows", [150, 400])
def test_a_true_model_seldom_fails_a_small_test_by_chance(scale: Scale, rows: int) -> None:
    rng = np.random.default_rng(rows)
    refused = 0
    for _ in range(200):
        log_odds = rng.normal(-2.2, 1.2, rows)
        test = validate(expit(log_odds), rng.random(rows) < expit(log_odds), scale)
        refused += not gate.judge(test, test.auc.value, None, BOUNDS, PROVED, ()).passed
    assert refused <= 10  # of 200


@pytest.mark.parametrize("violation", [None, Violation(0.3, (1.0,), (2.0,))])
def test_a_direction_that_is_not_proved_fails_whether_or_not_rows_that_break_it_were_found(
    violation: Violation | None,
) -> None:
    certificate = Certificate(9, (*PROVED.findings, Finding("age", "falls", False, 0.4, violation)))
    assert failed(certificate=certificate) == ["monotone"]
    check = gate.monotone(certificate)
    assert (check.measured, check.wanted.endswith("not so: age")) == (0.3 if violation else 0.0, True)


def test_a_verdict_is_plain_json() -> None:
    told = gate.judge(GOOD, 0.78, Interval(0.0, -0.1, 0.1), BOUNDS, PROVED, ()).to_json()
    assert told == json.loads(json.dumps(told))
    assert told["passed"] is False
