"""The certificate: what it calls proved no search can break, and what it refuses two rows really do break."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from configs.errors import BundleError
from configs.settings import ColumnSpec
from features.catalogue import column_features
from features.declaration import Feature
from training.monotone import certify

RISKS = ("rises", "falls", "unknown")


def declared(*risks: str, town: bool = True) -> tuple[Feature, ...]:
    specs = [ColumnSpec(name=f"number_{place}", risk=risk) for place, risk in enumerate(risks)]  # type: ignore[arg-type]
    towns = [ColumnSpec(name="town", kind="category")] if town else []
    return tuple(column_features([*specs, *towns], {"town": ["Bonn", "Köln", "Ulm", "Jena"]}))


def booster(
    features: Sequence[Feature],
    seed: int,
    rounds: int,
    *,
    constrained: bool = True,
    leaves: int = 8,
    missing: float = 0.2,
    **parameters: Any,
) -> lgb.Booster:
    """A model of noise, so that every shape comes up; trained with or without the constraints."""
    rng = np.random.default_rng(seed)
    values = np.column_stack(
        [rng.integers(0, 4, 200).astype(float) if item.categories else rng.normal(size=200) for item in features]
    )
    bad = rng.random(200) < 0.3 + 0.4 * (values[:, 0] * values[:, 1] > 0)
    values[rng.random(values.shape) < missing] = np.nan
    everything = {
        "objective": "binary",
        "verbosity": -1,
        "num_threads": 1,
        "deterministic": True,
        "seed": seed,
        "num_leaves": leaves,
        "min_data_in_leaf": 5,
        "min_data_per_group": 5,
        "cat_smooth": 1.0,
        "learning_rate": 0.3,
        "monotone_constraints": [item.direction for item in features] if constrained else None,
        **parameters,
    }
    categories = [place for place, item in enumerate(features) if item.categories]
    rows = lgb.Dataset(values, bad, categorical_feature=categories, params={"verbosity": -1})
    return lgb.train(everything, rows, rounds)


def score(model: lgb.Booster, rows: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict(rows, raw_score=True, num_threads=1))


def every_value(model: lgb.Booster, features: Sequence[Feature]) -> list[np.ndarray]:
    """Of each feature a value below, between, on and above all thresholds, and missing: read from the model's text."""
    found: list[set[float]] = [set() for _ in features]
    frame = model.trees_to_dataframe().dropna(subset=["threshold"])
    for name, threshold, kind in zip(frame["split_feature"], frame["threshold"], frame["decision_type"], strict=True):
        if kind == "<=":
            found[model.feature_name().index(name)].add(float(threshold))
    values = []
    for item, thresholds in zip(features, found, strict=True):
        cuts = np.array(sorted(thresholds)) if thresholds else np.zeros(1)
        numbers = np.unique(np.concatenate([[cuts[0] - 1], cuts, cuts + 1e-9, (cuts[1:] + cuts[:-1]) / 2]))
        values.append(np.append(np.arange(5.0) if item.categories else numbers, np.nan))
    return values


def worst_on_grid(model: lgb.Booster, features: Sequence[Feature], place: int, seed: int, rows: int = 150) -> float:
    """The largest step the wrong way, over all values of one feature, the others drawn from theirs."""
    values = every_value(model, features)
    numbers = values[place][:-1]
    rng = np.random.default_rng(seed)
    others = np.column_stack([rng.choice(column, rows) for column in values])
    grid = np.repeat(others[:, None, :], len(numbers), axis=1)
    grid[:, :, place] = numbers
    risen = features[place].direction * score(model, grid.reshape(-1, len(features))).reshape(rows, -1)
    return float((np.maximum.accumulate(risen, axis=1) - risen).max())


@given(
    risks=st.tuples(*[st.sampled_from(RISKS)] * 3),
    seed=st.integers(0, 10**6),
    rounds=st.integers(1, 6),
    leaves=st.integers(2, 14),
    constrained=st.booleans(),
    missing=st.sampled_from([0.0, 0.2]),
)
@settings(max_examples=60, deadline=None)
def test_what_is_proved_no_dense_grid_breaks_and_what_is_not_its_witness_breaks(
    risks: tuple[str, ...], seed: int, rounds: int, leaves: int, constrained: bool, missing: float
) -> None:
    features = declared(*risks)
    model = booster(features, seed, rounds, leaves=leaves, constrained=constrained, missing=missing)
    for finding in certify(model, features).findings:
        place = [item.name for item in features].index(finding.feature)
        on_grid = worst_on_grid(model, features, place, seed)
        if finding.proved:
            assert on_grid == 0.0
        assert on_grid <= finding.at_most + 1e-12
        if finding.violation is not None:
            low, high = score(model, finding.violation.rows())
            assert features[place].direction * (low - high) == finding.violation.size > 0


@given(seed=st.integers(0, 10**6), rounds=st.integers(1, 6), leaves=st.integers(2, 14))
@settings(max_examples=40, deadline=None)
def test_lightgbms_own_constraints_are_always_proved(seed: int, rounds: int, leaves: int) -> None:
    features = declared("rises", "falls", "rises")
    assert certify(booster(features, seed, rounds, leaves=leaves), features).holds


