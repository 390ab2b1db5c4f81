"""OpenAPI 3.1 of what runs, made from the routes themselves and the record types of the products served."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from serving.problems import Kind, Problem
from serving.routes import JSON, ROUTES, Route

_REFERENCE = "#/components/schemas/"


def openapi(records: dict[str, type[msgspec.Struct]], version: str, routes: Sequence[Route] = ROUTES) -> dict[str, Any]:
    """The description of a service that takes the `records` of each product."""
    spoken = [kind for route in routes for kind in (route.request, route.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components([*spoken, Problem], ref_template=f"{_REFERENCE}{{name}}")
    of_type = dict(zip(map(repr, spoken), schemas, strict=False))
    for product, rows in records.items():
        components |= _components(rows, f"{product}.")
    components["DecideRequest"]["properties"]["records"] = {
        "description": "Rows of the raw tables, by table; which tables, by product: " + ", ".join(records),
        "anyOf": [{"$ref": f"{_REFERENCE}{product}.{rows.__name__}"} for product, rows in records.items()],
    }
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, of_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "creditloop", "version": version},
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _components(rows: type[msgspec.Struct], prefix: str) -> dict[str, Any]:
    """The schemas of what a type holds, by name; `prefix` keeps one product's rows from another's."""
    _, schemas = msgspec.json.schema_components([rows], ref_template=f"{_REFERENCE}{prefix}{{name}}")
    return {f"{prefix}{name}": schema for name, schema in schemas.items()}


def _operation(route: Route, of_type: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": route.summary,
        "description": f"For keys of a role that covers `{route.role}`.",
        "operationId": route.run.__name__,
    }
    if parameters := _parameters(route):
        described["parameters"] = parameters
    if route.request is not None:
        described["requestBody"] = {"required": True, "content": _content(route, of_type[repr(route.request)])}
    answer = {"description": route.answered, "content": _content(route, of_type[repr(route.answer)])}
    return {**described, "responses": {"200": answer, **_problems(route.problems)}}


def _parameters(route: Route) -> list[dict[str, Any]]:
    named = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    asked = [
        {"name": name, "in": "query", "required": False, "description": told, "schema": {"type": "string"}}
        for name, told in (route.query or {}).items()
    ]
    return named + asked


def _content(route: Route, schema: dict[str, Any]) -> dict[str, Any]:
    """A body by its media type; of another than JSON each line is one of the items."""
    return {media: {"schema": schema if media == JSON else schema["items"]} for media in route.media}


def _problems(kinds: Sequence[Kind]) -> dict[str, Any]:
    """One response for each status, told by the titles of all problems that have it."""
    titles: dict[int, list[str]] = {}
    for kind in kinds:
        titles.setdefault(kind.status, []).append(kind.title)
    body = {"application/problem+json": {"schema": {"$ref": f"{_REFERENCE}Problem"}}}
    return {str(status): {"description": "; or: ".join(titles[status]), "content": body} for status in sorted(titles)}
