"""Pages people read about customers: one template each, no second file; and the JSON beside them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment

from configs.templates import templates
from configs.whole import whole
from monitoring.customers import charts


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:,.{digits}f} %"


def _words(name: str) -> str:
    return name.replace("_", " ")


FILTERS = {"number": _number, "percent": _percent, "words": _words}


def _templates() -> Environment:
    found = templates(Path(__file__).parent)
    found.filters |= FILTERS
    found.globals |= {"lines": charts.lines, "bars": charts.bars, "spark": charts.spark}
    return found


_TEMPLATES = _templates()


def page(template: str, **values: Any) -> str:
    """The page of a template, self-contained HTML."""
    return _TEMPLATES.get_template(template).render(**values)


def plain(values: Any) -> Any:
    """As JSON values; what is not finite is null."""
    return msgspec.json.decode(msgspec.json.encode(values, enc_hook=str))


def write(path: Path, template: str, values: dict[str, Any]) -> Path:
    """Write the page, and `values` as JSON beside it; returns the path of the page."""
    told = plain(values)
    for target, text in (
        (path, page(template, **told)),
        (path.with_suffix(".json"), msgspec.json.format(msgspec.json.encode(told), indent=1).decode()),
    ):
        with whole(target) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    return path
