"""Errors in the one form of RFC 9457: each kind is declared once, with its status, for routes and description."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from serving.hints import named_instead, words_instead

_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_NAMED = re.compile(r"(?:unknown|required) field `([^`]*)`")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


class FieldProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One field at fault: where it stands in the body (a JSON pointer, RFC 6901, as a fragment), what is wrong."""

    pointer: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error in the form of RFC 9457; `errors` are there where fields of the request are at fault."""

    type: str = msgspec.field(default_factory=lambda: "about:blank")  # a factory: it is always written
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of error: its HTTP status and what is the same each time it occurs."""

    status: int
    title: str


NOT_A_REQUEST = Kind(400, "Not a request")
CUT_OFF = Kind(400, "Cut off")
NO_VALID_KEY = Kind(401, "No valid key")
NOT_ALLOWED = Kind(403, "Not allowed")
NO_SUCH_ROUTE = Kind(404, "No such route")
NO_SUCH_PRODUCT = Kind(404, "No such product")
NO_SUCH_DECISION = Kind(404, "No such decision")
WRONG_METHOD = Kind(405, "Wrong method")
TOO_SLOW = Kind(408, "The request did not arrive in time")
KEY_USED_BEFORE = Kind(409, "Key used before")
REFUSED = Kind(409, "Refused")
ERASED = Kind(410, "The customer was erased")
TOO_LARGE = Kind(413, "Too large")
NOT_JSON = Kind(415, "Not JSON")
NO_RECORDS = Kind(422, "No records")
BREACH = Kind(422, "The records break their contract")
NOT_ACCEPTABLE = Kind(422, "What was said does not hold")
TOO_MANY_REQUESTS = Kind(429, "Too many requests")
FAULT = Kind(500, "A fault of ours")
NOT_READY = Kind(503, "Not ready")
BUSY = Kind(503, "Too busy")
NOT_RECORDED = Kind(503, "The ledger does not answer")
NOT_READ = Kind(503, "The stored records cannot be read")
LATE = Kind(503, "Not answered in time")

Header = tuple[bytes, bytes]


class Refused(Exception):
    """Ends a request with a problem, and the headers that go with it."""

    def __init__(self, problem: Problem, headers: tuple[Header, ...] = ()) -> None:
        super().__init__(problem.title)
        self.problem, self.headers = problem, headers


def refused(kind: Kind, detail: str, *headers: Header, errors: Iterable[FieldProblem] = ()) -> Refused:
    """The refusal of a kind."""
    return Refused(Problem(title=kind.title, status=kind.status, detail=detail, errors=tuple(errors)), headers)


def retry_after(seconds: float) -> Header:
    """The header that says when to come again: whole seconds, one at least."""
    return b"retry-after", str(max(1, -int(-seconds // 1))).encode()


class Located(NamedTuple):
    """A msgspec error taken apart: where, as a JSON pointer, and what."""

    pointer: str
    detail: str


def located(error: msgspec.ValidationError | str, below: str = "#", read_as: Any = None) -> Located:
    """Where and what a msgspec error tells of; `below` is the pointer of the value that was read, as `read_as`."""
    found = _AT.match(str(error))
    assert found is not None  # the pattern matches any text
    steps = [name or place for name, place in _STEP.findall(found["path"] or "")]
    named = _NAMED.search(found["what"])
    if named is None:
        instead = words_instead(read_as, steps) if "enum value" in found["what"] else ""
        return Located(pointer(below, *steps), found["what"] + instead)
    instead = named_instead(read_as, steps, named[1]) if "unknown field" in found["what"] else ""
    return Located(pointer(below, *steps, named[1]), found["what"] + instead)


def pointer(below: str, *steps: str | int) -> str:
    """The JSON pointer of what lies at `steps` below another."""
    return below + "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def fields_of(
    error: msgspec.DecodeError | UnicodeDecodeError | RecursionError, read_as: Any = None
) -> tuple[FieldProblem, ...]:
    """The field at fault of a body that is JSON but not the request; none where it is no JSON."""
    if not isinstance(error, msgspec.ValidationError):
        return ()
    where = located(error, read_as=read_as)
    return (FieldProblem(pointer=where.pointer, detail=where.detail),)
