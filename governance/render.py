"""Papers as pages and as Markdown: one form for all of them, from their JSON, without another file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment

from configs.templates import templates


@dataclass(frozen=True, slots=True)
class Page:
    """A paper of the document, or, where it is None, the index over all."""

    document: dict[str, Any]
    paper: dict[str, Any] | None

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return "index" if self.paper is None else file_of(self.paper)


def file_of(paper: dict[str, Any]) -> str:
    """What a paper's files are called."""
    return f"{paper['number']:02d}_{paper['key']}"


def cell(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if math.isfinite(value) and abs(value) < 1e6 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def words(name: str) -> str:
    """A key as words."""
    return str(name).replace("_", " ")


def in_markdown(value: Any) -> str:
    """A value in a cell of a Markdown table: it cannot end the cell or begin markup."""
    text = cell(value).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return " ".join(text.split())


def indented(value: Any) -> str:
    """JSON over several lines."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode()


def _templates() -> Environment:
    found = templates(Path(__file__).parent)
    found.filters |= {"cell": cell, "words": words, "md": in_markdown, "indented": indented, "file": file_of}
    return found


_TEMPLATES = _templates()


def html(page: Page) -> str:
    """A page that needs no other file."""
    return _TEMPLATES.get_template("paper.html").render(told=page.document, paper=page.paper)


def markdown(page: Page) -> str:
    """The same in Markdown."""
    return _TEMPLATES.get_template("paper.md").render(told=page.document, paper=page.paper)
