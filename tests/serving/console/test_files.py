"""The credit file for programs: what the page shows, as JSON, by a machine's key, and the look on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from serving import reads
from serving.ledger import open_ledger


@pytest.fixture
def ask(site: Any) -> Callable[..., httpx.Response]:
    """Asks for a file with the key of a machine that may read."""
    root = site.root.removesuffix("/console")

    def asked(customer: str, key: str = "machine", **query: str) -> httpx.Response:
        header = {"Authorization": f"Bearer {site.keys[key]}"}
        return httpx.get(f"{root}/v1/customers/{customer}/file", params=query, headers=header, timeout=30)

    return asked


def test_a_file_tells_the_decision_that_was_made_and_the_look_is_on_record(site: Any, ask) -> None:
    answer = site.answers[0]
    found = ask(answer["customer_id"], as_of=answer["as_of"])
    assert found.status_code == 200
    told = found.json()
    assert (told["customer_id"], told["as_of"]) == (answer["customer_id"], answer["as_of"])
    assert answer["decision_id"] in found.text
    ledger = open_ledger(site.settings)
    looks = list(reads.reads(ledger, answer["customer_id"]))
    ledger.close()
    assert (looks[-1].by, looks[-1].what) == ("machine", "credit file")


@pytest.mark.parametrize(
    ("customer", "query", "status", "told"),
    [
        ("NOBODY", {}, 422, "NOBODY"),
        ("NOBODY", {"as_of": "yesterday"}, 422, "expected a date as 2026-01-31, got 'yesterday'"),
        ("NOBODY", {"product": "nothing"}, 404, "nothing"),
    ],
)
def test_what_cannot_be_shown_is_a_problem_that_says_why(ask, customer: str, query, status: int, told: str) -> None:
    found = ask(customer, **query)
    assert found.status_code == status
    assert found.headers["content-type"] == "application/problem+json"
    assert told in found.json()["detail"]


def test_the_route_is_described_with_those_of_the_service(site: Any) -> None:
    header = {"Authorization": f"Bearer {site.keys['machine']}"}
    told = httpx.get(f"{site.root.removesuffix('/console')}/docs.json", headers=header, timeout=30).json()
    assert told["paths"]["/v1/customers/{customer_id}/file"]["get"]["operationId"] == "find_credit_file"
