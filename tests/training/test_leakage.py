"""Leakage: each sign is planted and found, and honest data raise no red finding."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.settings import ColumnSpec, Settings
from features import matrix
from features.catalogue import column_features, compile_program
from training import leakage
from training.dataset import Dataset, Split, assemble, split
from training.leakage import Finding


@pytest.fixture(scope="session")
def honest(
    numbers: Callable[..., Dataset],
    small_settings: Callable[..., Settings],
    tmp_path_factory: pytest.TempPathFactory,
) -> Split:
    return split(numbers(3000), small_settings(tmp_path_factory.mktemp("leakage")).training)


def found(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(finding.check, finding.severity, finding.subject) for finding in findings]


def table(columns: dict[str, np.ndarray], bad: np.ndarray, categories: dict[str, list[str]] | None = None) -> Dataset:
    """A flat dataset, each row a customer."""
    levels = categories or {}
    specs = [ColumnSpec(name=name, kind="category" if name in levels else "number") for name in columns]
    return Dataset(
        program=compile_program(tuple(column_features(specs, levels))),
        matrix=np.column_stack([column.astype(float) for column in columns.values()]),
        defaulted=bad.astype(np.int8),
        customer_id=np.array([f"c{i}" for i in range(len(bad))], object),
        as_of=np.zeros(len(bad), np.int32),
        immature=0,
    )


def some_bad(rows: int, share: float = 0.2) -> np.ndarray:
    return np.random.default_rng(2).random(rows) < share


def test_honest_data_raise_nothing(honest: Split) -> None:
    checks = (leakage.identifiers, leakage.telling_names)
    assert [found(check(honest.train)) for check in checks] == [[], []]
    assert leakage.red(leakage.foretelling(honest.train)) == ()
    assert leakage.overlap(honest) == []
    assert leakage.repeated(honest) == []


def leaks(bad: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    noise = rng.normal(size=len(bad))
    return {
        "rises": np.where(bad, 3, -3) + noise,
        "falls": np.where(bad, -3, 3) + noise,
        "in_the_middle": np.where(bad, 0.01 * noise, noise + 5 * np.sign(noise)),
        "missing": np.where(bad, np.nan, noise),
        "one_value": np.where(bad, 7.0, np.round(rng.uniform(10, 15, len(bad)))),
    }


@pytest.mark.parametrize("kind", ["rises", "falls", "in_the_middle", "missing", "one_value"])
def test_a_feature_that_gives_the_label_away_is_red(kind: str) -> None:
    bad = some_bad(1000)
    data = table({"x": leaks(bad)[kind], "y": np.random.default_rng(1).normal(size=1000)}, bad)
    assert found(leakage.foretelling(data)) == [("single_feature_auc", "red", "x")]


def test_a_category_that_gives_the_label_away_is_red() -> None:
    bad = some_bad(1000)
    data = table({"x": bad.astype(int) + 2 * (np.arange(1000) % 2)}, bad, {"x": ["a", "b", "c", "d"]})
    assert found(leakage.foretelling(data)) == [("single_feature_auc", "red", "x")]


def test_a_strong_feature_is_amber() -> None:
    bad = some_bad(4000)
    data = table({"x": np.where(bad, 0.9, -0.1) + np.random.default_rng(5).normal(size=4000)}, bad)
    assert found(leakage.foretelling(data)) == [("information_value", "amber", "x")]


@given(seed=st.integers(0, 10**6), bads=st.integers(5, 100), levels=st.sampled_from([2, 20, 400]))
@settings(max_examples=30, deadline=None)
def test_few_defaults_and_many_categories_raise_nothing_by_chance(seed: int, bads: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    bad = rng.permutation(np.arange(1200) < bads)
    columns = {"x": rng.integers(0, levels, 1200), "y": rng.normal(size=1200)}
    findings = leakage.foretelling(table(columns, bad, {"x": [str(i) for i in range(levels)]}))
    assert leakage.red(findings) == ()


def test_an_information_value_is_that_of_a_hand_calculation() -> None:
    # Half a row added: goods 60.5/101 = 0.59901 and 0.40099, bads 10.5/51 = 0.20588 and 0.79412;
    # 0.39313 x ln 2.90949 + 0.39313 x ln 1.98040 = 0.41985 + 0.26863.
    bins = np.repeat([0, 1, 0, 1], [60, 40, 10, 40])
    value, chance = leakage.information_value(bins, np.repeat([False, True], [100, 50]))
    assert value == pytest.approx(0.68848, abs=2e-5)
    assert chance == pytest.approx(3.8415 * (1 / 100 + 1 / 50), abs=1e-5)  # chi-squared, one degree of freedom


def test_a_category_that_names_the_customers_is_red() -> None:
    names = [f"n{i}" for i in range(400)]
    data = table({"x": np.arange(400)}, some_bad(400), {"x": names})
    assert found(leakage.identifiers(data)) == [("identifier", "red", "x")]


def test_a_running_number_is_amber_and_an_amount_is_not() -> None:
    rng = np.random.default_rng(0)
    columns = {
        "running": rng.permutation(400) + 10_000,
        "income": rng.lognormal(10, 1, 400),
        "age": rng.integers(18, 80, 400),
    }
    assert found(leakage.identifiers(table(columns, some_bad(400)))) == [("identifier", "amber", "running")]


@pytest.mark.parametrize(
    ("name", "telling"),
    [
        ("default_payment_next_month", True),
        ("total_recovery", True),
        ("loan_loss", True),
        ("charged_off", True),
        ("label", True),
        ("income", False),
        ("repayment_status_2005_09", False),
        ("badge", False),
        ("gloss_level", False),
        ("aftershave", False),
    ],
)
def test_a_name_that_tells_of_the_outcome_is_amber(name: str, telling: bool) -> None:
    data = table({name: np.arange(9)}, some_bad(9))
    assert found(leakage.telling_names(data)) == ([("name", "amber", name)] if telling else [])


def test_a_customer_in_two_parts_is_red(honest: Split) -> None:
    test = dataclasses.replace(honest.test, customer_id=honest.test.customer_id.copy())
    test.customer_id[0] = honest.train.customer_id[0]
    findings = leakage.overlap(dataclasses.replace(honest, test=test))
    assert ("overlap_of_customers", "red", "train, test") in found(findings)
    assert findings[0].measured == 1


def test_a_group_in_two_parts_is_red(honest: Split) -> None:
    named = {
        name: dataclasses.replace(part, group=np.array(["", *["g"] * 3, *[""] * (len(part) - 4)], object))
        for name, part in (("train", honest.train), ("test", honest.test))
    }
    findings = leakage.overlap(dataclasses.replace(honest, **named))
    assert found(findings) == [("overlap_of_groups", "red", "train, test")]


def test_rows_copied_into_the_test_are_amber(honest: Split) -> None:
    copied = honest.train.take(np.arange(len(honest.test)))
    test = dataclasses.replace(copied, customer_id=honest.test.customer_id)
    assert found(leakage.repeated(dataclasses.replace(honest, test=test))) == [
        ("repeated_rows", "amber", "train, test")
    ]


def test_a_test_of_the_same_population_cannot_be_told_from_training(honest: Split) -> None:
    assert leakage.adversarial_auc(honest.train, honest.test, 1, 1) == pytest.approx(0.5, abs=0.06)


def test_a_test_of_another_population_is_amber(honest: Split) -> None:
    other = dataclasses.replace(honest.test, matrix=honest.test.matrix + np.array([1.5, 0.0, 0.0, 0.0]))
    assert found(leakage.shifted(dataclasses.replace(honest, test=other), 1, 1)) == [
        ("adversarial_validation", "amber", "train, test")
    ]


@pytest.fixture(scope="session")
def lent(lender: Any) -> Dataset:
    return assemble(lender.product, lender.tables, lender.now)


def test_the_features_of_a_lender_use_nothing_later_than_as_of(lent: Dataset, lender: Any) -> None:
    assert leakage.future_facts(lent, lender.tables, 1) == []


def test_a_feature_asked_a_month_too_late_is_red(lent: Dataset, lender: Any) -> None:
    late = matrix.build(lent.program, lender.tables, lent.customer_id, lent.as_of + 31)
    findings = leakage.future_facts(dataclasses.replace(lent, matrix=late), lender.tables, 1)
    assert {finding.severity for finding in findings} == {"red"}
    assert "utilisation_mean_3m" in {finding.subject for finding in findings}


@given(seed=st.integers(0, 10**6))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_fact_from_the_future_is_found_wherever_it_stands(lent: Dataset, lender: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    few = lent.take(rng.permutation(len(lent))[:50])
    place = int(rng.integers(few.matrix.shape[1]))
    values = few.matrix.copy()
    values[rng.integers(50), place] = 1e9
    findings = leakage.future_facts(dataclasses.replace(few, matrix=values), lender.tables, 1)
    assert found(findings) == [("future_facts", "red", few.program.names[place])]
    assert findings[0].measured == pytest.approx(1 / 50)


def test_all_checks_together_find_a_planted_leak_and_tell_it_in_plain_values(
    lent: Dataset, lender: Any, small_settings: Any, tmp_path: Any
) -> None:
    place = lent.program.names.index("utilisation_mean_3m")
    values = lent.matrix.copy()
    values[:, place] = lent.defaulted
    leaking = dataclasses.replace(lent, matrix=values)
    findings = leakage.inspect(split(leaking, small_settings(tmp_path).training), lender.tables, 1, 1)
    assert {(f.check, f.subject) for f in leakage.red(findings)} == {
        ("single_feature_auc", "utilisation_mean_3m"),
        ("future_facts", "utilisation_mean_3m"),
    }
    assert leakage.red(findings)[0].to_json()["severity"] == "red"
