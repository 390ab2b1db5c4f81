"""docs/api.md from the OpenAPI description that the service serves at /docs.json: the same call makes both.

`python -m docs.make_api` writes the page; a test holds that it is what the code says today.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from configs.settings import load_product
from console.files import FILE
from features.contracts import JUDGING
from features.load import table_contract
from features.records import rows_type
from serving.openapi import openapi
from serving.routes import ROUTES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
_BOUNDS = {
    "minimum": ">=",
    "maximum": "<=",
    "minLength": "at least",
    "maxLength": "at most",
    "multipleOf": "multiple of",
}
PRODUCTS = ("consumer_platform", "trade_credit")

_HEAD = """# The HTTP interface

Made by `python -m docs.make_api` from the description that a running service serves at `/docs.json` (OpenAPI 3.1);
a test holds that it is true. How to use it, with a first call:
[tutorial/application-developer.md](tutorial/application-developer.md); what lies behind it: [serving.md](serving.md).
Every route wants `Authorization: Bearer KEY`.

A field in **bold** must be there. What a request of another product may hold is in [data.md](data.md) and in its own
`/docs.json`.
"""


def description() -> dict[str, Any]:
    """The description of a service that answers for the two simulated products."""
    return openapi({name: _records(name) for name in PRODUCTS}, version("creditloop"), (*ROUTES, FILE))


def _records(name: str) -> type[msgspec.Struct]:
    """What a request of a product may hold where its model reads all of its tables."""
    product = load_product(name, ROOT / "no-home")
    tables = [table_contract(table, product) for table in product.tables if table not in JUDGING]
    fields: list[Any] = [(table.name, rows_type(table), None) for table in tables]
    return msgspec.defstruct("Records", fields, frozen=True, kw_only=True, forbid_unknown_fields=True)


def page() -> str:
    """The page as it ought to be."""
    told = description()
    shared = _shared(told["paths"])
    lines = [_HEAD, "## Routes\n", *_overview(told["paths"])]
    lines += ["\nEach of them may also end in\n", *(f"- {status}: {words}" for status, words in shared.items())]
    for path, methods in told["paths"].items():
        for method, route in methods.items():
            lines += ["", f"### {method.upper()} {path}\n", *_route(route, shared)]
    lines += ["\n## Types"]
    for name, schema in sorted(told["components"]["schemas"].items()):
        lines += ["", f"### {name}\n", *_type(schema)]
    return "\n".join(lines) + "\n"


def _overview(paths: Mapping[str, Any]) -> Iterator[str]:
    yield "| route | what it does | key |"
    yield "|---|---|---|"
    for path, methods in paths.items():
        for method, told in methods.items():
            yield f"| `{method.upper()} {path}` | {told['summary']} | {_role(told)} |"


def _role(told: Mapping[str, Any]) -> str:
    return "`" + told["description"].partition("`")[2].partition("`")[0] + "`"


def _shared(paths: Mapping[str, Any]) -> dict[str, str]:
    """The problems that every route may end in, by status."""
    answers = [route["responses"] for methods in paths.values() for route in methods.values()]
    return {
        status: answer["description"]
        for status, answer in answers[0].items()
        if all(other.get(status) == answer for other in answers)
    }


def _route(told: Mapping[str, Any], shared: Mapping[str, str]) -> Iterator[str]:
    yield f"{told['summary']}. {told['description']}\n"
    for one in told.get("parameters", ()):
        yield f"- in the {one['in']}, `{one['name']}`" + (f": {one['description']}" if "description" in one else "")
    if "requestBody" in told:
        yield "- send " + _content(told["requestBody"]["content"])
    for status, answer in told["responses"].items():
        if status == "200":
            yield f"- 200: {answer['description']}: {_content(answer['content'])}"
        elif status not in shared:
            yield f"- {status}: {answer['description']}"


def _content(content: Mapping[str, Any]) -> str:
    return " or ".join(f"{_kind(body['schema'])} as `{media}`" for media, body in content.items())


def _type(schema: Mapping[str, Any]) -> Iterator[str]:
    if "description" in schema:
        yield " ".join(schema["description"].split()) + "\n"
    if "properties" not in schema:
        yield _kind(schema)
        return
    yield "| field | type | |"
    yield "|---|---|---|"
    needed = schema.get("required", ())
    for name, field in schema["properties"].items():
        shown = f"**{name}**" if name in needed else name
        default = f"default {json.dumps(field['default'])}" if field.get("default") is not None else ""
        yield f"| {shown} | {_kind(field)} | {field.get('description') or default} |"


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower().replace('.', '').replace('[', '').replace(']', '')})"
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(one)}`" for one in schema["enum"])
    if schema.get("type") == "array":
        held = schema.get("items") or {}
        return f"list of {_kind(held)}" if held else "list"
    return _bounded(schema)


def _bounded(schema: Mapping[str, Any]) -> str:
    bounds = [f"{word} {schema[key]:g}" for key, word in _BOUNDS.items() if key in schema]
    kind = schema.get("format") or schema.get("type") or "anything"
    unit = " characters" if "minLength" in schema or "maxLength" in schema else ""
    return f"{kind} ({', '.join(bounds)}{unit})" if bounds else str(kind)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
