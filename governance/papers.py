"""The twelve papers of a version as one signed JSON, and every page rendered from that JSON alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from configs.whole import whole
from governance import data, judged, life, making, use
from governance.annex import annex_iv
from governance.artefact import Artefact, Field
from governance.facts import Facts
from governance.render import Page, html, markdown
from training.signature import PrivateKey, sign, verify

JSON = "governance.json"
FORMAT = 1
_WRITERS = (
    use.inventory_card,
    data.data_sheet,
    making.training_record,
    judged.validation_report,
    judged.fairness_report,
    judged.explainability,
    use.instructions_for_use,
    life.approval_record,
    life.monitoring_pack,
    life.decision_record,
    life.event_log,
)


@dataclass(frozen=True, slots=True)
class Missing:
    """A field that a person has to supply, in which papers it is asked for, and whose word it is."""

    field: str
    supplied_by: str
    asked_in: tuple[int, ...]


def artefacts(facts: Facts) -> tuple[Artefact, ...]:
    """The twelve papers by their number."""
    others = [write(facts) for write in _WRITERS]
    return tuple(sorted([*others, annex_iv(facts, others)], key=lambda one: one.number))


def missing(papers: tuple[Artefact, ...]) -> list[Missing]:
    """Each field that a person has to supply, once."""
    asked: dict[str, tuple[Field, list[int]]] = {}
    for paper in papers:
        for one in paper.missing:
            asked.setdefault(one.name, (one, []))[1].append(paper.number)
    return [Missing(name, one.supplied_by or "", tuple(numbers)) for name, (one, numbers) in asked.items()]


def document(facts: Facts, papers: tuple[Artefact, ...]) -> dict[str, Any]:
    """All of it as plain values."""
    return {
        "format": FORMAT,
        "product": facts.product.name,
        "title": facts.product.title,
        "version": facts.bundle.version,
        "digest": facts.bundle.digest,
        "policy": facts.product.digest(),
        "status": facts.status,
        "written_at": facts.written_at,
        "missing": msgspec.to_builtins(missing(papers)),
        "artefacts": [_plain(paper.to_json()) for paper in papers],
    }


def _plain(values: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(values, enc_hook=str))


def write(told: dict[str, Any], folder: Path, key: PrivateKey) -> Path:
    """Write `folder`/VERSION: the JSON and its signature, pages and Markdown, an index; the index's path.

    Pages are rendered from what the JSON says.
    """
    target = folder / told["version"]
    target.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(told), indent=1)
    _put(target / JSON, text)
    sign(target, text, key)
    again = msgspec.json.decode(text)
    for page in (Page(again, None), *(Page(again, paper) for paper in again["artefacts"])):
        _put(target / f"{page.name}.html", html(page).encode())
        _put(target / f"{page.name}.md", markdown(page).encode())
    bill = next(paper for paper in again["artefacts"] if paper["key"] == "training_record")["attached"]["sbom"]
    _put(target / "sbom.cdx.json", msgspec.json.format(msgspec.json.encode(bill), indent=1))
    return target / "index.html"


def read(folder: Path, trusted: tuple[str, ...]) -> dict[str, Any]:
    """The papers in a folder, once a trusted key signed their JSON. Raises BundleError."""
    text = (folder / JSON).read_bytes()
    verify(folder, text, trusted)
    return msgspec.json.decode(text)


def _put(path: Path, content: bytes) -> None:
    with whole(path) as unfinished:
        unfinished.write_bytes(content)
