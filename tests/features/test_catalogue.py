"""The catalogue: every declaration is whole, and the digest names exactly what is declared."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from configs.errors import ConfigError
from configs.settings import HERE, ColumnSpec, flat_product, read_toml
from features import catalogue, kernel, matrix
from features.catalogue import (
    DECLARED,
    column_features,
    compile_program,
    describe,
    features_named,
    product_features,
    tables_of,
)
from features.contracts import Columns, Text, to_day
from features.declaration import Constant, Expression, Feature, Operation, StreamReference, feature
from features.history import STREAMS

over_features = pytest.mark.parametrize("item", DECLARED, ids=[item.name for item in DECLARED])
EVERY_PRODUCT = ("trade_credit", "consumer_platform", "bank_lending", "uci_default")


def digest(*features: Feature) -> str:
    return compile_program(features).digest


def depth(formula: Expression) -> int:
    """The most values the kernel's stack holds while it works the formula."""
    if isinstance(formula, Operation):
        return max(depth(formula.left), 1 + depth(formula.right))
    return 1


def test_there_are_at_least_150_features() -> None:
    assert len(DECLARED) >= 150


@pytest.mark.parametrize(
    ("group", "least"),
    [("financial", 30), ("operating", 20), ("behavioral", 60), ("bureau", 20), ("management", 9)],
)
def test_every_side_of_a_customer_is_looked_at(group: str, least: int) -> None:
    assert [item.group for item in DECLARED].count(group) >= least


def test_names_are_unique() -> None:
    assert len({item.name for item in DECLARED}) == len(DECLARED)


def test_formulas_are_unique() -> None:
    assert len({str(item.formula) for item in DECLARED}) == len(DECLARED)


@over_features
def test_a_feature_has_its_reason_in_both_languages_its_unit_and_meaning(item: Feature) -> None:
    assert all(part.strip() for part in (item.reason, item.reason_zh, item.unit, item.meaning))


@over_features
def test_the_chinese_reason_is_chinese(item: Feature) -> None:
    assert any("\u4e00" <= letter <= "\u9fff" for letter in item.reason_zh)
    assert item.reason.isascii()


@over_features
def test_a_meaning_is_a_sentence(item: Feature) -> None:
    assert item.meaning.endswith(".")


@over_features
def test_a_windows_length_stands_in_the_name_or_where_there_are_two_in_the_meaning(item: Feature) -> None:
    windows = {leaf.months for leaf in catalogue._leaves(item.formula) if leaf.months}
    named = {int(part[:-1]) for part in item.name.split("_") if part[:-1].isdigit() and part.endswith("m")}
    told = {int(number) for number in re.findall(r"\b(\d+) months", item.meaning)}
    told |= {int(number) for number in re.findall(r"of (\d+)\b", item.meaning)}
    assert named <= windows
    assert windows <= (named if len(windows) == 1 and named else told)


@over_features
def test_the_declared_range_is_not_empty(item: Feature) -> None:
    assert item.low < item.high


@over_features
def test_the_kernels_stack_holds_the_formula(item: Feature) -> None:
    assert depth(item.formula) <= kernel._STACK


@over_features
def test_the_direction_follows_the_risk(item: Feature) -> None:
    assert item.direction == {"rises": 1, "falls": -1, "unknown": 0}[item.risk]


@pytest.mark.parametrize("name", EVERY_PRODUCT)
def test_a_product_reads_only_the_tables_it_has(name: str, shipped, program_of) -> None:
    assert set(program_of(name).tables) <= set(shipped(name).tables)


@pytest.mark.parametrize("name", EVERY_PRODUCT)
def test_a_product_uses_nothing_it_denies(name: str, shipped, program_of) -> None:
    assert not set(program_of(name).names) & set(shipped(name).deny)


@pytest.mark.parametrize("name", ["trade_credit", "consumer_platform", "bank_lending"])
def test_a_products_capacity_is_one_of_its_features(name: str, shipped, program_of) -> None:
    assert shipped(name).policy.capacity_feature in program_of(name).names


def test_trade_credit_has_every_declared_feature(program_of) -> None:
    assert set(program_of("trade_credit").names) == {item.name for item in DECLARED}


def test_a_person_has_no_financial_reports(program_of) -> None:
    assert {item.group for item in program_of("bank_lending").features} == {"operating", "behavioral", "bureau"}
    assert "financials" not in program_of("bank_lending").tables


PROTECTED = read_toml(HERE / "protected.toml")


