"""The proxy test: a group the features give away is flagged with what gives it away; one they do not know is not."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from configs.settings import Fairness as Bounds
from configs.settings import load_settings
from training.dataset import Dataset
from training.protected import UNKNOWN
from training.proxy import Proxy, proxy_test, strongest


@pytest.fixture(scope="module")
def bounds(tmp_path_factory: pytest.TempPathFactory) -> Bounds:
    return load_settings(tmp_path_factory.mktemp("home")).fairness


@pytest.fixture(scope="module")
def data(numbers: Callable[..., Dataset]) -> Dataset:
    return numbers(900)


def proxies_of(data: Dataset, bounds: Bounds, **labels: np.ndarray) -> tuple[Proxy, ...]:
    return proxy_test(data.matrix, data.program.features, data.customer_id, labels, bounds, seed=1, threads=1)


def test_a_group_that_a_feature_gives_away_is_red_and_the_feature_named(data: Dataset, bounds: Bounds) -> None:
    income = data.matrix[:, 1] + np.random.default_rng(1).normal(0, 0.5, len(data))
    (proxy,) = proxies_of(data, bounds, sex=np.where(income > 0.5, "f", "m").astype(object))
    assert (proxy.group, proxy.light, proxy.features[0][0]) == ("f", "red", "income")
    assert proxy.low <= proxy.auc <= proxy.high


def test_a_group_drawn_at_random_is_green(data: Dataset, bounds: Bounds) -> None:
    by_customer = np.unique(data.customer_id, return_inverse=True)[1]
    drawn = np.random.default_rng(2).choice(np.array(["f", "m"], object), by_customer.max() + 1)
    (proxy,) = proxies_of(data, bounds, sex=drawn[by_customer])
    assert proxy.light == "green"
    assert proxy.auc == pytest.approx(0.5, abs=0.08)


def test_each_of_several_groups_is_asked_for_unless_it_is_too_small(data: Dataset, bounds: Bounds) -> None:
    labels = np.array(["a"] * 400 + ["b"] * 300 + ["c"] * 150 + ["d"] * 20 + [UNKNOWN] * 30, object)
    assert [(one.group, one.rows) for one in proxies_of(data, bounds, x=labels)] == [("a", 400), ("b", 300), ("c", 150)]


def test_of_many_rows_some_are_drawn(data: Dataset, bounds: Bounds) -> None:
    few = bounds.model_copy(update={"proxy_rows": 300})
    (proxy,) = proxies_of(data, few, x=np.resize(np.array(["a", "b"], object), 900))
    assert proxy.rows == pytest.approx(150, abs=40)


def test_what_tells_most_of_groups_that_can_be_told_comes_first() -> None:
    told = Proxy("sex", "f", 100, 0.8, 0.75, 0.85, (("income", 0.6), ("town", 0.4)), "red")
    hardly = Proxy("age", "old", 100, 0.55, 0.48, 0.62, (("debt", 1.0),), "green")
    assert strongest([told, hardly], 5) == ("income", "town")
    assert strongest([told, hardly], 1) == ("income",)


def test_a_proxy_is_json() -> None:
    values = Proxy("sex", "f", 100, 0.8, 0.75, 0.85, (("income", 0.6),), "red").to_json()
    assert json.loads(json.dumps(values))["features"] == [["income", 0.6]]
