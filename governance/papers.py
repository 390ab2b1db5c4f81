"""The twelve papers of a version as one JSON, every page rendered from that JSON alone, all signed together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from configs.errors import BundleError
from configs.whole import whole
from governance import data, judged, life, making, use
from governance.annex import annex_iv
from governance.artefact import Artefact, Field
from governance.facts import Facts
from governance.render import Page, html, markdown
from training.bundle import file_digest
from training.signature import SIGNATURE, PrivateKey, sign, verify

JSON = "governance.json"
SUMS = "SHA256SUMS"  # in the form that `sha256sum --check` reads
FORMAT = 2
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
    """Write `folder`/VERSION: the JSON, pages and Markdown, an index, the sums of all and their signature.

    Pages are rendered from what the JSON says. Returns the index's path.
    """
    target = folder / told["version"]
    target.mkdir(parents=True, exist_ok=True)
    for left in target.glob(".*.unfinished"):
        left.unlink()
    made = _files(msgspec.json.format(msgspec.json.encode(told), indent=1))
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(made.items())}
    sums = "".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()
    for name, content in {**made, SUMS: sums}.items():
        with whole(target / name) as unfinished:
            unfinished.write_bytes(content)
    sign(target, sums, key)
    return target / "index.html"


def _files(text: bytes) -> dict[str, bytes]:
    told = msgspec.json.decode(text)
    files = {JSON: text}
    for page in (Page(told, None), *(Page(told, paper) for paper in told["artefacts"])):
        files[f"{page.name}.html"] = html(page).encode()
        files[f"{page.name}.md"] = markdown(page).encode()
    bill = next(paper for paper in told["artefacts"] if paper["key"] == "training_record")["attached"]["sbom"]
    files["sbom.cdx.json"] = msgspec.json.format(msgspec.json.encode(bill), indent=1)
    return files


def read(folder: Path, trusted: tuple[str, ...]) -> dict[str, Any]:
    """The papers in a folder, once a trusted key signed the sums of all that lies there.

    Raises BundleError that names the file that is gone, not as it was signed, or was not signed.
    """
    if not (folder / SUMS).is_file():
        verify(folder, (folder / JSON).read_bytes(), trusted)  # as an earlier release signed them
        raise BundleError(f"{folder}: no {SUMS}: {JSON} is as it was signed, for the pages beside it nothing vouches")
    sums = (folder / SUMS).read_bytes()
    verify(folder, sums, trusted)
    signed = {name: digest for digest, _, name in (line.partition("  ") for line in sums.decode().splitlines())}
    there = {path.name for path in folder.iterdir()} - {SUMS, SIGNATURE}
    for name in sorted(there | signed.keys()):
        if name not in signed:
            raise BundleError(f"{folder / name}: is none of the papers that were signed; do not rely on it")
        if not (folder / name).is_file() or file_digest(folder / name) != signed[name]:
            raise BundleError(f"{folder / name}: missing, or not as it was signed; do not rely on it")
    return msgspec.json.decode((folder / JSON).read_bytes())
