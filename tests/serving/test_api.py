"""The words of the interface: strict requests, one form of error, a description that holds for every product."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from configs.settings import load_product
from features.load import table_contract
from features.records import rows_type
from serving.api import DecideRequest
from serving.openapi import openapi
from serving.problems import NO_SUCH_DECISION, refused

PRODUCTS = ("consumer_platform", "trade_credit", "uci_default")


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The description of a service of three products that share tables of one name."""
    records = {}
    for name in PRODUCTS:
        product = load_product(name, Path("/nonexistent"))
        fields = [(table, rows_type(table_contract(table, product)), None) for table in product.tables]
        records[name] = msgspec.defstruct("Records", fields, kw_only=True, forbid_unknown_fields=True)
    return json.loads(msgspec.json.encode(openapi(records, "1.2.3")))


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from references(below)


def test_the_description_is_openapi_with_title_and_version(described: dict[str, Any]) -> None:
    assert (described["openapi"], described["info"]["version"]) == ("3.1.0", "1.2.3")


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert set(references(described)) <= known


def test_every_component_has_a_name_that_openapi_allows(described: dict[str, Any]) -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in described["components"]["schemas"])


def test_each_products_records_are_described_by_themselves(described: dict[str, Any]) -> None:
    tables = {name: set(described["components"]["schemas"][f"{name}.Records"]["properties"]) for name in PRODUCTS}
    assert tables == {name: set(load_product(name, Path("/nonexistent")).tables) for name in PRODUCTS}


def test_a_request_may_hold_the_records_of_any_product(described: dict[str, Any]) -> None:
    records = described["components"]["schemas"]["DecideRequest"]["properties"]["records"]
    assert records["anyOf"] == [{"$ref": f"#/components/schemas/{name}.Records"} for name in PRODUCTS]


def test_every_operation_describes_its_answers(described: dict[str, Any]) -> None:
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert all(answer["description"] for operation in operations for answer in operation["responses"].values())


def test_every_path_parameter_is_declared(described: dict[str, Any]) -> None:
    for path, operations in described["paths"].items():
        for operation in operations.values():
            declared = {item["name"] for item in operation.get("parameters", ()) if item["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))


def test_every_error_is_a_problem(described: dict[str, Any]) -> None:
    for operations in described["paths"].values():
        for operation in operations.values():
            kinds = [set(a["content"]) for status, a in operation["responses"].items() if status != "200"]
            assert all(kind == {"application/problem+json"} for kind in kinds)


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    told = {"type": "about:blank", "title": "No such decision", "status": 404, "detail": "why"}
    assert json.loads(msgspec.json.encode(refused(NO_SUCH_DECISION, "why").problem)) == told


@pytest.mark.parametrize(
    "changed",
    [
        {"customer_id": ""},
        {"customer_id": "c" * 129},
        {"customer_id": 7},
        {"customer_id": None},
        {"product": ""},
        {"as_of": "2024-02-30"},
        {"as_of": "31.01.2024"},
        {"as_of": 20240131},
        {"requested_amount": -1},
        {"requested_amount": "3"},
        {"requested_amount": True},
        {"idempotency_key": "k" * 129},
        {"language": "fr"},
        {"limit": 1000},
    ],
)
def test_a_request_that_says_what_it_may_not_is_refused(changed: dict[str, Any]) -> None:
    asked = json.dumps({"customer_id": "c", "records": {}, **changed})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(asked, type=DecideRequest)