@given(seed=st.integers(0, 10**6), leaves=st.integers(2, 7))
@example(seed=50243, leaves=3)  # a split at 1e300, which parts all numbers from what is missing
@settings(max_examples=40, deadline=None)
def test_of_a_single_tree_the_certificate_is_exact(seed: int, leaves: int) -> None:
    # Every combination of values that the tree can tell apart: nothing is left to chance.
    features = declared("rises", "falls")
    model = booster(features, seed, 1, leaves=leaves, constrained=False)
    values = every_value(model, features)
    grid = score(model, np.array(list(itertools.product(*values)))).reshape([len(column) for column in values])
    for place, finding in enumerate(certify(model, features).findings):
        risen = features[place].direction * np.moveaxis(grid, place, -1)[..., :-1]
        worst = float((np.maximum.accumulate(risen, axis=-1) - risen).max())
        assert finding.proved == (worst == 0)
        assert finding.at_most == pytest.approx(worst, abs=1e-12)
        assert (finding.violation.size if finding.violation else 0.0) == pytest.approx(worst, abs=1e-12)


@pytest.fixture(scope="module")
def bent() -> tuple[lgb.Booster, tuple[Feature, ...]]:
    """A model of a risk that rises to 0 and falls after it, of a feature declared to rise."""
    features = declared("rises", "falls", town=False)
    rng = np.random.default_rng(4)
    values = rng.uniform(-2, 2, (2000, 2))
    bad = rng.random(2000) < np.where(np.abs(values[:, 0]) < 0.7, 0.6, 0.1)
    parameters = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 6, "seed": 1}
    return lgb.train(parameters, lgb.Dataset(values, bad), 30), features


def test_a_planted_violation_is_shown_with_its_rows(bent: tuple[lgb.Booster, tuple[Feature, ...]]) -> None:
    model, features = bent
    found = certify(model, features)
    finding = found.findings[0]
    assert not found.holds
    assert finding.violation is not None
    low, high = score(model, finding.violation.rows())
    assert low - high == finding.violation.size == found.worst
    assert finding.violation.low[0] < finding.violation.high[0]  # type: ignore[operator]
    assert finding.violation.low[1:] == finding.violation.high[1:]


def test_the_worst_violation_is_as_bad_as_the_worst_of_a_dense_grid(
    bent: tuple[lgb.Booster, tuple[Feature, ...]],
) -> None:
    model, features = bent
    assert certify(model, features).worst >= 0.95 * worst_on_grid(model, features, 0, 5, rows=400)


def test_trees_that_make_up_for_each_other_are_no_violation_and_no_proof() -> None:
    # One tree falls by 0.1 at 0, the next rises by 0.5 there: the sum rises, but no tree proves it.
    features = declared("rises", "rises", town=False)
    text = booster(features, 1, 2, leaves=2, constrained=False, missing=0.0).model_to_string(start_iteration=0)
    head, *trees = text.split("Tree=")
    stumps = [_stump(trees[0], [0.1, 0.0]), _stump(trees[1], [0.0, 0.5])]
    tail = trees[-1][trees[-1].index("end of trees") :]
    body = "".join(f"Tree={stump}" for stump in stumps)
    lines = [line for line in head.splitlines() if not line.startswith("tree_sizes")]
    model = lgb.Booster(model_str="\n".join(lines) + "\n\n" + body + tail)
    finding = certify(model, features).findings[0]
    assert (finding.proved, finding.violation, finding.at_most) == (False, None, 0.1)


def _stump(text: str, leaves: list[float]) -> str:
    changed = {"split_feature": "0", "threshold": "0", "leaf_value": " ".join(map(str, leaves))}
    lines = []
    for line in text[: text.find("end of trees") if "end of trees" in text else None].splitlines():
        key = line.split("=")[0]
        lines.append(f"{key}={changed[key]}" if key in changed else line)
    return "\n".join(lines) + "\n"


def test_a_feature_without_direction_and_a_category_are_not_spoken_of() -> None:
    features = declared("unknown", "falls")
    assert [f.feature for f in certify(booster(features, 2, 3), features).findings] == [features[1].name]


def test_a_feature_no_tree_splits_on_is_proved() -> None:
    features = declared("rises", "falls", "rises", town=False)
    rng = np.random.default_rng(1)
    values = np.column_stack([rng.normal(size=(200, 2)), np.ones(200)])
    model = lgb.train({"objective": "binary", "verbosity": -1}, lgb.Dataset(values, values[:, 0] > 0), 3)
    assert certify(model, features).findings[2].proved


def test_a_tree_of_one_leaf_is_read() -> None:
    features = declared("rises", "falls")
    assert certify(booster(features, 1, 2, min_data_in_leaf=200), features).holds


@pytest.mark.parametrize("parameters", [{"zero_as_missing": True}, {"linear_tree": True, "objective": "regression"}])
def test_trees_that_cannot_be_read_are_refused(parameters: dict[str, Any]) -> None:
    features = declared("rises", "unknown", town=False)
    rng = np.random.default_rng(3)
    values = rng.normal(size=(300, 2)) * (rng.random((300, 2)) < 0.7)
    everything = {"objective": "binary", "verbosity": -1, "num_threads": 1, **parameters}
    model = lgb.train(everything, lgb.Dataset(values, values[:, 0] > 0.2), 2)
    with pytest.raises(BundleError, match="the certificate reads neither"):
        certify(model, features)


def test_several_classes_are_refused() -> None:
    values = np.random.default_rng(3).normal(size=(300, 2))
    parameters = {"objective": "multiclass", "num_class": 3, "verbosity": -1}
    model = lgb.train(parameters, lgb.Dataset(values, np.digitize(values[:, 0], [-0.5, 0.5])), 2)
    with pytest.raises(BundleError, match="several classes"):
        certify(model, declared("rises", "falls", town=False))


def test_a_certificate_is_plain_json(bent: tuple[lgb.Booster, tuple[Feature, ...]]) -> None:
    told = certify(*bent).to_json()
    assert json.loads(json.dumps(told, allow_nan=False))["findings"][0]["violation"]["size"] == told["worst"]
