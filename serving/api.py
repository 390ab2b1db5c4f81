"""The words of the HTTP interface: what a request may say, what an answer says, and what an error says."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec

from serving.knock_outs import KnockedOut
from serving.price import Price
from serving.reasons import Reason

_REFERENCE = "#/components/schemas/"
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]  # PostgreSQL holds no NUL


class DecideRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question: may this customer have credit, how much, on what terms? `records` are the raw tables' rows.

    `group_exposure` is the credit that connected customers have already: it takes from the appetite for this one.
    """

    customer_id: _Text
    records: msgspec.Raw
    product: _Text | None = None
    as_of: dt.date | None = None
    requested_amount: Annotated[float, msgspec.Meta(ge=0)] | None = None
    group_exposure: Annotated[float, msgspec.Meta(ge=0)] | None = None
    idempotency_key: _Text | None = None
    language: Literal["en", "zh"] | None = None


class DecisionAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The decision, what it rests on, and the versions that make it repeatable.

    `collateral` (to be pledged, in currency), `price` and `knock_outs` are there where the policy has such a thing.
    """

    decision_id: str
    product: str
    customer_id: str
    as_of: dt.date
    default_probability: float
    points: float
    grade: str
    decision: Literal["approve", "refer", "decline"]
    limit: float
    currency: str
    binding_constraint: str
    terms_days: int
    reasons: tuple[Reason, ...]
    flags: tuple[str, ...]
    model: str
    policy: str
    program: str
    collateral: float | None = None
    price: Price | None = None
    knock_outs: tuple[KnockedOut, ...] = ()


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error in the form of RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


def problem(status: int, title: str, detail: str) -> bytes:
    """The body of an error answer."""
    return msgspec.json.encode(Problem(title=title, status=status, detail=detail))


def openapi(records: dict[str, type[msgspec.Struct]], version: str) -> dict[str, Any]:
    """OpenAPI 3.1 of what runs: the hot route with the records of each product served, and the routes beside it."""
    components = _components((DecideRequest, DecisionAnswer, Problem))
    for product, rows in records.items():
        components |= _components((rows,), f"{product}.")
    request = components["DecideRequest"]
    request["properties"]["records"] = {
        "description": "Rows of the raw tables, by table; which tables, by product: " + ", ".join(records),
        "anyOf": [{"$ref": f"{_REFERENCE}{product}.{rows.__name__}"} for product, rows in records.items()],
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "creditloop", "version": version},
        "security": [{"key": []}],
        "paths": {
            "/v1/decide": {"post": _operation("Decide about one customer", "DecideRequest", "DecisionAnswer")},
            "/v1/decisions/{decision_id}": {"get": _lookup()},
            "/v1/models": {"get": _listing()},
        },
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _components(types: tuple[type[msgspec.Struct], ...], prefix: str = "") -> dict[str, Any]:
    """The schemas of `types` and what they hold, by name; `prefix` keeps one product's rows from another's."""
    _, schemas = msgspec.json.schema_components(types, ref_template=f"{_REFERENCE}{prefix}{{name}}")
    return {f"{prefix}{name}": schema for name, schema in schemas.items()}


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"{_REFERENCE}{name}"}}}


def _errors(*codes: int) -> dict[str, Any]:
    titles = {
        400: "Not JSON, or not of this form",
        401: "No valid key",
        403: "The key's role may not do this",
        404: "No such thing",
        409: "The idempotency key was used for another question",
        413: "The body is too large",
        415: "Not application/json",
        422: "The records break their contract",
        503: "Not ready, or the decision could not be recorded",
    }
    problem_json = {"application/problem+json": {"schema": {"$ref": f"{_REFERENCE}Problem"}}}
    return {str(code): {"description": titles[code], "content": problem_json} for code in codes}


def _operation(summary: str, request: str, answer: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": _json(request)},
        "responses": {
            "200": {"description": "Decided and recorded", "content": _json(answer)},
            **_errors(400, 401, 403, 404, 409, 413, 415, 422, 503),
        },
    }


def _lookup() -> dict[str, Any]:
    identifier = {"name": "decision_id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "summary": "A recorded decision",
        "parameters": [identifier],
        "responses": {
            "200": {"description": "The answer given", "content": _json("DecisionAnswer")},
            **_errors(401, 403, 404),
        },
    }


def _listing() -> dict[str, Any]:
    answer = {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}}
    return {
        "summary": "The model versions that answer",
        "responses": {"200": {"description": "One for each product", "content": answer}, **_errors(401, 403)},
    }
