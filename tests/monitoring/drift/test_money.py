"""Drift in money: what matters shows as much, what matters to nobody as nothing, and the policy is the policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.policy import KnockOut, Pricing
from configs.settings import Product
from configs.settings import Settings as HouseSettings
from monitoring.drift import money as money_module
from monitoring.drift.grants import granted
from monitoring.drift.money import Money, drift_in_money
from monitoring.drift.reference import Reference, reference_of
from monitoring.drift.transport import put_back
from monitoring.drift.windows import Asked, Window, from_tables
from serving.knock_outs import Applicant, read
from serving.policy import grant

RULES = (
    KnockOut(
        name="too_much", request="requested_amount", operator=">", bound=900.0, decision="refer", missing="pass",
        reason="r", reason_zh="r",
    ),
    KnockOut(
        name="late", feature="inflow_mean_6m", operator="<=", bound=50.0, decision="decline", missing="refer",
        reason="r", reason_zh="r",
    ),
)  # fmt: skip


def variants(product: Product) -> list[Product]:
    """The product as shipped, and with each part of a policy that it has not."""
    pricing = Pricing(funding_rate=0.03, operating_cost_rate=0.02, margin_rate=0.02, maximum_rate=0.1)
    changes = [
        {},
        {"knock_outs": RULES, "below_minimum": "decline"},
        {"pricing": pricing, "referral_band": {"low": 0.07, "high": 0.09}},
    ]
    policies = [product.policy.model_validate(product.policy.model_dump() | change) for change in changes]
    return [product.model_copy(update={"policy": policy}) for policy in policies]


NUMBER = st.one_of(st.just(np.nan), st.floats(-100, 5000))
ROWS = st.lists(st.tuples(st.floats(1e-4, 0.6), NUMBER, NUMBER, NUMBER, st.booleans()), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_the_policy_over_a_book_is_the_policy_one_by_one(shipped: Callable[[str], Product], rows: list) -> None:
    pds, capacity, amount, exposure, known = (np.array(column) for column in zip(*rows, strict=True))
    exposure = np.abs(exposure)
    for product in variants(shipped("consumer_platform")):
        bounds = [grade.pd_below for grade in product.grades if grade.pd_below is not None]
        places = np.searchsorted(bounds, pds, side="right")
        book = granted(product, pds, places, {"inflow_mean_6m": capacity}, Asked(amount, exposure, known))
        for row in range(len(rows)):
            said = read(("amount", "exposure", "capacity"), (amount[row], exposure[row], capacity[row]))
            who = Applicant(said["amount"], said["exposure"], {"inflow_mean_6m": said["capacity"]}, bool(known[row]))
            one = grant(product, product.grades[places[row]], float(pds[row]), who)
            assert (one.decision == "approve", one.decision == "refer") == (book.approved[row], book.referred[row])
            assert one.limit == book.limit[row]


def test_a_column_put_back_has_its_former_distribution_and_its_order() -> None:
    rng = np.random.default_rng(1)
    then, now = rng.lognormal(size=5000), 100 * rng.lognormal(size=1000)
    back = put_back(now, then, rng.random(1000), rng.random(5000), True, rng)
    assert np.argsort(back).tolist() == np.argsort(now).tolist()
    assert np.quantile(back, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(then, [0.1, 0.5, 0.9]), rel=0.02)


def test_a_column_that_did_not_move_stays() -> None:
    rng = np.random.default_rng(2)
    column = np.where(rng.random(800) < 0.2, np.nan, np.round(rng.lognormal(1, 1, 800)))
    np.testing.assert_array_equal(put_back(column, column, rng.random(800), rng.random(800), True, rng), column)


@pytest.mark.parametrize("dead", [np.nan, 7.0])
def test_a_dead_feed_is_filled_by_what_rows_of_the_same_risk_had(dead: float) -> None:
    rng = np.random.default_rng(3)
    risk_then, risk_now = rng.random(4000), rng.random(1000)
    then = np.where(rng.random(4000) < 0.1, np.nan, risk_then)
    back = put_back(np.full(1000, dead), then, risk_now, risk_then, True, rng)
    assert np.isnan(back).mean() == pytest.approx(0.1, abs=0.02)
    filled = ~np.isnan(back)
    assert np.abs(back[filled] - risk_now[filled]).mean() < 0.05


def test_where_the_reference_knew_nothing_nothing_is_put_back() -> None:
    rng = np.random.default_rng(4)
    now = rng.normal(size=10)
    assert put_back(now, np.full(20, np.nan), now, np.zeros(20), True, rng).tolist() == now.tolist()


@pytest.fixture(scope="module")
def book(world, unchanged, tables_with, watched_day: int) -> Window:
    """A scored book in which nothing is wrong."""
    return from_tables(world.scorer, tables_with(unchanged), watched_day)


@pytest.fixture(scope="module")
def reference(world) -> Reference:
    """The time the model was made."""
    return reference_of(world.bundle, world.settings.monitoring)


@pytest.fixture(scope="module")
def counted(world, book: Window, reference: Reference) -> Callable[..., Money]:
    """The drift in money of the book with some columns changed, these being the suspects."""

    def measured(suspects: list[str], change: Callable[[np.ndarray], np.ndarray], **bounds: int) -> Money:
        values = book.values.copy()
        for name in suspects:
            place = world.bundle.program.names.index(name)
            values[:, place] = change(values[:, place])
        moved = replace(book, values=values, default_probability=world.bundle.default_probability(values))
        house: HouseSettings = world.settings
        settings = house.monitoring.model_copy(update=bounds)
        return drift_in_money(moved, reference, world.bundle, world.product, suspects, settings)

    return measured


def test_twelve_shifted_columns_that_the_model_does_not_read_cost_nothing(world, counted) -> None:
    used = set(np.flatnonzero(world.bundle.booster.feature_importance("split")))
    idle = [name for place, name in enumerate(world.bundle.program.names) if place not in used]
    found = counted(idle[:12], lambda column: column + 10 * np.nanstd(column) + 1)
    assert len(idle) >= 3
    assert {effect.at_stake.value for effect in found.effects} == {0.0}
    assert found.material == ()


def test_a_unit_error_in_a_column_that_matters_is_large_money(counted) -> None:
    found = counted(["inflow_mean_6m"], lambda column: 100 * column)
    effect = found.of("inflow_mean_6m")
    assert effect is not None
    assert effect.material
    assert effect.at_stake.low > 0.1 * found.expected_loss
    assert effect.limits.low > 0  # capacity no longer binds


def test_a_column_that_holds_is_next_to_no_money(counted) -> None:
    found = counted(["inflow_mean_6m"], lambda column: column)
    effect = found.of("inflow_mean_6m")
    assert effect is not None
    assert not effect.material
    assert effect.at_stake.value < 0.05 * found.expected_loss


def test_features_of_one_feed_are_put_back_together_once(counted) -> None:
    names = ["inflow_mean_6m", "inflow_mean_12m", "inflow_min_12m"]
    found = counted(names, lambda column: 100 * column)
    together = [effect for effect in found.effects if effect.kind != "feature"]
    assert [sorted(effect.features) for effect in together] == [sorted(names)]
    stakes = [effect.at_stake.value for effect in found.effects]
    assert stakes == sorted(stakes, reverse=True)


def test_the_interval_holds_the_estimate_and_a_drawn_part_agrees_with_the_whole(counted) -> None:
    def hundredfold(column: np.ndarray) -> np.ndarray:
        return 100 * column

    whole = counted(["inflow_mean_6m"], hundredfold).effects[0].at_stake
    part = counted(["inflow_mean_6m"], hundredfold, money_rows=1000)
    assert whole.low < whole.value < whole.high
    assert part.scored == 1000 < part.rows
    assert part.effects[0].at_stake.value == pytest.approx(whole.value, rel=0.15)


def test_rows_that_stay_in_their_cell_keep_their_pd_as_scoring_all_of_them_would(
    counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["inflow_mean_6m", "balance_mean_6m"]
    quick = counted(names, lambda column: 1.3 * column)
    monkeypatch.setattr(money_module, "_thresholds", lambda _: None)
    assert counted(names, lambda column: 1.3 * column) == quick


def test_the_same_window_gives_the_same_money(counted) -> None:
    assert counted(["inflow_mean_6m"], np.sqrt) == counted(["inflow_mean_6m"], np.sqrt)
