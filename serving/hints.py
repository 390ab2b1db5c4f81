"""What may stand in a request, for who misspelt a field or a word: looked up in the type that was read."""

from __future__ import annotations

from collections.abc import Sequence
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import msgspec

from configs.errors import nearest


def named_instead(read_as: Any, steps: Sequence[str], unknown: str) -> str:
    """`; did you mean 'x'?`, or `; there are: ...`: the fields at `steps` of the struct type `read_as`, near `unknown`.

    `steps` are names of fields and positions in arrays, as in a JSON pointer. Nothing where no struct stands there.
    """
    names = list(_fields(_at(read_as, steps)))
    return nearest(unknown, names) or (f"; there are: {', '.join(names)}" if names else "")


def words_instead(read_as: Any, steps: Sequence[str]) -> str:
    """`; expected one of: x, y`: the words that may stand at `steps` of the type `read_as`. Nothing where any may."""
    kind = _at(read_as, steps)
    words = [word for one in (kind, *get_args(kind)) if get_origin(one) is Literal for word in get_args(one)]
    return f"; expected one of: {', '.join(words)}" if words else ""


def _at(read_as: Any, steps: Sequence[str]) -> Any:
    found = read_as
    for step in steps:
        found = _items(found) if step.isdigit() else _fields(found).get(step)
    return found


def _fields(kind: Any) -> dict[str, Any]:
    for one in (kind, *get_args(kind)):
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            return {field.encode_name: field.type for field in msgspec.structs.fields(one)}
    return {}


def _items(kind: Any) -> Any:
    """What an array type holds, be it `tuple[item, ...]` or that or null."""
    held = [one for one in get_args(kind) if one not in (NoneType, ...)]
    return held[0] if NoneType not in get_args(kind) else _items(held[0])
