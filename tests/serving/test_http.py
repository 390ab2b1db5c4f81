"""The routes of the real service: every answer as documented, every bad request refused in one form, never a 5xx."""

from __future__ import annotations

import json
import math
import re
import socket
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.api import DecisionAnswer
from serving.ledger import open_ledger

FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
LIMIT = 256 * 1024


def post(running: Any, content: bytes | str, **headers: str) -> httpx.Response:
    return running.score.post("/v1/decide", content=content, headers={"content-type": "application/json", **headers})


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The answer is an RFC 9457 problem of this status."""
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert sorted(set(told) - {"errors"}) == ["detail", "status", "title", "type"]
    assert told["status"] == status
    return told


@pytest.fixture(scope="module")
def answer(running: Any, bodies: list[dict[str, Any]]) -> httpx.Response:
    """The answer to a good request."""
    return running.score.post("/v1/decide", json=bodies[0])


@pytest.fixture(scope="module")
def described(running: Any) -> dict[str, Any]:
    """What the service says of itself."""
    return httpx.get(f"{running.address}/docs.json").json()


def test_a_good_request_is_answered_with_every_required_field(answer: httpx.Response) -> None:
    assert answer.status_code == 200
    # The fields that are not required are there where policy or version has such a thing; here that is the interval.
    required = [field.name for field in msgspec.structs.fields(DecisionAnswer) if field.required]
    assert list(answer.json()) == [*required, "pd_interval"]


def test_an_answer_is_json(answer: httpx.Response) -> None:
    assert answer.headers["content-type"] == "application/json"


def test_an_answer_is_about_the_customer_and_day_asked(answer: httpx.Response, bodies: list[dict[str, Any]]) -> None:
    told = answer.json()
    assert (told["customer_id"], told["as_of"]) == (bodies[0]["customer_id"], bodies[0]["as_of"])


def test_a_recorded_decision_can_be_read_again(running: Any, answer: httpx.Response) -> None:
    again = running.clients["read"].get(f"/v1/decisions/{answer.json()['decision_id']}")
    assert again.json() == answer.json()


def test_an_answer_is_in_the_ledger(running: Any, answer: httpx.Response) -> None:
    ledger = open_ledger(running.settings)
    found = ledger.by_id(answer.json()["decision_id"])
    ledger.close()
    assert found is not None
    assert found.body()["answer"] == answer.json()


def test_the_models_that_answer_are_listed(running: Any, answer: httpx.Response) -> None:
    (listed,) = running.clients["read"].get("/v1/models").json()
    told = answer.json()
    assert (listed["product"], listed["policy"], listed["program"]) == tuple(
        told[name] for name in ("product", "policy", "program")
    )


def test_a_request_need_not_name_the_only_product(running: Any, body: dict[str, Any]) -> None:
    del body["product"]
    assert running.score.post("/v1/decide", json=body).status_code == 200


GOOD = '{"customer_id":"c","records":{}'
MALFORMED = {
    "empty": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"7",
    "truncated": GOOD.encode(),
    "truncated in a string": b'{"customer_id":"c',
    "trailing text": f"{GOOD}}} x".encode(),
    "two values": f"{GOOD}}}{GOOD}}}".encode(),
    "single quotes": b"{'customer_id':'c','records':{}}",
    "a comment": b'{"customer_id":"c", /* hello */ "records":{}}',
    "a trailing comma": f"{GOOD},}}".encode(),
    "a byte order mark": b"\xef\xbb\xbf" + f"{GOOD}}}".encode(),
    "UTF-16": f"{GOOD}}}".encode("utf-16"),
    "NUL bytes": b"\x00" * 40,
    "a raw NUL in a string": b'{"customer_id":"c\x00","records":{}}',
    "a raw line feed in a string": b'{"customer_id":"c\n","records":{}}',
    "invalid UTF-8": b'{"customer_id":"\xff\xfe","records":{}}',
    "invalid UTF-8 in the records": b'{"customer_id":"c","records":{"statements":"\xff"}}',
    "a lone surrogate": b'{"customer_id":"\\ud800","records":{}}',
    "no customer": b'{"records":{}}',
    "an unknown field": f'{GOOD},"limit":1000}}'.encode(),
    "a customer that is a number": b'{"customer_id":7,"records":{}}',
    "an empty customer": b'{"customer_id":"","records":{}}',
    "a bad date": f'{GOOD},"as_of":"2024-02-30"}}'.encode(),
    "a date with a time": f'{GOOD},"as_of":"2024-02-03T00:00:00"}}'.encode(),
    "a date that is a number": f'{GOOD},"as_of":20240203}}'.encode(),
    "an amount that is NaN": f'{GOOD},"requested_amount":NaN}}'.encode(),
    "an amount that is Infinity": f'{GOOD},"requested_amount":Infinity}}'.encode(),
    "an amount beyond all numbers": f'{GOOD},"requested_amount":1e400}}'.encode(),
    "an amount of 400 digits": f'{GOOD},"requested_amount":{"9" * 400}}}'.encode(),
    "an amount that is true": f'{GOOD},"requested_amount":true}}'.encode(),
    "an amount that is text": f'{GOOD},"requested_amount":"3"}}'.encode(),
    "an amount below nothing": f'{GOOD},"requested_amount":-0.01}}'.encode(),
    "NaN in the records": b'{"customer_id":"c","records":{"statements":[{"balance":NaN}]}}',
    "1e400 in the records": b'{"customer_id":"c","records":{"statements":[{"balance":1e400}]}}',
    "5,000 digits in the records": b'{"customer_id":"c","records":{"statements":' + b"9" * 5000 + b"}}",
    "deep nesting": b'{"customer_id":"c","records":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep nesting that never ends": b'{"a":' * 20_000,
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_request_is_a_400(running: Any, content: bytes) -> None:
    assert_problem(post(running, content), 400)


ROW = {"month": "2024-01-31", "balance": 1.0, "credit_limit": 1.0, "amount_due": 0.0, "amount_paid": 0.0}
ROW |= {"days_past_due": 0.0, "account_id": "a"}
BREACHES = {
    "true for a number": ({"balance": True}, r"statements\[1\]\.balance"),
    "text for a number": ({"balance": "3"}, r"statements\[1\]\.balance"),
    "a number beyond its range": ({"days_past_due": 10_001}, r"statements\[1\]\.days_past_due"),
    "a number below its range": ({"credit_limit": -1}, r"statements\[1\]\.credit_limit"),
    "a number of 400 digits": ({"balance": 10**400}, r"statements\[1\]\.balance"),
    "a bad date": ({"month": "2024-13-01"}, r"statements\[1\]\.month"),
    "no date": ({"month": None}, r"statements\[1\]\.month"),
    "an unknown column": ({"shoe_size": 43}, r"`shoe_size` - at `\$\.statements\[1\]`"),
    "text too long": ({"account_id": "a" * 300}, r"statements\[1\]\.account_id"),
    "a list for a number": ({"balance": [1]}, r"statements\[1\]\.balance"),
    "a row that repeats another": ({"month": "2024-01-31"}, r"(?s)records\.statements.*row 2: repeats.*month"),
    "known before it happened": ({"known_time": "2024-01-01"}, r"(?s)records\.statements.*'known_time', row 2"),
}


@pytest.mark.parametrize(("changed", "told"), BREACHES.values(), ids=BREACHES)
def test_a_breach_of_the_contract_is_a_422_that_names_table_row_and_column(
    running: Any, changed: dict[str, Any], told: str
) -> None:
    rows = [ROW, {**ROW, "month": "2024-02-29", **changed}]
    answer = post(running, json.dumps({"customer_id": "c", "records": {"statements": rows}}))
    assert re.search(told, assert_problem(answer, 422)["detail"])


@pytest.mark.parametrize("records", [[], "text", 7, None, {"invoices": []}, {"statements": {}}, {"statements": [[]]}])
def test_records_of_another_form_are_a_422(running: Any, records: Any) -> None:
    assert_problem(post(running, json.dumps({"customer_id": "c", "records": records})), 422)


def test_a_customer_without_records_is_a_422_where_the_product_has_no_source(running: Any) -> None:
    told = assert_problem(post(running, b'{"customer_id":"c"}'), 422)
    assert [error["pointer"] for error in told["errors"]] == ["#/records"]


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"customer_id": 7}, "#/customer_id"),
        ({"as_of": "2024-02-30"}, "#/as_of"),
        ({"shoe_size": 43}, "#/shoe_size"),
        ({"records": {"statements": [ROW, {**ROW, "balance": "3"}]}}, "#/records/statements/1/balance"),
        ({"records": {"statements": [{**ROW, "shoe_size": 43}]}}, "#/records/statements/0/shoe_size"),
        ({"records": {"statements": [{**ROW, "known_time": "2023-01-01"}]}}, "#/records/statements/0/known_time"),
        ({"records": {"statements": [ROW, ROW]}}, "#/records/statements/1"),
        ({"records": {"invoices": []}}, "#/records/invoices"),
    ],
)
def test_a_problem_points_to_the_field_at_fault(running: Any, changed: dict[str, Any], pointer: str) -> None:
    answer = post(running, json.dumps({"customer_id": "c", "records": {}, **changed}))
    assert [error["pointer"] for error in assert_problem(answer, answer.status_code)["errors"]] == [pointer]


def test_a_missing_column_is_named(running: Any) -> None:
    row = {name: value for name, value in ROW.items() if name != "amount_due"}
    answer = post(running, json.dumps({"customer_id": "c", "records": {"statements": [row]}}))
    assert re.search(r"`amount_due` - at `\$\.statements\[0\]`", assert_problem(answer, 422)["detail"])


def test_of_a_key_said_twice_the_last_is_decided_and_recorded(running: Any) -> None:
    answer = post(running, b'{"customer_id":"first","customer_id":"last","records":{}}')
    assert (answer.status_code, answer.json()["customer_id"]) == (200, "last")


def test_a_nul_is_refused_for_the_ledger_in_postgres_cannot_hold_it(running: Any) -> None:
    assert post(running, b'{"customer_id":"a\\u0000b","records":{}}').status_code == 400


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer wrong", "Basic YTpi", "Bearer \xff", "Bearer " + "k" * 5000]
)
@pytest.mark.parametrize("path", ["/v1/decide", "/v1/models", "/metrics", "/schema.json", "/nowhere"])
def test_without_a_valid_key_nothing_but_probes_and_description_is_open(
    running: Any, authorization: str, path: str
) -> None:
    headers = {b"authorization": authorization.encode("latin-1")}
    answer = httpx.post(f"{running.address}{path}", headers=headers, content=b"{}")
    assert_problem(answer, 401)


def test_a_401_says_how_to_identify_oneself(running: Any) -> None:
    assert httpx.get(f"{running.address}/v1/models").headers["www-authenticate"] == "Bearer"


def test_who_may_only_read_may_not_decide(running: Any, body: dict[str, Any]) -> None:
    assert_problem(running.clients["read"].post("/v1/decide", json=body), 403)


def test_an_admin_may_decide(running: Any, body: dict[str, Any]) -> None:
    assert running.clients["admin"].post("/v1/decide", json=body).status_code == 200


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/decisions/d-unknown", "/v1/decisions/", "/nowhere", "/v1/"])
def test_what_is_not_there_is_a_404(running: Any, path: str) -> None:
    assert_problem(running.score.get(path), 404)


def test_a_promotion_is_no_decision(running: Any) -> None:
    ledger = open_ledger(running.settings)
    promotion = ledger.latest("promotion", "consumer_platform")
    ledger.close()
    assert promotion is not None
    assert_problem(running.score.get(f"/v1/decisions/{promotion.entry.id}"), 404)


def test_a_product_that_is_not_served_is_a_404_that_names_those_that_are(running: Any) -> None:
    answer = post(running, f'{GOOD},"product":"mortgages"}}')
    assert "consumer_platform" in assert_problem(answer, 404)["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/decide", "POST"),
        ("PUT", "/v1/decide", "POST"),
        ("DELETE", "/v1/decisions/d", "GET"),
        ("POST", "/v1/models", "GET"),
    ],
)
def test_a_wrong_method_is_a_405_that_names_the_right_one(running: Any, method: str, path: str, allowed: str) -> None:
    answer = running.score.request(method, path)
    assert_problem(answer, 405)
    assert answer.headers["allow"] == allowed


def test_a_key_used_for_another_question_is_a_409(running: Any, body: dict[str, Any]) -> None:
    running.score.post("/v1/decide", json={**body, "idempotency_key": "once"})
    other = running.score.post("/v1/decide", json={**body, "idempotency_key": "once", "requested_amount": 5})
    assert_problem(other, 409)


def test_a_repeated_request_gets_the_same_bytes(running: Any, body: dict[str, Any]) -> None:
    asked = {**body, "idempotency_key": "again"}
    one, other = (running.score.post("/v1/decide", json=asked) for _ in range(2))
    assert one.content == other.content


def test_our_own_keys_in_the_ledger_are_out_of_a_callers_reach(running: Any, answer: httpx.Response, body) -> None:
    asked = {**body, "idempotency_key": f"policy-{answer.json()['policy']}"}
    assert running.score.post("/v1/decide", json=asked).status_code == 200


def test_a_body_beyond_the_limit_is_a_413(running: Any) -> None:
    assert_problem(post(running, b'{"customer_id":"' + b"c" * LIMIT + b'"}'), 413)


def test_a_body_that_hides_its_length_is_a_413_too(running: Any) -> None:
    def pieces():
        for _ in range(5):
            yield b" " * (LIMIT // 4)

    headers = {"content-type": "application/json"}
    assert_problem(running.score.post("/v1/decide", content=pieces(), headers=headers), 413)


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/jsonp", "application/vnd.bentoml+pickle", "multipart/form-data; boundary=x"],
)
def test_another_content_type_is_a_415(running: Any, body: dict[str, Any], kind: str) -> None:
    assert_problem(post(running, json.dumps(body), **{"content-type": kind}), 415)


def test_a_charset_beside_json_is_welcome(running: Any, body: dict[str, Any]) -> None:
    answer = post(running, json.dumps(body), **{"content-type": "Application/JSON; charset=utf-8"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"POST /v1/decide HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/decide HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{}",
        b"POST /v1/decide HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http_never_becomes_a_5xx(running: Any, request_bytes: bytes) -> None:
    serving = running.settings.serving
    with socket.create_connection((serving.host, serving.port), timeout=10) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        told = connection.recv(4096)
    assert re.match(rb"HTTP/1\.1 5", told) is None


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([1e308, -1e308, 10**400, "1e400", "2024-01-31", "0001-01-01", "9999-12-31", "\x00", "3"])
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PLACES = st.sampled_from(
    [("customer_id",), ("as_of",), ("requested_amount",), ("idempotency_key",), ("language",), ("product",)]
    + [("records",), ("records", "customers"), ("records", "statements"), ("records", "statements", 0)]
    + [("records", "statements", 0, name) for name in (*ROW, "inflow", "known_time", "surprise")]
)


@FUZZ
@given(changes=st.lists(st.tuples(PLACES, VALUES), min_size=1, max_size=3), cut=st.integers(0, 400) | st.none())
def test_no_request_however_strange_is_a_5xx_or_a_pd_that_is_no_number(running: Any, changes, cut: int | None) -> None:
    asked: dict[str, Any] = {"customer_id": "fuzz", "as_of": "2024-03-31", "records": {"statements": [dict(ROW)]}}
    for place, value in changes:
        put(asked, place, value)
    content = json.dumps(asked).encode()
    answer = post(running, content if cut is None else content[:cut])
    if answer.status_code == 200:
        told = answer.json()
        assert math.isfinite(told["default_probability"])
        assert 0 <= told["default_probability"] <= 1
        assert math.isfinite(told["limit"])
    else:
        assert answer.status_code in (400, 404, 409, 422), answer.text[:300]
        assert answer.headers["content-type"] == "application/problem+json"


def put(node: Any, place: tuple[Any, ...], value: Any) -> None:
    """Set what lies at `place`, where the way there still exists."""
    for step in place[:-1]:
        if not isinstance(node, dict | list) or (isinstance(node, list) and not node):
            return
        node = node.get(step) if isinstance(node, dict) else node[0]
    if isinstance(node, dict) and isinstance(place[-1], str):
        node[place[-1]] = value
    elif isinstance(node, list) and node:
        node[0] = value


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=300))
def test_no_bytes_whatever_are_more_than_a_400(running: Any, content: bytes) -> None:
    assert_problem(post(running, content), 400)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
def test_probes_answer_without_a_key(running: Any, path: str) -> None:
    assert httpx.get(f"{running.address}{path}").status_code == 200


def test_metrics_are_for_readers(running: Any) -> None:
    assert running.clients["read"].get("/metrics").status_code == 200


def test_the_page_that_shows_the_description_is_open(running: Any) -> None:
    assert httpx.get(f"{running.address}/").status_code == 200


def test_every_route_described_exists(running: Any, described: dict[str, Any]) -> None:
    for path, operations in described["paths"].items():
        for method in operations:
            answer = running.clients["admin"].request(method, path.replace("{decision_id}", "d-unknown"))
            assert answer.status_code not in (403, 405, 500)
            assert "No such route" not in answer.text


def test_the_hot_route_describes_every_status_met_here(described: dict[str, Any]) -> None:
    statuses = set(described["paths"]["/v1/decide"]["post"]["responses"])
    assert statuses >= {"200", "400", "401", "403", "404", "409", "413", "415", "422", "429", "503"}


def test_the_description_accepts_what_the_service_accepts(
    running: Any, described: dict[str, Any], bodies: list[dict[str, Any]]
) -> None:
    bare = {"customer_id": "c", "records": {}}
    full = {**bodies[1], "requested_amount": 5, "language": "zh", "idempotency_key": "described"}
    for asked in (*bodies[:5], bare, full, {**bare, "records": {"statements": [ROW], "customers": None}}):
        assert post(running, json.dumps(asked)).status_code == 200
        assert accepted(described, asked, "DecideRequest")


@pytest.mark.parametrize(
    "changed",
    [{"limit": 1}, {"requested_amount": "3"}, {"language": "fr"}, {"customer_id": ""}, {"customer_id": "a\0"}],
)
def test_the_description_refuses_what_the_service_refuses(
    described: dict[str, Any], body: dict[str, Any], changed: dict[str, Any]
) -> None:
    assert not accepted(described, {**body, **changed}, "DecideRequest")


def test_the_description_accepts_the_answer(described: dict[str, Any], answer: httpx.Response) -> None:
    assert accepted(described, answer.json(), "DecisionAnswer")


def test_the_description_accepts_a_problem(running: Any, described: dict[str, Any]) -> None:
    assert accepted(described, post(running, b"{").json(), "Problem")


KINDS = {"object": dict, "array": list, "string": str, "number": int | float, "integer": int, "null": type(None)}
CHECKED = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const", "$ref"}
CHECKED |= {"minimum", "maximum", "minLength", "maxLength", "pattern"}
TOLD = {"title", "description", "default", "format"}


def accepted(described: dict[str, Any], value: Any, name: str) -> bool:
    """Whether a value fits a component: as much of JSON Schema as the description uses, and no word of it unread."""
    schemas = described["components"]["schemas"]

    def fits(schema: dict[str, Any], value: Any) -> bool:
        assert set(schema) <= CHECKED | TOLD, set(schema) - CHECKED - TOLD
        if "$ref" in schema:
            return fits(schemas[schema["$ref"].rpartition("/")[2]], value)
        if "anyOf" in schema and not any(fits(option, value) for option in schema["anyOf"]):
            return False
        if "type" in schema and (isinstance(value, bool) or not isinstance(value, KINDS[schema["type"]])):
            return False
        if ("enum" in schema and value not in schema["enum"]) or ("const" in schema and value != schema["const"]):
            return False
        return fits_inside(schema, value)

    def fits_inside(schema: dict[str, Any], value: Any) -> bool:
        if isinstance(value, dict):
            properties = schema.get("properties", {})
            if not schema.get("additionalProperties", True) and not set(value) <= set(properties):
                return False
            inside = all(fits(properties[key], item) for key, item in value.items() if key in properties)
            return inside and set(schema.get("required", ())) <= set(value)
        if isinstance(value, list):
            return all(fits(schema.get("items", {}), item) for item in value)
        if isinstance(value, str):
            fits_length = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf)
            return fits_length and re.search(schema.get("pattern", ""), value) is not None
        if isinstance(value, int | float):
            return schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
        return True

    return fits(schemas[name], value)
