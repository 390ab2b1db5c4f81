"""A misspelt field of a request is met with the nearest, at every depth."""

from __future__ import annotations

import msgspec
import pytest

from configs.settings import Product
from features.load import table_contract
from features.records import rows_type
from serving.api import DecideRequest, OutcomeRequest
from serving.problems import located


def told(body: bytes, read_as: type) -> str:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=read_as)
    return located(caught.value, read_as=read_as).detail


def test_a_misspelt_field_is_met_with_the_nearest() -> None:
    detail = told(b'{"customer_id":"c","requsted_amount":5}', DecideRequest)
    assert detail == "Object contains unknown field `requsted_amount`; did you mean 'requested_amount'?"


def test_a_field_like_none_is_met_with_those_there_are() -> None:
    assert told(b'{"decision_id":"d","zzz":"late"}', OutcomeRequest).endswith(
        "there are: decision_id, defaulted, on, correction"
    )


def test_a_misspelt_column_of_a_row_is_met_with_the_nearest(shipped) -> None:
    product: Product = shipped("consumer_platform")
    records = msgspec.defstruct(
        "Records",
        [("statements", rows_type(table_contract("statements", product)), None)],
        forbid_unknown_fields=True,
    )
    assert told(b'{"statments":[]}', records).endswith("; did you mean 'statements'?")
    assert told(b'{"statements":[{"mnth":"2024-12-31"}]}', records).endswith("; did you mean 'month'?")


def test_a_word_that_may_not_stand_there_is_met_with_those_that_may() -> None:
    assert told(b'{"customer_id":"c","language":"fr"}', DecideRequest).endswith("; expected one of: en, zh")


def test_another_mistake_is_told_as_it_is() -> None:
    assert told(b'{"customer_id":7}', DecideRequest) == "Expected `str`, got `int`"
