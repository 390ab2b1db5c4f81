"""Every route, declared once: method, path, role, request, answer, problems. It is what runs and what is described."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from serving import asking, operations, problems
from serving.access import Action
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
from serving.asking import NDJSON
from serving.call import Call
from serving.problems import Kind, refused

JSON = "application/json"
EVERYWHERE = (
    problems.NO_VALID_KEY,
    problems.NOT_ALLOWED,
    problems.TOO_MANY_REQUESTS,
    problems.FAULT,
    problems.NOT_READY,
    problems.BUSY,
    problems.NOT_RECORDED,
    problems.LATE,
)
_WITH_BODY = (
    problems.NOT_A_REQUEST,
    problems.CUT_OFF,
    problems.TOO_SLOW,
    problems.TOO_LARGE,
    problems.NOT_JSON,
)


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `request` and `answer` are types that JSON is read as and written from.

    A route whose `whole` is true reads its body itself: one bad item in it is not a bad request.
    """

    method: str
    path: str
    role: Action
    summary: str
    answered: str
    run: Callable[[Call], Awaitable[Any]]
    answer: Any
    request: Any = None
    media: tuple[str, ...] = (JSON,)
    own_problems: tuple[Kind, ...] = ()
    query: Mapping[str, str] | None = None
    whole: bool = False

    @property
    def problems(self) -> tuple[Kind, ...]:
        """All that it may end in."""
        return (*(_WITH_BODY if self.request else ()), *EVERYWHERE, *self.own_problems)


_DECIDES = (
    problems.NO_SUCH_PRODUCT,
    problems.NO_RECORDS,
    problems.BREACH,
    problems.KEY_USED_BEFORE,
    problems.ERASED,
    problems.NOT_READ,
)

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/decide",
        role="score",
        summary="Decide about one customer",
        answered="Decided and recorded",
        run=asking.decide,
        request=DecideRequest,
        answer=DecisionAnswer,
        own_problems=_DECIDES,
    ),
    Route(
        method="POST",
        path="/v1/decide/batch",
        role="score",
        summary="Decide about many customers; each question has its own answer or problem, in order",
        answered="Each decided and recorded, or with its problem; of NDJSON, NDJSON",
        run=asking.decide_batch,
        request=list[DecideRequest],
        answer=list[BatchAnswer],
        media=(JSON, NDJSON),
        whole=True,
    ),
    Route(
        method="POST",
        path="/v1/advice",
        role="score",
        summary="What the customer could do to be approved or to reach the next grade",
        answered="Pieces of advice, any one of which is enough; nothing is recorded",
        run=asking.advise,
        request=DecideRequest,
        answer=Advised,
        own_problems=(problems.NO_SUCH_PRODUCT, problems.NO_RECORDS, problems.BREACH, problems.NOT_READ),
    ),
    Route(
        method="GET",
        path="/v1/decisions/{decision_id}",
        role="read",
        summary="A recorded decision",
        answered="The answer given",
        run=operations.find_decision,
        answer=DecisionAnswer,
        own_problems=(problems.NO_SUCH_DECISION, problems.ERASED),
    ),
    Route(
        method="POST",
        path="/v1/decisions/{decision_id}/replay",
        role="read",
        summary="Decide again what was decided, and compare every bit",
        answered="Equal, or where it differs",
        run=operations.replay_decision,
        answer=ReplayAnswer,
        own_problems=(problems.NO_SUCH_DECISION, problems.ERASED),
    ),
    Route(
        method="POST",
        path="/v1/decisions/{decision_id}/override",
        role="override",
        summary="Decide otherwise than the policy did, under a level of authority",
        answered="The override is on record",
        run=operations.override_decision,
        request=OverrideRequest,
        answer=OverrideAnswer,
        own_problems=(problems.NO_SUCH_DECISION, problems.ERASED, problems.REFUSED, problems.NOT_ACCEPTABLE),
    ),
    Route(
        method="POST",
        path="/v1/outcomes",
        role="outcome",
        summary="Record what became of a decision",
        answered="The outcome is on record",
        run=operations.record_outcome,
        request=OutcomeRequest,
        answer=OutcomeAnswer,
        own_problems=(problems.ERASED, problems.REFUSED, problems.NOT_ACCEPTABLE),
    ),
    Route(
        method="GET",
        path="/v1/models",
        role="read",
        summary="The model versions that answer",
        answered="One for each product",
        run=operations.list_models,
        answer=list[ModelLine],
    ),
    Route(
        method="GET",
        path="/v1/model",
        role="read",
        summary="What answers for a product",
        answered="Versions, masterscale, features and validation",
        run=operations.show_model,
        answer=ModelCard,
        query={"product": "its name; may be left out where only one is served"},
        own_problems=(problems.NO_SUCH_PRODUCT,),
    ),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A route, what reads its body (None where the route does, or where there is none), the name in the path."""

    route: Route
    decoder: msgspec.json.Decoder[Any] | None
    name: str = ""


class Table:
    """Finds the route of a request. A path names at most one thing, as one of its steps."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact: dict[str, dict[str, Found]] = {}
        self._named: dict[tuple[str, str], dict[str, Found]] = {}
        for route in routes:
            reads = msgspec.json.Decoder(route.request) if route.request and not route.whole else None
            before, _, after = route.path.partition("{")
            if after:
                methods = self._named.setdefault((before, after.partition("}")[2]), {})
            else:
                methods = self._exact.setdefault(route.path, {})
            methods[route.method] = Found(route, reads)

    def find(self, path: str, method: str) -> Found:
        """The route of a path and method. Raises Refused where there is none."""
        methods, name = self._methods(path)
        if not methods:
            raise refused(problems.NO_SUCH_ROUTE, f"{path[:100]!r}; see /docs.json")
        if method not in methods:
            allowed = ", ".join(methods)
            raise refused(problems.WRONG_METHOD, f"use {allowed}", (b"allow", allowed.encode()))
        found = methods[method]
        return replace(found, name=name) if name else found

    def _methods(self, path: str) -> tuple[dict[str, Found], str]:
        if path in self._exact:
            return self._exact[path], ""
        for (before, after), methods in self._named.items():
            name = path.removeprefix(before).removesuffix(after)
            if path == before + name + after and name and "/" not in name:
                return methods, name
        return {}, ""