@pytest.mark.parametrize(
    ("place", "attribute"), [(place, name) for place, rule in PROTECTED.items() for name in rule["attributes"]]
)
@pytest.mark.parametrize("written", [str, str.title, lambda name: name.upper().replace("_", " ")])
def test_a_protected_attribute_is_never_a_feature(place: str, attribute: str, written, shipped) -> None:
    columns = (ColumnSpec(name=written(attribute)), ColumnSpec(name="income"))
    product = shipped("flat").model_copy(update={"columns": columns, "jurisdictions": (place,)})
    assert [item.name for item in product_features(product, {})] == ["income"]


def test_an_attribute_another_jurisdiction_protects_may_be_one(shipped) -> None:
    columns = (ColumnSpec(name="nationality"),)
    product = shipped("flat").model_copy(update={"columns": columns, "jurisdictions": ("cn",)})
    assert [item.name for item in product_features(product, {})] == ["nationality"]


def test_a_product_of_two_jurisdictions_keeps_what_either_protects(shipped) -> None:
    columns = tuple(ColumnSpec(name=name) for name in ("nationality", "national_origin", "income"))
    product = shipped("flat").model_copy(update={"columns": columns, "jurisdictions": ("eu", "us")})
    assert [item.name for item in product_features(product, {})] == ["income"]


@pytest.mark.parametrize("denied", ["postal_code", "Postal Code", "POSTAL-CODE"])
def test_what_a_product_denies_itself_is_no_feature_however_it_is_written(denied: str, shipped) -> None:
    columns = (ColumnSpec(name="Postal code"), ColumnSpec(name="income"))
    product = shipped("flat").model_copy(update={"columns": columns, "deny": (denied,)})
    assert [item.name for item in product_features(product, {})] == ["income"]


def test_a_denied_name_without_a_latin_letter_denies_itself_only(shipped) -> None:
    columns = (ColumnSpec(name="年龄"), ColumnSpec(name="收入"))
    product = shipped("flat").model_copy(update={"columns": columns, "deny": ("年龄",)})
    assert [item.name for item in product_features(product, {})] == ["收入"]


@pytest.mark.parametrize("name", EVERY_PRODUCT)
def test_no_declared_feature_is_named_like_a_protected_attribute(name: str, program_of, shipped) -> None:
    assert shipped(name).jurisdictions
    assert not set(program_of(name).names) & shipped(name).denied()


def test_each_series_and_window_is_reduced_once(program_of) -> None:
    program = program_of("trade_credit")
    leaves = {leaf for item in program.features for leaf in catalogue._leaves(item.formula)}
    slots = np.concatenate([plan.slot for plan in program.plans])
    assert sorted(slots) == list(range(program.slots)) == list(range(len(leaves)))


def test_a_product_without_any_feature_is_refused() -> None:
    with pytest.raises(ConfigError, match="no feature is left"):
        product_features(flat_product("mine", "Mine", ()), {})


def test_a_column_named_like_a_declared_feature_is_refused(shipped) -> None:
    product = shipped("uci_default")
    product = product.model_copy(update={"columns": (ColumnSpec(name="balance_last"),)})
    with pytest.raises(ConfigError, match="named like features of the house: balance_last"):
        product_features(product, {})


def coded(*towns: str) -> list[float]:
    spec = ColumnSpec(name="town", kind="category")
    program = compile_program(tuple(column_features([spec], {"town": ["Bonn", "Ulm"]})))
    n = len(towns)
    ids = [str(i) for i in range(n)]
    facts: Columns = {
        "customer_id": Text.of(ids),
        "date": np.zeros(n, np.int32),
        "known_time": np.zeros(n, np.int32),
        "town": Text.of(towns),
    }
    return matrix.build(program, {"facts": facts}, np.array(ids, object), np.zeros(n, np.int32))[:, 0].tolist()


def test_a_category_becomes_its_position() -> None:
    assert coded("Ulm", "Bonn") == [1.0, 0.0]


def test_a_category_unknown_or_missing_is_missing() -> None:
    assert np.isnan(coded("Rome", "")).all()


def test_a_column_without_words_of_its_own_is_named_after_itself() -> None:
    (item,) = column_features([ColumnSpec(name="net_profit")], {})
    assert (item.reason, item.reason_zh, item.unit) == ("Net profit", "net_profit", "number")


