"""What the console refuses: strangers, machines, forms of others, roles that do not allow it, paths that lead out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from configs.settings import load_settings
from console import model_acts
from console.routes import ROUTES
from console.sessions import Sessions
from console.visit import State

POLICY = {"default-src 'none'", "style-src 'self'", "script-src 'self'", "form-action 'self'", "frame-ancestors 'none'"}


@pytest.fixture
def visitor(site: Any) -> Iterator[httpx.Client]:
    """A browser without a script: nobody yet."""
    with httpx.Client(base_url=site.root, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def signed_in(site: Any) -> Iterator[Callable[..., httpx.Client]]:
    """A client in which a person is signed in, one for each person unless it is to be another."""
    clients: dict[tuple[str, int], httpx.Client] = {}

    def made(name: str, which: int = 0) -> httpx.Client:
        if (name, which) not in clients:
            client = clients[name, which] = httpx.Client(base_url=site.root, timeout=60)
            answer = client.post("/sign-in", data={"key": site.keys[name], "token": token(client, "/sign-in")})
            assert answer.status_code == 303
        return clients[name, which]

    yield made
    for client in clients.values():
        client.close()


def token(client: httpx.Client, path: str = "/") -> str:
    """The token that the forms of a page carry."""
    found = re.search(r'name="token" value="([0-9a-f]+)"', client.get(path).text)
    assert found is not None
    return found[1]


def test_no_page_opens_for_who_is_not_signed_in(site: Any, visitor: httpx.Client) -> None:
    paths = [route.path for route in ROUTES if route.method == "GET" and route.action is not None]
    assert {visitor.get(path.replace("{", "").replace("}", "")).status_code for path in paths} == {401}


def test_no_form_is_taken_from_who_is_not_signed_in(site: Any, visitor: httpx.Client) -> None:
    said = {"token": token(visitor, "/sign-in"), "reason": "why"}
    paths = [route.path for route in ROUTES if route.method == "POST" and route.action is not None]
    assert {visitor.post(path, data=said).status_code for path in paths} == {401}


def test_every_answer_forbids_what_is_not_of_this_site(visitor: httpx.Client) -> None:
    told = [visitor.get(path).headers for path in ("/sign-in", "/", "/nowhere")]
    assert all(set(one["content-security-policy"].split("; ")) >= POLICY for one in told)
    assert {one["x-content-type-options"] for one in told} == {"nosniff"}
    assert {one["cache-control"] for one in told} == {"no-store"}


def test_the_cookie_is_for_no_script_and_no_other_site(visitor: httpx.Client) -> None:
    cookie = visitor.get("/sign-in").headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/console"} <= set(cookie.split("; "))


@pytest.mark.parametrize("key", ["", "cl_wrong", "machine"])
def test_only_a_persons_key_opens_the_console(site: Any, visitor: httpx.Client, key: str) -> None:
    said = {"key": site.keys.get(key, key), "token": token(visitor, "/sign-in")}
    assert visitor.post("/sign-in", data=said).status_code == 401
    assert visitor.get("/").status_code == 401


def test_signing_in_gives_another_session_than_before(site: Any, visitor: httpx.Client) -> None:
    visitor.get("/sign-in")
    before = visitor.cookies["creditloop_console"]
    visitor.post("/sign-in", data={"key": site.keys["anna"], "token": token(visitor, "/sign-in")})
    assert visitor.cookies["creditloop_console"].partition(".")[0] != before.partition(".")[0]


def test_a_forged_or_changed_cookie_is_nobody(site: Any, signed_in: Callable[..., httpx.Client]) -> None:
    cookie = signed_in("anna").cookies["creditloop_console"]
    nonce, expires, mac = cookie.split(".")
    forged = (f"{nonce}.{int(expires) + 1}.{mac}", f"{nonce}.{expires}.{mac[:-1]}0", f"{nonce}..{mac}", "x", "")
    answers = [httpx.get(f"{site.root}/", cookies={"creditloop_console": one}).status_code for one in forged]
    assert set(answers) == {401}


@pytest.mark.parametrize("path", ["/sign-out", "/language", "/audit/verify", "/watchlist/x", "/models/rollback"])
def test_a_form_without_the_token_of_its_session_does_nothing(
    signed_in: Callable[..., httpx.Client], path: str
) -> None:
    client, other = signed_in("rita"), signed_in("rita", 1)
    wrong = [{}, {"token": ""}, {"token": "0" * 64}, {"token": token(other)}, {"token": "é"}]
    assert {client.post(path, data=said).status_code for said in wrong} == {403}
    assert client.get("/").status_code == 200


def test_a_form_that_another_site_sends_does_nothing(signed_in: Callable[..., httpx.Client]) -> None:
    client = signed_in("rita")
    said = {"token": token(client)}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://elsewhere.example"}, {"Origin": "null"}):
        assert client.post("/sign-out", data=said, headers=headers).status_code == 403
    assert client.get("/").status_code == 200


ALLOWED = {
    "/models/{version}/approve": {"vera", "paul"},
    "/models/{version}/promote": {"paul"},
    "/models/{version}/waive": {"paul", "rita"},
    "/models/{version}/find": {"vera", "anna"},
    "/models/rollback": {"paul", "rita"},
    "/watchlist/none": {"rita"},
    "/collections": {"rita"},
}


@pytest.mark.parametrize("path", ALLOWED)
def test_a_form_is_taken_from_the_roles_that_may_alone(
    site: Any, signed_in: Callable[..., httpx.Client], path: str
) -> None:
    """Without a reason: who may is told so (422), or that there is no such warning or former champion; others 403."""
    got = {}
    for name in ("dora", "vera", "paul", "rita", "anna"):
        client = signed_in(name)
        got[name] = client.post(path.format(version=site.challenger), data={"token": token(client)}).status_code
    assert {name for name, status in got.items() if status != 403} == ALLOWED[path]
    assert set(got.values()) <= {403, 409, 422}


def test_a_refused_role_reads_which_roles_there_are(signed_in: Callable[..., httpx.Client]) -> None:
    client = signed_in("dora")
    told = client.post("/collections", data={"token": token(client)}).text
    assert "You are signed in as dora with the role developer" in told
    assert "<li>risk</li>" in told


def test_a_revoked_key_ends_its_session(site: Any, signed_in: Callable[..., httpx.Client]) -> None:
    import time

    from serving import access

    site.keys["gone"] = access.create_key(site.settings.home, "gone", "auditor")
    time.sleep(1.5)  # the service looks once a second
    client = signed_in("gone")
    access.revoke_key(site.settings.home, "gone")
    deadline = time.monotonic() + 10
    while client.get("/audit/progress").status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/reports/consumer_platform/..%2f..%2fkeys.json",
        "/reports/../keys.json",
        "/reports/%2e%2e/keys.json",
        "/static/..%2fservice.py",
        "/static/../service.py",
        "/models/..%2f..",
        "/customers/x",
    ],
)
def test_no_path_leads_out_of_the_console(signed_in: Callable[..., httpx.Client], path: str) -> None:
    assert signed_in("anna").get(path).status_code == 404


def test_a_report_is_shown_in_a_sandbox(site: Any, signed_in: Callable[..., httpx.Client]) -> None:
    client = signed_in("anna")
    link = re.search(r'href="/console(/reports/[^"]+)"', client.get("/drift").text)
    assert link is not None
    policy = client.get(link[1]).headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "script" not in policy


def test_going_back_after_a_choice_of_language_stays_on_this_site(signed_in: Callable[..., httpx.Client]) -> None:
    client = signed_in("anna")
    for back in ("//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", ""):
        answer = client.post("/language", data={"token": token(client), "language": "en", "back": back})
        assert answer.headers["location"] == "/console/"


def test_what_is_typed_is_shown_as_text(signed_in: Callable[..., httpx.Client]) -> None:
    shown = signed_in("anna").get("/customers", params={"customer": "<script>alert(1)</script>"}).text
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown


@pytest.mark.parametrize(
    "query",
    [
        *("before=x", "before=²", f"before={'9' * 30}"),
        *("since=2026-13-01", "product=none", "until=x", "since=0001-01-01&until=9999-12-31"),
    ],
)
def test_a_bad_query_is_told_and_breaks_nothing(signed_in: Callable[..., httpx.Client], query: str) -> None:
    assert signed_in("anna").get(f"/decisions?{query}").status_code in (200, 404)


def test_the_routes_of_decisions_know_nothing_of_the_console(site: Any) -> None:
    assert httpx.get(site.root.replace("/console", "/v1/models")).status_code == 401
    assert httpx.get(site.root.replace("/console", "/consoles")).headers["content-type"] == "application/problem+json"


def test_many_attempts_from_one_address_must_wait(tmp_path: Any) -> None:
    settings = load_settings(tmp_path, {"console": {"sign_in_attempts": 3, "sign_in_minutes": 1}}).console
    sessions = Sessions(tmp_path, settings)
    tried = [sessions.attempt("a", now) for now in (0.0, 1.0, 2.0, 3.0, 59.0)]
    assert tried == [True, True, True, False, False]
    assert sessions.attempt("b", 3.0)
    assert sessions.attempt("a", 60.5)


def test_a_session_ends_when_it_is_old_or_was_idle(tmp_path: Any) -> None:
    settings = load_settings(tmp_path, {"console": {"session_minutes": 60, "idle_minutes": 10}}).console
    sessions = Sessions(tmp_path, settings)
    cookie = sessions.cookie(sessions.sign_in("key", 0.0))
    used = [sessions.read(cookie, 60.0 * minute) for minute in (5, 14, 23, 32, 41, 50, 59)]
    assert {session and session.key for session in used} == {"key"}
    assert sessions.read(cookie, 60.0 * 61) is None
    idle = sessions.read(sessions.cookie(sessions.sign_in("key", 0.0)), 60.0 * 11)
    assert idle is not None
    assert idle.key is None


def test_what_a_process_is_called_with_is_for_everybody_to_read_and_holds_no_password(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(
        model_acts.subprocess, "Popen", lambda command, **how: began.append((command, how.get("env") or {}))
    )
    settings = load_settings(tmp_path, {"stores": {"tracking": "postgresql://loop:s3cret@db/mlflow"}})
    model_acts._mirror(cast(State, SimpleNamespace(settings=settings)), "p", "p-20260101-abc")
    ((command, environment),) = began
    assert "s3cret" not in " ".join(command)
    assert environment["CREDITLOOP_HOME"] == str(settings.home)
    assert command[-2:] == ["p", "p-20260101-abc"]
