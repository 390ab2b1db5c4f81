"""The house's errors as a caller is told them: who is at fault, which field, and when to come again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from configs.errors import InputError, Refusal
from features.records import RecordsError
from serving import problems
from serving.ledger import LedgerError
from serving.problems import FieldProblem, Refused, refused, retry_after
from serving.vault import Erased


def refusal_of(error: Exception) -> Refused | None:
    """The refusal that tells of an error; None for what nobody foresaw."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, RecordsError):
        fields = [FieldProblem(pointer=pointer, detail=detail) for pointer, detail in error.fields]
        return refused(problems.BREACH, str(error), errors=fields)
    if isinstance(error, LedgerError):
        return refused(problems.NOT_RECORDED, str(error), retry_after(1))
    if isinstance(error, Erased):
        return refused(problems.ERASED, str(error))
    if isinstance(error, Refusal):
        return refused(problems.REFUSED, str(error))
    if isinstance(error, InputError):
        return refused(problems.NOT_ACCEPTABLE, str(error))
    if isinstance(error, TimeoutError):
        told = "whether it was recorded is not known: ask again with the same idempotency key"
        return refused(problems.LATE, told, retry_after(1))
    return None


@contextmanager
def read_strictly(read_as: Any = None) -> Iterator[None]:
    """What is read inside, as `read_as`, is a caller's: what is wrong with it is a 400 that names the field."""
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused(problems.NOT_A_REQUEST, str(error), errors=problems.fields_of(error, read_as)) from None
