"""What a model is worth in place of another: by hand, and never a gain where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.settings import Product, load_product, load_settings
from configs.watching import Worth as WorthSettings
from features.declaration import Constant, Feature
from monitoring.retraining.preview import Judged, preview
from monitoring.retraining.worth import (
    Decided,
    bootstrap_means,
    compare,
    decided,
    misstated,
    policy_reads,
    profit,
    yearly_volume,
)


@pytest.fixture(scope="module")
def money(tmp_path_factory: pytest.TempPathFactory) -> WorthSettings:
    """The shipped settings, with fewer draws."""
    settings = load_settings(tmp_path_factory.mktemp("empty")).worth
    return settings.model_copy(update={"draws": 300, "cost_of_change": 100.0})


@pytest.fixture(scope="module")
def product(shipped: Any) -> Product:
    """Loss given default 0.60, no price; capacity is the mean inflow."""
    return shipped("consumer_platform")


def granted(*limits: float, decision: str = "approve") -> Decided:
    count = len(limits)
    return Decided(np.array([decision] * count, object), np.array(limits, float), np.full(count, 0.04))


def ids(count: int) -> np.ndarray:
    return np.array([f"c{place}" for place in range(count)], object)


def test_the_policy_grants_what_the_service_would(product: Product, money: WorthSettings) -> None:
    # A: min(5000 cap, 60/(0.005 x 0.6) = 20000 appetite, 1000 x 2) = 2000; E: min(400, 1000, 300) = 300, half of it
    # for a referral; F: nothing.
    made = decided(product, np.array([0.005, 0.10, 0.30]), np.full((3, 1), 1000.0), money)
    assert made.decision.tolist() == ["approve", "refer", "decline"]
    assert made.limit.tolist() == [2000.0, 150.0, 0.0]


def test_a_good_earns_its_margin_and_a_bad_loses_what_is_lost_given_default(
    product: Product, money: WorthSettings
) -> None:
    # Exposure 0.6 x 1000. Good: 600 x 0.04 = 24. Bad: -600 x 0.6 = -360.
    assert profit(product, granted(1000, 1000), np.array([0, 1]), money).tolist() == pytest.approx([24.0, -360.0])


def test_a_priced_product_earns_its_rate_less_what_the_money_and_the_work_cost(
    shipped: Any, money: WorthSettings
) -> None:
    priced = next(p for p in map(shipped, ("trade_credit", "bank_lending")) if p.policy.pricing is not None)
    rules, pd_ = priced.policy.pricing, 0.01
    assert rules is not None
    made = decided(priced, np.array([pd_]), np.full((1, len(priced.policy.reads())), 1e5), money)
    expected = pd_ * priced.policy.loss_given_default + rules.margin_rate  # cost-plus: what is left is risk and margin
    assert made.margin[0] == pytest.approx(expected, abs=1e-6)


def test_at_equal_exposure_by_hand(product: Product, money: WorthSettings) -> None:
    few = money.model_copy(update={"minimum_defaults": 1})
    # The champion lends 1000 to each, the challenger 3000 to the good alone: scaled to the champion's 2000.
    found = compare(product, granted(1000, 1000), granted(3000, 0), np.array([0, 1]), ids(2), 24.0, few)
    assert found is not None
    # Champion: (24 - 360) / 2 a decision. Challenger: 3000 x 0.6 x 0.04 / 2 x 2000/3000 = 24. Times 24 decisions.
    assert found.value == pytest.approx((24 + 168) * 24)
    assert found.as_granted == pytest.approx((36 + 168) * 24)
    assert (found.changed, found.volume, found.exposure_change) == (2, 24.0, pytest.approx(0.5))


def test_the_same_decisions_are_worth_nothing(product: Product, money: WorthSettings) -> None:
    same, bad = granted(*[1000.0] * 200), np.arange(200) % 4 == 0
    found = compare(product, same, same, bad, ids(200), 1000.0, money)
    assert found is not None
    assert (found.value, found.low, found.high, found.changed, found.pays) == (0.0, 0.0, 0.0, 0, False)


@given(st.floats(0.1, 10))
def test_to_lend_more_to_everybody_is_no_merit_of_a_model(factor: float) -> None:
    settings = WorthSettings(
        margin=0.04,
        exposure_share=1.0,
        referred_share=0.0,
        cost_of_change=0.0,
        horizon_months=12,
        confidence=0.95,
        minimum_defaults=1,
        draws=100,
        seed=1,
    )
    made = load_product("consumer_platform", Path("nowhere"))
    limits = np.linspace(100, 1000, 50)
    bad = np.arange(50) % 9 == 0
    found = compare(made, granted(*limits), granted(*limits * factor), bad, ids(50), 50.0, settings)
    assert found is not None
    assert found.value == pytest.approx(0.0, abs=1e-6)
    assert found.high == pytest.approx(0.0, abs=1e-6)


def test_too_few_defaults_value_nothing(product: Product, money: WorthSettings) -> None:
    assert compare(product, granted(1, 1), granted(2, 2), np.array([0, 1]), ids(2), 2.0, money) is None


def test_a_challenger_who_lends_nothing_loses_what_the_champion_earned(product: Product, money: WorthSettings) -> None:
    none = granted(*[0.0] * 100, decision="decline")
    bad = np.arange(100) < 2
    few = money.model_copy(update={"minimum_defaults": 1})
    found = compare(product, granted(*[1000.0] * 100), none, bad, ids(100), 100.0, few)
    assert found is not None
    assert found.value == pytest.approx(-(98 * 24 - 2 * 360))


def test_a_gain_pays_only_if_its_lower_bound_exceeds_the_cost(product: Product, money: WorthSettings) -> None:
    rng = np.random.default_rng(3)
    bad = rng.random(2000) < 0.05
    caught = np.where(bad & (rng.random(2000) < 0.3), 0.0, 1000.0)
    found = compare(product, granted(*[1000.0] * 2000), granted(*caught), bad, ids(2000), 2000.0, money)
    assert found is not None
    assert found.pays
    dearer = money.model_copy(update={"cost_of_change": (found.low + found.value) / 2})
    again = compare(product, granted(*[1000.0] * 2000), granted(*caught), bad, ids(2000), 2000.0, dearer)
    assert again is not None
    assert again.value > again.cost
    assert not again.pays


def test_the_rows_of_a_customer_are_drawn_together() -> None:
    rng = np.random.default_rng(4)
    value = rng.normal(size=400)
    alone = bootstrap_means(np.repeat(value, 5)[:, None], np.arange(2000), 400, 1).std()
    together = bootstrap_means(np.repeat(value, 5)[:, None], np.repeat(np.arange(400), 5), 400, 1).std()
    assert together == pytest.approx(value.std() / 20, rel=0.15)  # the error of 400 independent values
    assert together > 1.8 * alone


def test_loss_beyond_what_was_foretold_by_hand(product: Product, money: WorthSettings) -> None:
    # 10 of 100 go bad where 4 were foretold: 0.06 x 0.6 x 0.6 x 1000 = 21.6 a decision.
    bad = np.arange(100) < 10
    found = misstated(product, granted(*[1000.0] * 100), np.full(100, 0.04), bad, ids(100), 100.0, money)
    assert found.value == pytest.approx(2160.0)
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("days", "count", "yearly"),
    [([0], 700, 700), ([0, 30, 61], 300, 300 * 365.25 / (61 + 30.5)), (list(range(365)), 365, 365 * 365.25 / 365)],
)
def test_a_years_decisions_at_the_pace_of_the_window(days: list[int], count: int, yearly: float) -> None:
    assert yearly_volume(np.array(days, np.int32), count) == pytest.approx(yearly)


def test_what_the_policy_reads_is_built_without_the_model(world, watched_day: int, tables_with, unchanged) -> None:
    tables = tables_with(unchanged)
    customers = unchanged.customer_id[:50]
    days = np.full(50, watched_day, np.int32)
    names = world.bundle.program.names
    expected = world.scorer.score(tables, customers, days).values[:, [names.index("inflow_mean_6m")]]
    assert policy_reads(world.product, tables, customers, days).tobytes() == expected.tobytes()


def _judged(rng: np.random.Generator, rows: int, believed: float, true: float) -> Judged:
    """Two features; the champion believes in the first as strongly as said; the truth weighs the second."""
    x = rng.normal(size=(rows, 2))
    bad = rng.random(rows) < 1 / (1 + np.exp(2.8 - believed * x[:, 0] - true * x[:, 1]))
    pds = 1 / (1 + np.exp(2.8 - believed * x[:, 0]))
    return Judged(x, np.full((rows, 1), 1000.0), pds, bad.astype(np.int8), ids(rows))


@pytest.fixture(scope="module")
def two() -> tuple[Feature, ...]:
    """Two declared features."""
    return tuple(Feature(name, "column", Constant(0.0), "", "", "unknown", "", "") for name in "xy")


def test_a_model_that_misses_nothing_has_nothing_to_gain(product: Product, money: WorthSettings, two) -> None:
    found = preview(product, _judged(np.random.default_rng(7), 3000, 1.2, 0.0), two, 3000.0, money)
    assert found.refit is not None
    assert found.recalibrate is not None
    assert found.misstated is not None
    assert not found.refit.pays
    assert not found.recalibrate.pays
    assert found.misstated.low < 0 < found.misstated.high


def test_a_model_that_misses_what_now_counts_is_worth_replacing(product: Product, money: WorthSettings, two) -> None:
    found = preview(product, _judged(np.random.default_rng(8), 3000, 0.5, 1.5), two, 3000.0, money)
    assert found.refit is not None
    assert found.recalibrate is not None
    assert found.refit.pays
    assert found.refit.low > found.recalibrate.high


def test_without_defaults_nothing_is_previewed(product: Product, money: WorthSettings, two) -> None:
    rows = _judged(np.random.default_rng(9), 50, 0.0, 0.0)
    none = Judged(rows.values, rows.reads, rows.default_probability, np.zeros(50, np.int8), rows.customer_id)
    found = preview(product, none, two, 50.0, money)
    assert (found.misstated, found.recalibrate, found.refit) == (None, None, None)
