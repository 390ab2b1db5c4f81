"""Reject inference: bounds against every assignment there is, and bands against a portfolio whose truth is known."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from configs.errors import DataError
from configs.settings import Product, RejectInference, load_settings
from features.contracts import to_day
from features.load import check_tables
from features.simulate import Portfolio, Scenario, simulate
from training import dataset
from training.all_who_asked import auc_bounds, expected_auc, through_the_door
from training.dataset import Dataset
from training.rejects import RejectBand, declined_rows, fuzzy, infer, parcelled

PARAMS = {"num_leaves": 5, "learning_rate": 0.1, "min_data_in_leaf": 30}
SCORES = st.integers(0, 5)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> RejectInference:
    shipped = load_settings(tmp_path_factory.mktemp("home")).reject_inference
    return shipped.model_copy(update={"folds": 3})


def by_pairs(score: np.ndarray, bad: np.ndarray) -> float:
    """AUC by comparing each bad with each good."""
    bads, goods = score[bad][:, None], score[~bad]
    return float(((bads > goods) + 0.5 * (bads == goods)).mean())


@given(st.lists(st.tuples(SCORES, st.booleans()), max_size=5), st.lists(SCORES, min_size=1, max_size=6))
def test_the_bounds_of_auc_are_those_of_every_assignment(accepted: list[tuple[int, bool]], declined: list[int]) -> None:
    both = [*accepted, (2, True), (3, False)]
    score, bad = np.array([s for s, _ in both], float), np.array([b for _, b in both])
    everyone = np.array([*score, *declined])
    every = [
        by_pairs(everyone, np.array([*bad, *labels]))
        for labels in itertools.product([False, True], repeat=len(declined))
    ]
    got = auc_bounds(score, bad, np.array(declined, float))
    assert (got.low, got.high) == pytest.approx((min(every), max(every)), abs=1e-12)


@given(st.lists(st.tuples(SCORES, st.booleans()), max_size=20), st.lists(st.tuples(SCORES, st.booleans()), max_size=20))
def test_the_expected_auc_of_certain_labels_is_sklearns(
    accepted: list[tuple[int, bool]], declined: list[tuple[int, bool]]
) -> None:
    both = [*accepted, (2, True), (3, False)]
    score, bad = np.array([s for s, _ in both], float), np.array([b for _, b in both])
    theirs, chance = np.array([s for s, _ in declined], float), np.array([b for _, b in declined], float)
    expected = roc_auc_score([*bad, *chance], [*score, *theirs])
    assert expected_auc(score, bad, theirs, chance) == pytest.approx(expected, abs=1e-12)


def test_the_expected_auc_is_expected_concordant_over_expected_mixed_pairs_by_hand() -> None:
    # Accepted: bad at 3, good at 1. Declined at 2, bad with 1/4. Concordant: 1 + 1/4 (over the good) + 3/4 (under the
    # bad) = 2; mixed pairs: 1 + 1/4 + 3/4 = 2. With the declined at 4 its 3/4 good lies above the bad: 1 + 1/4 of 2.
    ours, bad = np.array([3.0, 1.0]), np.array([True, False])
    assert expected_auc(ours, bad, np.array([2.0]), np.array([0.25])) == pytest.approx(1.0)
    assert expected_auc(ours, bad, np.array([4.0]), np.array([0.25])) == pytest.approx(1.25 / 2)


def test_a_parcel_defaults_by_its_factor_as_often_as_the_accepted_of_its_band() -> None:
    accepted, bad = np.arange(10) / 10, np.array([0, 0, 0, 0, 1, 0, 1, 0, 1, 1], bool)  # halves: 1/5 and 3/5
    got = parcelled(accepted, bad, np.array([0.1, 0.44, 0.46, 5.0]), 2, 1.5)
    assert got == pytest.approx([0.3, 0.3, 0.9, 0.9])
    assert parcelled(accepted, bad, np.array([5.0]), 2, 2.0).tolist() == [1.0]


def test_the_rate_of_all_and_its_interval_are_worked_by_hand() -> None:
    # 4 of 16 accepted, 4 declined at 1/2: 6 of 20; variance 4 x 1/4 of luck and 2^2 / 4 of level: sqrt(2) / 20.
    got = through_the_door(np.arange(16) < 4, np.full(4, 0.5))
    assert got.value == pytest.approx(0.3)
    assert got.high - got.value == pytest.approx(1.959964 * math.sqrt(2) / 20, rel=1e-6)


def made_up(numbers: Callable[..., Dataset], taken: np.ndarray) -> tuple[Dataset, np.ndarray]:
    data = numbers(1500, rows_each=1)
    return data.take(np.flatnonzero(taken)), data.matrix[~taken]


def test_fuzzy_augmentation_returns_about_what_it_was_taught(numbers: Callable[..., Dataset]) -> None:
    accepted, declined = made_up(numbers, np.random.default_rng(1).random(1500) < 0.7)
    for level in (0.1, 0.6):
        got = fuzzy(accepted, declined, np.full(len(declined), level), PARAMS, 60, 1, 1)
        assert got.mean() == pytest.approx(accepted.defaulted.mean() * 0.35 + level * 0.65, abs=0.15)


def test_nobody_declined_is_refused(numbers: Callable[..., Dataset], settings: RejectInference) -> None:
    accepted, declined = made_up(numbers, np.ones(1500, bool))
    with pytest.raises(DataError, match="nobody was declined"):
        infer(accepted, declined, PARAMS, 20, settings, 1, 1)


@pytest.fixture(scope="module")
def people() -> Portfolio:
    """6,000 persons over a year, all of them seen, declined or not."""
    return simulate(Scenario(customers=6000, seed=11, months=13, base_hazard=-5.0, new_share=0.0))


@dataclass(frozen=True)
class Case:
    """A lender that declined some of a simulated portfolio: its band, and what nobody there can know."""

    band: RejectBand
    true_rate: float
    accepted_rate: float


@pytest.fixture(scope="module")
def case_of(people: Portfolio, shipped: Callable[[str], Product], settings: RejectInference) -> Callable[..., Case]:
    product = shipped("consumer_platform")
    product = product.model_copy(update={"tables": (*product.tables, "declined")})
    truth = people.outcomes([12])
    now = to_day((people.month_ends[12] + pd.DateOffset(months=12)).date()) + 5
    newest = people.tables["statements"].groupby("customer_id").last()
    used = (newest["balance"] / newest["credit_limit"]).reindex(truth["customer_id"]).to_numpy()

    @cache
    def case(seen: float, hidden: float) -> Case:
        """Declined by what the features hold (utilisation) and by what they do not (the default itself)."""
        rng = np.random.default_rng(5)
        push = seen * (used - used.mean()) / used.std() + hidden * (truth["defaulted"].to_numpy() - 0.2)
        declined = rng.random(len(truth)) < expit(push - 0.8)
        frames = {
            **people.tables,
            "outcomes": truth[~declined].drop(columns="true_pd"),
            "declined": truth.loc[declined, ["customer_id", "as_of"]],
        }
        tables = check_tables(frames, product, "simulation")
        data = dataset.assemble(product, tables, now)
        rows = declined_rows(product, tables, data.program, now)
        assert len(rows) == declined.sum()
        band = infer(data, rows, PARAMS, 40, settings, 1, 1)
        return Case(band, float(truth["defaulted"].mean()), float(truth.loc[~declined, "defaulted"].mean()))

    return case


@pytest.mark.parametrize(
    ("seen", "hidden", "in_band"),
    [
        (0.0, 0.0, True),  # declined by lot
        (1.5, 0.0, True),  # declined by what the features hold
        (1.0, 0.4, True),  # a little beyond the features, within the prudent factor
        (0.0, 3.0, False),  # declined by what no feature holds: no method sees it, the bounds do
    ],
    ids=["by lot", "by features", "a little beyond", "far beyond"],
)
def test_the_truth_lies_within_the_bounds_always_and_within_the_band_where_stated(
    case_of: Callable[..., Case], seen: float, hidden: float, in_band: bool
) -> None:
    case = case_of(seen, hidden)
    bounds, band = case.band.default_rate_bounds, case.band.default_rate_band
    assert bounds.low <= case.true_rate <= bounds.high
    assert (band.low <= case.true_rate <= band.high) is in_band
    assert bounds.low <= band.low <= band.high <= bounds.high


def test_the_accepted_alone_look_better_than_all_who_asked(case_of: Callable[..., Case]) -> None:
    case = case_of(1.5, 0.0)
    assert case.accepted_rate < case.band.default_rate_band.low
    assert case.band.accepted_default_rate == pytest.approx(case.accepted_rate)


def test_every_method_is_within_the_bounds_of_auc_and_json_tells_it_is_a_band(case_of: Callable[..., Case]) -> None:
    band = case_of(1.5, 0.0).band
    assert all(band.auc_bounds.low <= method.auc <= band.auc_bounds.high for method in band.methods[1:])
    values = json.loads(json.dumps(band.to_json(), allow_nan=False))
    assert values["basis"].startswith("a band, never a number")
    assert [method["name"] for method in values["methods"]] == [
        "accept-only",
        "parcelling x 1",
        "parcelling x 1.5",
        "fuzzy augmentation",
    ]
    assert [row["method"] for row in band.table()][-2:] == ["band", "bounds"]


def test_a_product_that_lists_the_declined_needs_them(numbers: Callable[..., Dataset], shipped) -> None:
    with pytest.raises(DataError, match="lists the table 'declined', and the data hold none"):
        declined_rows(shipped("consumer_platform"), {}, numbers(40).program, 0)


def test_who_was_seen_after_all_or_whose_window_is_open_is_not_among_the_declined(
    people: Portfolio, shipped: Callable[[str], Product]
) -> None:
    product = shipped("consumer_platform")
    product = product.model_copy(update={"tables": (*product.tables, "declined")})
    truth = people.outcomes([0]).drop(columns="true_pd")
    asked = truth.loc[:9, ["customer_id", "as_of"]]
    late = asked.assign(as_of=people.month_ends[6])
    frames = {**people.tables, "outcomes": truth[6:], "declined": pd.concat([asked, late])}
    tables = check_tables(frames, product, "simulation")
    now = to_day((people.month_ends[0] + pd.DateOffset(months=12)).date()) + 5
    program = dataset.assemble(product, tables, now).program
    assert len(declined_rows(product, tables, program, now)) == 6