CHANGES = {
    "name": "other",
    "group": "financial",
    "formula": Constant(1.0),
    "meaning": "Other.",
    "unit": "other",
    "risk": "unknown",
    "reason": "Other",
    "reason_zh": "别的",
    "low": -7.0,
    "high": 7.0,
    "categories": ("a",),
}


@pytest.mark.parametrize("part", [field.name for field in dataclasses.fields(Feature)])
def test_the_digest_changes_with_any_part_of_a_declaration(part: str) -> None:
    item = next(item for item in DECLARED if item.name == "days_past_due_last")
    changed = dataclasses.replace(item, **{part: CHANGES[part]})
    assert digest(changed) != digest(item)


def test_the_digest_changes_with_the_order_of_the_columns() -> None:
    assert digest(*DECLARED[:2]) != digest(*DECLARED[1::-1])


def test_the_digest_changes_with_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(*DECLARED)
    monkeypatch.setattr(kernel, "VERSION", kernel.VERSION + 1)
    assert digest(*DECLARED) != before


def test_the_digest_is_the_same_in_another_process(repository: Path) -> None:
    code = "from features.catalogue import *; print(compile_program(DECLARED).digest)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == digest(*DECLARED)


@pytest.mark.parametrize("name", EVERY_PRODUCT)
def test_features_come_back_from_their_descriptions(name: str, program_of) -> None:
    program = program_of(name)
    stored = json.loads(json.dumps([describe(item) for item in program.features]))
    assert compile_program(features_named(stored)).digest == program.digest


def test_a_category_column_with_its_own_unit_comes_back() -> None:
    spec = ColumnSpec(name="town", kind="category", unit="place")
    (item,) = column_features([spec], {"town": ["Bonn", "Ulm"]})
    (back,) = features_named([describe(item)])
    assert describe(back) == describe(item)


def test_a_feature_of_another_installation_is_refused_with_the_nearest() -> None:
    stored = {**describe(DECLARED[0]), "name": "debt_ration"}
    with pytest.raises(ConfigError, match="'debt_ration' is not declared here; did you mean 'debt_ratio'"):
        features_named([stored])


def test_a_declaration_reads_name_and_meaning_from_its_function() -> None:
    @feature("behavioral", unit="u", risk="rises", reason="r", reason_zh="r", low=0)
    def half_balance(statements: StreamReference) -> Expression:
        """Half
        the balance."""
        return statements.balance.last() * 0.5

    assert (half_balance.name, half_balance.meaning) == ("half_balance", "Half the balance.")
    assert str(half_balance.formula) == "multiply(last(statements.balance), 0.5)"


def test_a_column_a_stream_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(AttributeError, match="'customers' has no column 'balance'; it has rows"):
        StreamReference("customers").balance  # noqa: B018


def test_a_statistic_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(AttributeError, match="no statistic 'median'; there are count, total"):
        StreamReference("statements").balance.median(3)


def test_a_series_is_divided_once_and_within_its_stream() -> None:
    statements, invoices = StreamReference("statements"), StreamReference("invoices")
    with pytest.raises(TypeError, match="divided once"):
        statements.balance / invoices.amount
    with pytest.raises(TypeError, match="divided once"):
        statements.balance / statements.inflow / statements.outflow


def test_every_stream_is_read_by_a_feature() -> None:
    read = {leaf.series.stream for item in DECLARED for leaf in catalogue._leaves(item.formula)}
    assert read == set(STREAMS)


@pytest.mark.parametrize("name", ["trade_credit", "bank_lending"])
def test_features_stay_in_their_declared_range_on_the_simulated_portfolio(name: str, program_of) -> None:
    from features.check import check_frame
    from features.contracts import TABLES
    from features.simulate import Scenario, simulate

    portfolio = simulate(Scenario(customers=120, seed=5, months=18, companies=name == "trade_credit"))
    tables = {t: check_frame(TABLES[t], frame, "here") for t, frame in portfolio.tables.items()}
    at = portfolio.standing(15)
    as_of = np.full(len(at), to_day(portfolio.month_ends[15].date()), np.int32)
    program = program_of(name)
    rows = matrix.build(program, tables, portfolio.customer_id[at], as_of)
    for item, column in zip(program.features, rows.T, strict=True):
        there = column[~np.isnan(column)]
        assert ((there >= item.low) & (there <= item.high)).all(), item.name
        assert len(there), item.name


def test_a_flat_column_reads_the_table_of_facts() -> None:
    (debt,) = column_features((ColumnSpec(name="debt", risk="rises"),), {})
    assert tables_of(debt) == {"facts"}
