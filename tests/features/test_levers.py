"""Levers: every one moves features there are, the way risk falls, and none that a customer cannot change."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from configs.settings import HERE, ColumnSpec, load_product, read_toml
from features.catalogue import DECLARED, column_features, product_features
from features.levers import LEVERS, digest, levers_of, months_of

BY_NAME = {item.name: item for item in DECLARED}
PROTECTED = {name for place in read_toml(HERE / "protected.toml").values() for name in place["attributes"]}


def test_every_lever_moves_declared_features_that_share_a_known_direction() -> None:
    for lever in LEVERS:
        assert len({BY_NAME[name].direction for name, _ in lever.features} - {0}) == 1, lever.name


def test_a_feature_is_moved_by_one_lever_and_a_lever_is_named_once() -> None:
    moved = [name for lever in LEVERS for name, _ in lever.features]
    assert len(moved) == len(set(moved))
    assert len({lever.name for lever in LEVERS}) == len(LEVERS)


def test_nothing_that_a_customer_cannot_change_is_moved() -> None:
    moved = {name for lever in LEVERS for name, _ in lever.features}
    fixed = ("court_", "tax_", "news_", "days_on_book", "days_as_", "days_since_late", "credit_limit", "_level", "age")
    assert not {name for name in moved if name.startswith(fixed) or name.endswith(fixed)}
    assert not moved & PROTECTED


def test_every_lever_is_told_in_both_languages_with_its_goal() -> None:
    for lever in LEVERS:
        assert "{goal}" in lever.told, lever.name
        assert "{goal}" in lever.told_zh, lever.name
        assert any("\u4e00" <= letter <= "\u9fff" for letter in lever.told_zh), lever.name


@pytest.mark.parametrize("never", [("utilisation",), tuple(name for name, _ in LEVERS[0].features)])
def test_a_product_may_forbid_a_lever_or_its_features(never) -> None:
    features = product_features(load_product("consumer_platform", Path("/nonexistent")), {})
    names = {lever.name for lever in levers_of(features, (), never)}
    assert "utilisation" not in names
    assert "payment_ratio" in names


def test_a_flat_column_is_advised_only_where_its_product_says_how() -> None:
    told = ColumnSpec(name="savings", risk="falls", advice="Save at least {goal}", advice_step=100.0)
    columns = (told, ColumnSpec(name="age", risk="falls"))
    levers = levers_of(column_features(columns, {}), columns, ())
    assert [(lever.name, lever.step) for lever in levers] == [("savings", 100.0)]


@pytest.mark.parametrize("said", [{"risk": "unknown"}, {"kind": "category"}, {"advice": "Save more"}])
def test_advice_on_a_column_without_direction_or_goal_is_refused(said) -> None:
    with pytest.raises(ValidationError, match="advice"):
        ColumnSpec(**{"name": "savings", "risk": "falls", "advice": "Save {goal}", **said})


def test_months_are_those_of_the_longest_window() -> None:
    months = [
        months_of(BY_NAME[name].formula) for name in ("utilisation_last", "paid_share_12m", "open_to_monthly_sales")
    ]
    assert months == [0, 12, 12]


def test_what_is_declared_has_one_digest() -> None:
    assert digest(LEVERS) == digest(LEVERS)
    assert digest(LEVERS) != digest(LEVERS[1:])
