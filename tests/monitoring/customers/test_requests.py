"""Limits that persons grant: four eyes, within a level's authority, kept by the reviews that follow."""

from __future__ import annotations

import numpy as np
import pytest

from configs.errors import InputError, Refusal
from configs.settings import Product
from features import load
from monitoring.customers import requests, reviewed
from monitoring.customers.limits import HOLDS
from monitoring.customers.review import make_question, review_part
from monitoring.customers.reviewed import DECISIONS
from monitoring.customers.rules import values_of
from serving.ledger import Ledger
from serving.score import make_scorer

AT = "2026-01-31T00:00:00.000000+00:00"
STANDS = {"grade": "C", "decision": "approve", "limit": 10_000.0}


def asked(ledger: Ledger, product: Product, limit: float = 40_000.0) -> str:
    return requests.ask(ledger, product, "a", limit, "2026-12-31", "ann", "a large order", AT).entry.id


def decided(ledger: Ledger, product: Product, request: str, by: str, authority: str = "credit_controller") -> bool:
    return requests.decide(ledger, product, request, "approve", by, authority, "order seen", STANDS, AT).new


def test_a_limit_somebody_asked_for_and_another_granted_stands_until_its_day(ledger: Ledger, product: Product) -> None:
    request = asked(ledger, product)
    assert asked(ledger, product) == request
    assert requests.granted(requests.requests_of(ledger, product.name), "2026-02-01") == {}
    assert decided(ledger, product, request, "bob")
    assert not decided(ledger, product, request, "bob")
    (found,) = requests.requests_of(ledger, product.name)
    assert (found.word, found.decided_by) == ("approve", "bob")
    assert requests.granted([found], "2026-02-01") == {"a": 40_000.0}
    assert requests.granted([found], "2027-01-01") == {}
    assert requests.granted([found], "2026-01-30") == {}


def test_nobody_grants_what_they_asked_for(ledger: Ledger, product: Product) -> None:
    with pytest.raises(Refusal, match="another person decides"):
        decided(ledger, product, asked(ledger, product), " Ann ")
    with pytest.raises(Refusal, match="another person decides"):
        decided(ledger, product, asked(ledger, product), "\uff21\uff2e\uff2e")  # the same letters, full width


def test_a_level_grants_no_more_than_its_authority(ledger: Ledger, product: Product) -> None:
    request = asked(ledger, product, 60_000.0)
    with pytest.raises(Refusal, match="its largest limit is 50000"):
        decided(ledger, product, request, "bob")
    assert decided(ledger, product, request, "bob", "credit_manager")


def test_of_two_who_decide_at_once_one_is_refused(ledger: Ledger, product: Product) -> None:
    request = asked(ledger, product)
    assert decided(ledger, product, request, "bob")
    with pytest.raises(Refusal, match="bob was faster"):
        requests.decide(ledger, product, request, "decline", "eve", "credit_controller", "no", STANDS, AT)


@pytest.mark.parametrize(("limit", "reason"), [(0.0, "x"), (5.0, " "), (float("nan"), "x"), (float("inf"), "x")])
def test_a_request_without_amount_or_reason_is_refused(
    ledger: Ledger, product: Product, limit: float, reason: str
) -> None:
    with pytest.raises(InputError):
        requests.ask(ledger, product, "a", limit, "2026-12-31", "ann", reason, AT)


def test_a_review_keeps_to_what_a_person_granted_but_not_where_a_trigger_hits(
    scorer, book_source, day_of_month, reviewed_at
) -> None:
    first = reviewed_at(9)
    rules = scorer.product.customers.review.model_copy(update={"automatic_limit": 500.0})
    customers = scorer.product.customers.model_copy(update={"review": rules})
    other = make_scorer(scorer.bundle, scorer.product.model_copy(update={"customers": customers}))
    tables = load.load(book_source, scorer.product, 0.0, outcomes=False).tables
    granted = dict.fromkeys(first.customer_id.tolist(), 9_000.0)
    asked_for = make_question(other, day_of_month(9), None, frozenset(), granted)
    after = review_part(asked_for, tables, first.customer_id, reviewed.blank(first.customer_id))
    days = np.full(len(after), day_of_month(9), np.int32)
    late = values_of(asked_for.reads, tables, first.customer_id, days)["days_past_due_last"] >= 30
    stopped = (after.decision == DECISIONS.index("decline")) | late
    assert stopped.any()
    assert (after.limit[stopped] <= 500).all()
    assert (after.limit[~stopped] == 9_000).all()
    plain = review_part(
        make_question(other, day_of_month(9), None), tables, first.customer_id, reviewed.blank(first.customer_id)
    )
    assert plain.limit.max() == 500
    assert (plain.held_by[first.limit > 500] == HOLDS.index("person")).all()
    np.testing.assert_array_equal(plain.limit[first.limit <= 500], first.limit[first.limit <= 500])
