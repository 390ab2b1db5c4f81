"""A Python client of the service: typed questions and answers, problems as exceptions, retries that decide once.

A question is asked again (429, 503, a broken connection) only with an idempotency key: without one, asking twice may
decide twice. `Retry-After` is heeded, else the pause doubles, each with a random part.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import httpx
import msgspec

from configs.errors import CreditloopError
from serving.advice import Advised
from serving.api import (
    BatchAnswer,
    DecideRequest,
    DecisionAnswer,
    ModelCard,
    ModelLine,
    OutcomeAnswer,
    OutcomeRequest,
    OverrideAnswer,
    OverrideRequest,
    ReplayAnswer,
)
from serving.problems import Problem

_AGAIN = (429, 503)
_Answer = TypeVar("_Answer")


class ProblemError(CreditloopError):
    """The service answered with a problem."""

    def __init__(self, problem: Problem) -> None:
        where = "".join(f"\n  {error.pointer}: {error.detail}" for error in problem.errors)
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}{where}")
        self.problem = problem


class Unreachable(CreditloopError):
    """No answer came: whether the question was decided is not known. Ask again with the same idempotency key."""


def question(customer_id: str, records: Mapping[str, Any] | None = None, **said: Any) -> DecideRequest:
    """A question as the service takes it; without `records` it reads those it has stored. `said`: see DecideRequest.

    Raises msgspec.ValidationError for what the service would refuse.
    """
    asked = {"customer_id": customer_id, **said} | ({} if records is None else {"records": records})
    return msgspec.json.decode(msgspec.json.encode(asked), type=DecideRequest)


class Client:
    """One service, one key. Safe for several threads, as httpx.Client is; close it, or use it in `with`."""

    def __init__(
        self,
        address: str,
        key: str,
        retries: int = 4,
        timeout_seconds: float = 10.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=timeout_seconds, transport=transport)
        self._retries, self._sleep = retries, sleep

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def advise(self, asked: DecideRequest) -> Advised:
        """What the customer could do; nothing is recorded. Raises ProblemError, Unreachable."""
        return self._ask("POST", "/v1/advice", Advised, _body(asked), True)

    def decide(self, asked: DecideRequest) -> DecisionAnswer:
        """One decision. Raises ProblemError, Unreachable."""
        again = asked.idempotency_key is not None
        return self._ask("POST", "/v1/decide", DecisionAnswer, _body(asked), again)

    def decide_batch(self, asked: Sequence[DecideRequest]) -> list[BatchAnswer]:
        """Many decisions, each with its answer or its problem, in order; asked again only if all have a key."""
        again = all(one.idempotency_key is not None for one in asked)
        body = b"[" + b",".join(map(_body, asked)) + b"]"
        return self._ask("POST", "/v1/decide/batch", list[BatchAnswer], body, again)

    def decision(self, decision_id: str) -> DecisionAnswer:
        """A recorded decision."""
        return self._ask("GET", f"/v1/decisions/{decision_id}", DecisionAnswer)

    def replay(self, decision_id: str) -> ReplayAnswer:
        """A recorded decision made again."""
        return self._ask("POST", f"/v1/decisions/{decision_id}/replay", ReplayAnswer)

    def override(self, decision_id: str, said: OverrideRequest) -> OverrideAnswer:
        """A person's decision in its place; the same override again is recorded once."""
        return self._ask("POST", f"/v1/decisions/{decision_id}/override", OverrideAnswer, msgspec.json.encode(said))

    def outcome(self, said: OutcomeRequest) -> OutcomeAnswer:
        """What became of a decision; the same outcome again is recorded once."""
        return self._ask("POST", "/v1/outcomes", OutcomeAnswer, msgspec.json.encode(said))

    def models(self) -> list[ModelLine]:
        """The versions that answer."""
        return self._ask("GET", "/v1/models", list[ModelLine])

    def model(self, product: str | None = None) -> ModelCard:
        """What answers for a product, or for the only one."""
        query = str(httpx.QueryParams({"product": product})) if product else ""
        return self._ask("GET", f"/v1/model?{query}", ModelCard)

    def _ask(
        self, method: str, path: str, answer: type[_Answer], body: bytes | None = None, again: bool = True
    ) -> _Answer:
        pause = 0.1
        for left in range(self._retries if again else 0, -1, -1):
            got = self._send(method, path, body, last=not left)
            if got is not None and (got.status_code not in _AGAIN or not left):
                break
            wait = pause if got is None else _wait(got, pause)
            self._sleep(wait + random.uniform(0, pause))
            pause *= 2
        assert got is not None  # the last try gives an answer or raises
        if got.status_code == 200:
            return msgspec.json.decode(got.content, type=answer)
        raise ProblemError(_problem(got))

    def _send(self, method: str, path: str, body: bytes | None, last: bool) -> httpx.Response | None:
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            return self._http.request(method, path, content=body, headers=headers)
        except httpx.TransportError as error:
            if last:
                raise Unreachable(f"{method} {path}: {error.__class__.__name__}: {error}") from None
            return None


def _body(asked: DecideRequest) -> bytes:
    """A question as JSON; records that were left out stay out, and so does what was not said."""
    said = {name: getattr(asked, name) for name in asked.__struct_fields__ if name != "records"}
    said = {name: value for name, value in said.items() if value is not None and value is not False}
    return msgspec.json.encode(said | ({"records": asked.records} if asked.has_records() else {}))


def _wait(got: httpx.Response, otherwise: float) -> float:
    """Seconds that an answer asks to wait; `otherwise` where it does not say, or names a moment, as proxies do."""
    said = got.headers.get("retry-after", "")
    return float(said) if said.isdecimal() else otherwise


def _problem(got: httpx.Response) -> Problem:
    try:
        return msgspec.json.decode(got.content, type=Problem)
    except msgspec.DecodeError:  # a proxy between, not our service
        return Problem(title=got.reason_phrase or "No problem told", status=got.status_code, detail=got.text[:300])
