"""TOML files: read with an error that says where, held against a model, and written so that they read back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from configs.errors import ConfigError, listed, nearest

HERE = Path(__file__).parent  # the files that are shipped
Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file as a dict; ConfigError says what could not be read, with line and column."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as TOML: {error}") from None


def parse(model: type[Model], values: Mapping[str, Any], source: str) -> Model:
    """`values` as `model`; ConfigError lists every problem with its key and the nearest known name."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_problem(model, detail) for detail in error.errors()]
        raise ConfigError(listed(source, problems)) from None


def _problem(model: type[BaseModel], detail: Any) -> str:
    path = [str(part) for part in detail["loc"]]
    if detail["type"] == "extra_forbidden":
        return f"{'.'.join(path)}: unknown key{nearest(path[-1], _known_keys(model, path[:-1]))}"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return f"{'.'.join(path)}: missing"
    got = "" if isinstance(detail["input"], dict) else f", got {detail['input']!r}"
    return f"{'.'.join(path)}: {message}{got}" if path else message


def _known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        if part.isdigit() or part not in model.model_fields:
            continue
        annotation = model.model_fields[part].annotation
        inner = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
        model = next((kind for kind in inner if issubclass(kind, BaseModel)), model)
    return list(model.model_fields)


def toml_of(values: Mapping[str, Any]) -> str:
    """`values` as TOML text: plain keys first, then sections, then lists of sections."""
    plain = {key: value for key, value in values.items() if not _is_section(value)}
    lines = [f"{key} = {_toml(value)}" for key, value in plain.items()]
    for name, value in values.items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *(f"{key} = {_toml(item)}" for key, item in value.items())]
    for name, value in values.items():
        if _is_section(value) and not isinstance(value, dict):
            for entry in value:
                lines += ["", f"[[{name}]]", *(f"{key} = {_toml(item)}" for key, item in entry.items())]
    return "\n".join(lines) + "\n"


def _is_section(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, tuple) and bool(value) and isinstance(value[0], dict))


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)  # a TOML string, number or boolean is written as in JSON
