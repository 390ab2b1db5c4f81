"""Slices: who is in them, the AUC their PDs promise, and what is found when one is planted."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from configs.settings import ValidationPolicy, load_settings
from training.psi import edges_of
from training.segments import implied_auc, judge_slices, months, quarters


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> ValidationPolicy:
    home: Path = tmp_path_factory.mktemp("home")
    return load_settings(home).validation


def test_numbers_fall_into_quarters_and_the_missing_apart() -> None:
    labels = quarters(np.array([1.0, 2, 3, 4, np.nan]), ())
    assert labels.tolist() == ["up to 1", "1 to 2", "2 to 3", "above 3", "missing"]


def test_categories_are_slices_by_name() -> None:
    assert quarters(np.array([1.0, 0, np.nan]), ("Bonn", "Ulm")).tolist() == ["Ulm", "Bonn", "missing"]


FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(10**8, 10**8 + 20).map(float)


@given(st.lists(FLOATS, min_size=1, max_size=12, unique=True))
def test_no_two_quarters_share_a_label(values: list[float]) -> None:
    found = np.array(values)
    places = np.searchsorted(edges_of(found, 4), found, side="left")
    assert len(set(quarters(found, ()))) == len(set(places))


def test_edges_told_apart_only_by_their_last_digits_are_told_with_them() -> None:
    labels = quarters(1_000_000 + np.array([0.0, 1, 2, 3]), ())
    assert labels.tolist() == ["up to 1000000", "1000000 to 1000001", "1000001 to 1000002", "above 1000002"]


def test_a_category_called_missing_is_not_the_missing_value() -> None:
    assert quarters(np.array([0.0, np.nan]), ("missing",)).tolist() == ["missing", "(missing)"]


def test_a_column_without_spread_is_one_slice() -> None:
    assert quarters(np.array([7.0, 7, np.nan]), ()).tolist() == ["present", "present", "missing"]


def test_days_fall_into_calendar_months() -> None:
    assert months(np.array([0, 30, 31, 19_723])).tolist() == ["1970-01", "1970-01", "1970-02", "2024-01"]


@given(st.lists(st.sampled_from([0.05, 0.1, 0.3, 0.7]), min_size=2, max_size=12))
def test_the_implied_auc_is_that_counted_pair_by_pair(pds: list[float]) -> None:
    won = total = 0.0
    for p, q in itertools.permutations(pds, 2):
        weight = p * (1 - q)
        won += weight * ((p > q) + 0.5 * (p == q))
        total += weight
    assert implied_auc(np.array(pds)) == pytest.approx(won / total, abs=1e-12)


def test_the_implied_auc_is_what_true_pds_have_on_average() -> None:
    rng = np.random.default_rng(1)
    pds = expit(rng.normal(-1, 1, 500))
    seen = [roc_auc_score(rng.random(500) < pds, pds) for _ in range(300)]
    assert implied_auc(pds) == pytest.approx(np.mean(seen), abs=0.004)


def drawn(rows: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    pds = expit(rng.normal(-1.5, 1, rows))
    town = rng.choice(np.array(["Bonn", "Ulm", "Köln"], object), rows)
    return {"town": town}, pds, rng.random(rows) < pds


def test_true_pds_seldom_have_an_odd_slice(policy: ValidationPolicy) -> None:
    found = [judge_slices(*drawn(1500, seed), policy, keep_small=False) for seed in range(60)]
    assert all(len(parts) == 3 for parts in found)
    assert np.mean([any(part.light != "green" for part in parts) for parts in found]) < 0.2  # two families of 5 %


def test_a_slice_that_cannot_be_ranked_is_found(policy: ValidationPolicy) -> None:
    columns, pds, bad = drawn(6000, 1)
    ulm = columns["town"] == "Ulm"
    noise = np.random.default_rng(2).random(6000) < pds.mean()
    found = judge_slices(columns, pds, np.where(ulm, noise, bad), policy, keep_small=False)
    assert {part.slice: part.light for part in found}["Ulm"] == "red"
    assert {part.slice: part.light for part in found}["Bonn"] == "green"


def test_a_slice_whose_level_is_off_is_found(policy: ValidationPolicy) -> None:
    columns, pds, bad = drawn(6000, 3)
    told = np.where(columns["town"] == "Köln", pds / 2, pds)
    found = {part.slice: part for part in judge_slices(columns, told, bad, policy, keep_small=False)}
    assert found["Köln"].light == "red"
    assert found["Köln"].observed_to_expected.value == pytest.approx(2, abs=0.25)


def test_the_numbers_of_a_slice_are_those_of_its_rows_alone(policy: ValidationPolicy) -> None:
    columns, pds, bad = drawn(3000, 4)
    part = next(one for one in judge_slices(columns, pds, bad, policy, keep_small=False) if one.slice == "Bonn")
    rows = columns["town"] == "Bonn"
    assert (part.rows, part.defaults) == (rows.sum(), bad[rows].sum())
    assert part.auc is not None
    assert part.auc.value == pytest.approx(roc_auc_score(bad[rows], pds[rows]), abs=1e-12)


def test_small_slices_are_left_out_or_kept_grey(policy: ValidationPolicy) -> None:
    data = drawn(200, 5)
    assert judge_slices(*data, policy, keep_small=False) == ()
    kept = judge_slices(*data, policy, keep_small=True)
    assert {(part.light, part.auc, part.level_p) for part in kept} == {("grey", None, None)}
    assert sum(part.rows for part in kept) == 200
