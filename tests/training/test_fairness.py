"""The fairness report: counts worked by hand, lights at their thresholds, and what is too small to be measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from configs.settings import Fairness as Bounds
from configs.settings import load_settings
from training.fairness import Fairness, GroupReport, approved_by_policy, assess, largest_group, plain
from training.protected import UNKNOWN
from training.readings import worst


@pytest.fixture(scope="module")
def bounds(tmp_path_factory: pytest.TempPathFactory) -> Bounds:
    return load_settings(tmp_path_factory.mktemp("home")).fairness


def people(**cells: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """PD, defaulted, approved, group of groups given as (goods approved, goods not, bads approved, bads not).

    The approved have PDs from 0.01 to 0.19, the others from 0.21 to 0.39.
    """
    bad, approved, group = [], [], []
    for name, (good_in, good_out, bad_in, bad_out) in cells.items():
        bad += [0] * (good_in + good_out) + [1] * (bad_in + bad_out)
        approved += [1] * good_in + [0] * good_out + [1] * bad_in + [0] * bad_out
        group += [name] * (good_in + good_out + bad_in + bad_out)
    place = np.arange(len(bad)) % 19
    pd_ = np.where(approved, 0.01 + 0.01 * place, 0.21 + 0.01 * place)
    return pd_, np.array(bad), np.array(approved, bool), np.array(group, object)


def report_of(bounds: Bounds, **cells: tuple[int, int, int, int]) -> Fairness:
    pd_, bad, approved, group = people(**cells)
    return assess(pd_, bad, approved, {"sex": group}, bounds)


def group_of(found: Fairness, name: str) -> GroupReport:
    return next(group for group in found.attributes[0].groups if group.group == name)


MEN_AND_WOMEN = {"men": (420, 80, 60, 40), "women": (200, 100, 30, 70)}


def test_rates_ratios_and_gaps_are_those_counted_by_hand(bounds: Bounds) -> None:
    women = group_of(report_of(bounds, **MEN_AND_WOMEN), "women")
    assert (women.rows, women.approved, women.defaults) == (400, 230, 100)
    assert women.impact_ratio is not None
    assert women.impact_ratio.value == pytest.approx(230 / 400 / (480 / 600))
    assert women.approve_gap_goods is not None
    assert women.approve_gap_goods.value == pytest.approx(200 / 300 - 420 / 500)
    assert women.approve_gap_bads is not None
    assert women.approve_gap_bads.value == pytest.approx(30 / 100 - 60 / 100)


def test_the_measures_are_fairlearns(bounds: Bounds) -> None:
    # fairlearn 0.15 on the same rows, an approval as prediction 1 and a good as truth 1: demographic_parity_ratio,
    # equal_opportunity_difference, equalized_odds_difference.
    women = group_of(report_of(bounds, **MEN_AND_WOMEN), "women")
    assert women.impact_ratio is not None
    assert women.approve_gap_goods is not None
    assert women.approve_gap_bads is not None
    assert women.impact_ratio.value == pytest.approx(0.71875)
    assert -women.approve_gap_goods.value == pytest.approx(0.173333, abs=1e-6)
    assert -min(women.approve_gap_goods.value, women.approve_gap_bads.value) == pytest.approx(0.3)


def test_the_auc_of_a_group_is_sklearns(bounds: Bounds) -> None:
    pd_, bad, approved, group = people(**MEN_AND_WOMEN)
    women = group_of(assess(pd_, bad, approved, {"sex": group}, bounds), "women")
    here = group == "women"
    assert women.auc is not None
    assert women.auc.value == pytest.approx(roc_auc_score(bad[here], pd_[here]))


def test_a_low_ratio_beyond_doubt_is_red(bounds: Bounds) -> None:
    women = group_of(report_of(bounds, **MEN_AND_WOMEN), "women")
    assert women.impact_ratio is not None
    assert (round(women.impact_ratio.value, 3), women.impact_ratio.light, women.light) == (0.719, "red", "red")


def test_a_low_ratio_of_few_rows_is_watched_only(bounds: Bounds) -> None:
    # 36 of 45 against 19 of 30: 0.79, and Fisher's p is above 0.05.
    few = group_of(report_of(bounds, men=(33, 5, 3, 4), women=(16, 7, 3, 4)), "women")
    assert few.fisher_p is not None
    assert few.impact_ratio is not None
    assert (few.impact_ratio.value < 0.8, few.fisher_p > 0.05, few.impact_ratio.light) == (True, True, "amber")


def test_a_reference_that_is_itself_disadvantaged_is_flagged(bounds: Bounds) -> None:
    men = group_of(report_of(bounds, women=(300, 300, 20, 80), men=(360, 40, 30, 30)), "men")
    assert men.impact_ratio is not None
    assert men.impact_ratio.value > 1 / 0.8
    assert men.impact_ratio.light == "red"


@pytest.mark.parametrize(("women", "light"), [(460, "green"), (448, "amber"), (399, "red")])
def test_the_light_of_the_ratio_changes_at_nine_and_eight_tenths(bounds: Bounds, women: int, light: str) -> None:
    # Half of the 1,000 men are approved: the women's ratio is 0.92, 0.896 and 0.798 of 1,000; p is below 0.05 at 448.
    found = report_of(bounds, men=(500, 500, 0, 0), women=(women, 1000 - women, 0, 0))
    impact = group_of(found, "women" if found.attributes[0].reference == "men" else "men").impact_ratio
    assert impact is not None
    assert impact.light == light


def test_a_group_of_too_few_is_shown_and_not_measured(bounds: Bounds) -> None:
    other = group_of(report_of(bounds, **MEN_AND_WOMEN, other=(14, 5, 5, 5)), "other")
    assert (other.rows, other.light) == (29, "not measured")
    assert (other.impact_ratio, other.auc, other.observed_to_expected, other.fisher_p) == (None, None, None, None)


def test_a_group_of_just_enough_is_measured(bounds: Bounds) -> None:
    assert group_of(report_of(bounds, **MEN_AND_WOMEN, other=(15, 5, 5, 5)), "other").impact_ratio is not None


def test_rows_of_no_group_are_counted_and_not_compared(bounds: Bounds) -> None:
    pd_, bad, approved, group = people(**MEN_AND_WOMEN)
    group[:50] = UNKNOWN
    found = assess(pd_, bad, approved, {"sex": group}, bounds).attributes[0]
    assert (found.unknown_rows, [part.group for part in found.groups]) == (50, ["men", "women"])


def test_an_attribute_recorded_for_nobody_is_not_measured(bounds: Bounds) -> None:
    pd_, bad, approved, group = people(**MEN_AND_WOMEN)
    found = assess(pd_, bad, approved, {"sex": np.full(len(group), UNKNOWN, object)}, bounds)
    assert (found.light, found.attributes[0].groups, found.attributes[0].unknown_rows) == ("not measured", (), 1000)


def test_a_higher_score_of_a_group_is_a_positive_difference(bounds: Bounds) -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(np.array(["a", "b"], object), [4000, 3000])
    log_odds = rng.normal(-2, 1, 7000) - 0.4 * (group == "b")
    bad = rng.random(7000) < expit(log_odds)
    found = group_of(assess(expit(log_odds), bad, log_odds < -2, {"x": group}, bounds), "b").score_difference
    assert found is not None
    assert found.value == pytest.approx(0.4, abs=0.06)
    assert found.light == "red"


@pytest.mark.parametrize(("factor", "light"), [(1.0, "green"), (1.15, "amber"), (1.6, "red")])
def test_calibration_within_a_group_is_amber_off_one_and_red_off_the_band(
    bounds: Bounds, factor: float, light: str
) -> None:
    # 1,000 defaults in 5,000 rows: the interval of the rate is 0.19 to 0.21.
    bad = np.arange(5000) < 1000
    found = assess(np.full(5000, 0.2 / factor), bad, ~bad, {"x": np.full(5000, "a", object)}, bounds)
    ratio = group_of(found, "a").observed_to_expected
    assert ratio is not None
    assert (round(ratio.value, 2), ratio.light) == (factor, light)


def test_groups_treated_alike_are_green(bounds: Bounds) -> None:
    rng = np.random.default_rng(3)
    log_odds = rng.normal(-1.5, 1, 8000)
    bad, group = rng.random(8000) < expit(log_odds), rng.choice(np.array(["a", "b"], object), 8000)
    assert assess(expit(log_odds), bad, log_odds < -1.5, {"x": group}, bounds).light == "green"


def test_the_report_is_json_without_a_number_that_is_none(bounds: Bounds) -> None:
    values = report_of(bounds, **MEN_AND_WOMEN, other=(14, 5, 5, 5)).to_json()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert (values["basis"], values["thresholds"]["impact_ratio_flag"]) == ("policy, not regulation", 0.8)


def test_every_group_has_a_row_in_words(bounds: Bounds) -> None:
    first, second = report_of(bounds, **MEN_AND_WOMEN).table()
    assert (first["group"], first["approved"], first["impact ratio"]) == ("men (reference)", "80.0%", "")
    assert second["impact ratio"].startswith("0.72 (")


def test_a_referral_is_no_approval(shipped) -> None:
    grades = shipped("uci_default").grades  # approves below 0.2, refers below 0.55
    assert approved_by_policy(np.array([0.01, 0.1999, 0.2, 0.5, 0.9]), grades).tolist() == [True, True, *[False] * 3]


def test_the_largest_group_is_the_reference_and_the_first_by_name_among_equals() -> None:
    assert largest_group(np.array(["b", "a", "b", UNKNOWN, UNKNOWN, UNKNOWN], object)) == "b"
    assert largest_group(np.array(["b", "a"], object)) == "a"


def test_the_worst_light_wins_and_none_is_not_measured() -> None:
    assert (worst(["green", "amber"]), worst(["not measured", "green"]), worst([])) == (
        "amber",
        "green",
        "not measured",
    )


def test_numbers_json_does_not_have_are_null() -> None:
    assert plain({"a": (1.0, float("nan"), float("inf")), "b": "c"}) == {"a": [1.0, None, None], "b": "c"}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 1)), min_size=1, max_size=120))
def test_any_rows_give_a_report(bounds: Bounds, rows: list[tuple[str, bool, float]]) -> None:
    group, bad, pd_ = (np.array(column) for column in zip(*rows, strict=True))
    small = bounds.model_copy(update={"smallest_cell": 3})
    found = assess(pd_, bad, pd_ < 0.3, {"x": group.astype(object)}, small)
    assert sum(part.rows for part in found.attributes[0].groups) == len(rows)
    json.dumps(found.to_json(), allow_nan=False)


def test_a_report_says_what_its_lights_were_set_by(bounds: Bounds) -> None:
    strict = bounds.model_copy(update={"impact_ratio_flag": 0.5, "impact_ratio_watch": 0.6})
    women = group_of(report_of(strict, **MEN_AND_WOMEN), "women")
    assert women.impact_ratio is not None
    assert women.impact_ratio == replace(women.impact_ratio, light="green")


def test_a_flag_below_its_watch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="impact_ratio_flag must not lie above impact_ratio_watch"):
        load_settings(tmp_path, {"fairness": {"impact_ratio_flag": 0.95}})
