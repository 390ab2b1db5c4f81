"""The whole report: every test there with its light, and lights that say what was planted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import chi2_contingency

from configs.settings import Product, ValidationPolicy, load_settings
from training import examine
from training.bundle import Parts
from training.scaling import Scale

TESTS = {
    "discrimination": ["auc", "auc_against_initial", "kendall_tau", "brier_skill"],
    "level": ["jeffreys_portfolio", "jeffreys_grades", "binomial_portfolio", "vasicek_portfolio", "normal_periods"],
    "shape": [
        "hosmer_lemeshow",
        "spiegelhalter",
        "calibration_slope",
        "calibration_intercept",
        "calibration_error",
    ],
    "stability": ["psi_grades", "psi_features", "migration", "concentration", "concentration_rise"],
    "segments": ["weak_segments", "vintages"],
    "champion": ["swap_set"],
}
NO_FACTS: dict[str, Any] = {"training_auc": 0.8, "approve_below": 0.1, "top_features": (), "feature_counts": {}}


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> ValidationPolicy:
    home: Path = tmp_path_factory.mktemp("home")
    return load_settings(home, {"validation": {"bootstrap_draws": 50}}).validation


def rows_of(
    rows: int, seed: int, shift: float = 0.0, steep: float = 1.0, months: int = 6, memory: float = 0.95
) -> pd.DataFrame:
    """PDs and outcomes; with a shift the outcomes are worse than the PDs, steep 2 makes them twice too sure.

    `memory` is the correlation of a customer's log-odds from month to month.
    """
    rng = np.random.default_rng(seed)
    customer = rng.normal(size=rows)[np.arange(rows) // months]
    log_odds = -2.5 + 0.8 * (np.sqrt(memory) * customer + np.sqrt(1 - memory) * rng.normal(size=rows))
    return pd.DataFrame(
        {
            "customer": np.arange(rows) // months,
            "as_of": 19_700 + 31 * (np.arange(rows) % months),
            "default_probability": expit(steep * (log_odds + 2.5) - 2.5),
            "defaulted": (rng.random(rows) < expit(log_odds + shift)).astype(np.int8),
        }
    )


def lights(rows: pd.DataFrame, scale: Scale, policy: ValidationPolicy, initial: pd.DataFrame) -> dict[str, str]:
    grade = scale.grade_index(initial["default_probability"].to_numpy())
    size = len(scale.names)
    facts = examine.Facts(
        initial_rows=tuple(np.bincount(grade, minlength=size).tolist()),
        initial_defaults=tuple(np.bincount(grade[initial["defaulted"] == 1], minlength=size).tolist()),
        **NO_FACTS,
    )
    told = examine.examine(rows, facts, (), scale, policy)
    return {test["name"]: test["light"] for test in told["tests"]}


def test_every_test_is_there_by_its_group(examined: Parts) -> None:
    found: dict[str, list[str]] = {}
    for test in examined.validation["tests"]:
        found.setdefault(test["group"], []).append(test["name"])
    assert found == TESTS


def test_every_light_says_that_it_is_policy_and_carries_its_source(examined: Parts) -> None:
    for test in examined.validation["tests"]:
        assert test["basis"] == "policy, not regulation"
        assert test["source"]
        assert test["told"]
        assert test["amber"] is not None or test["red"] is not None


def test_the_report_is_plain_json(examined: Parts) -> None:
    assert json.loads(json.dumps(examined.validation)).keys() == examined.validation.keys()


def test_the_predictions_hold_exact_pds_and_outcomes(examined: Parts, tmp_path: Path) -> None:
    examined.predictions.to_parquet(tmp_path / "rows.parquet", index=False)
    back = pd.read_parquet(tmp_path / "rows.parquet")
    assert (
        back["default_probability"].to_numpy().tobytes()
        == examined.predictions["default_probability"].to_numpy().tobytes()
    )
    assert list(back)[:5] == ["customer", "as_of", "default_probability", "defaulted", examine.CHAMPION]


def test_true_pds_of_an_unchanged_population_have_no_red_light(scale: Scale, policy: ValidationPolicy) -> None:
    found = lights(rows_of(6000, 1), scale, policy, rows_of(6000, 2))
    assert [name for name, light in found.items() if light == "red"] == []
    assert found["normal_periods"] in ("green", "amber")  # six months tell it little, but something


@pytest.mark.parametrize(
    ("changes", "red"),
    [
        ({"shift": 0.8}, {"jeffreys_portfolio", "jeffreys_grades", "binomial_portfolio", "hosmer_lemeshow"}),
        ({"shift": 0.8}, {"spiegelhalter", "calibration_error", "normal_periods", "vintages"}),
        ({"memory": 0.0}, {"migration"}),
        ({"steep": 2.0}, {"calibration_slope", "hosmer_lemeshow", "psi_grades"}),
    ],
)
def test_what_is_planted_turns_red(
    scale: Scale, policy: ValidationPolicy, changes: dict[str, float], red: set[str]
) -> None:
    found = lights(rows_of(6000, 1, **changes), scale, policy, rows_of(6000, 2))
    assert {name for name in red if found[name] != "red"} == set()


def test_a_model_that_ranks_no_more_falls_against_its_initial_validation(
    scale: Scale, policy: ValidationPolicy
) -> None:
    rows = rows_of(6000, 1)
    rows["defaulted"] = np.random.default_rng(3).permutation(rows["defaulted"])
    found = lights(rows, scale, policy, rows_of(6000, 2))
    assert (found["auc"], found["auc_against_initial"]) == ("red", "red")


def test_few_rows_say_little(scale: Scale, policy: ValidationPolicy) -> None:
    found = lights(rows_of(120, 1, months=2), scale, policy, rows_of(6000, 2))
    assert {found[name] for name in ("normal_periods", "migration", "weak_segments", "vintages")} == {"grey"}


def test_hosmer_lemeshow_of_the_report_is_the_sum_of_chi_squared_against_the_pds(examined: Parts) -> None:
    # Observed against expected, bad and good, bin by bin: scipy's statistic of a two-cell table with these margins.
    told = {test["name"]: test for test in examined.validation["tests"]}["hosmer_lemeshow"]
    total = 0.0
    for one in examined.validation["calibration_curve"]:
        expected = np.array([one["mean_pd"], 1 - one["mean_pd"]]) * one["rows"]
        observed = np.array([one["defaults"], one["rows"] - one["defaults"]])
        total += ((observed - expected) ** 2 / expected).sum()
    assert told["value"] == pytest.approx(total, rel=1e-9)


def test_vintages_share_out_all_rows(examined: Parts) -> None:
    months = examined.validation["vintages"]
    assert [month["slice"] for month in months] == ["1970-01", "1970-02", "1970-03", "1970-04"]
    assert sum(month["rows"] for month in months) == len(examined.predictions)


def test_the_swap_sets_share_out_all_rows(examined: Parts) -> None:
    assert sum(one["rows"] for one in examined.validation["swap_sets"]) == len(examined.predictions)


def test_the_most_used_features_are_sliced_moved_and_watched(examined: Parts) -> None:
    told = examined.validation
    assert told["facts"]["top_features"] == ("debt", "income", "town")  # noise has no gain
    assert {row["column"] for row in told["segments"]} == {"debt", "income", "town"}
    assert {row["feature"] for row in told["sensitivity"]} == {"debt", "income", "town"}
    assert [row["feature"] for row in told["drift"]] == ["debt", "income", "town"]


def test_a_category_is_counted_by_its_codes(examined: Parts) -> None:
    counted = examined.validation["facts"]["feature_counts"]["town"]
    assert len(counted["then"]) == 4  # three towns and the missing
    assert chi2_contingency(np.array([counted["then"], counted["now"]])).pvalue > 0.001


def test_the_cut_off_is_the_worst_bound_that_is_approved(shipped: Callable[[str], Product]) -> None:
    assert examine.approve_below(shipped("consumer_platform")) == 0.08
