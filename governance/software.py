"""The software this runs on: what each distribution says of its licence, and the bill of them all (CycloneDX)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Set
from dataclasses import dataclass
from importlib.metadata import distribution, distributions, files, metadata
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\]+)((?:[^\n]*\\\n\s*--hash=sha256:[0-9a-f]{64})+)", re.MULTILINE)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_GRANT_OF_MIT = "Permission is hereby granted, free of charge, to any person obtaining a copy"
_LONGEST_WORD = 60  # characters: what is longer, or has lines, is the licence itself
_SPDX = frozenset({"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "PSF-2.0"})
_MEANS = {  # words that can mean one licence alone; "BSD License" and "Apache Software License" can mean several
    "2-clause bsd": "BSD-2-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "bsd 3-clause license": "BSD-3-Clause",
    "isc license": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
}


@dataclass(frozen=True, slots=True)
class Licence:
    """What a distribution says of its licence: an expression of SPDX where `spdx`, else its own words."""

    word: str
    spdx: bool


def licence_of(name: str) -> Licence | None:
    """The licence that a distribution declares; None where it says nothing. Raises PackageNotFoundError.

    Its SPDX expression, else its word, its classifiers, the text of its file.
    """
    said: Any = metadata(name)  # typed without `get`
    if expression := said.get("License-Expression"):
        return Licence(expression, spdx=True)
    word = _own_word(said.get("License") or "") or "; ".join(_classifiers(said))
    if not word:
        return Licence("MIT, by its file", spdx=False) if _grants_what_mit_grants(name) else None
    word = _MEANS.get(word.lower(), word)
    return Licence(word, spdx=all(part in _SPDX for part in re.split(" AND | OR ", word)))


def _own_word(text: str) -> str:
    return text if text != "UNKNOWN" and "\n" not in text and len(text) <= _LONGEST_WORD else ""


def _classifiers(said: Any) -> list[str]:
    named = [one.split(" :: ")[-1] for one in said.get_all("Classifier", []) if one.startswith("License ::")]
    return [one for one in named if one != "OSI Approved"]


def _grants_what_mit_grants(name: str) -> bool:
    texts = [file.read_text(encoding="utf-8") for file in files(name) or [] if file.name.startswith("LICENSE")]
    return any(_GRANT_OF_MIT in " ".join(text.split()) for text in texts)


def bill_of_software(lock: Path, of: Mapping[str, str]) -> dict[str, Any]:
    """A bill of the installed software in the form of CycloneDX 1.5: versions, licences, hashes, who asks for whom.

    `of` is the component that runs on it (type, name). Hashes are those of the lock file: where there is none, or it
    names another version than is installed, a component has none. The same software gives the same bill.
    """
    hashes = hashes_of(lock.read_text(encoding="utf-8")) if lock.exists() else {}
    named = {_normal(one.metadata["Name"]) for one in distributions() if one.metadata["Name"]} - {of["name"]}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, of['name'])}",
        "version": 1,
        "metadata": {"component": dict(of)},
        "components": [_component(name, hashes) for name in sorted(named)],
        "dependencies": [{"ref": _purl(name), "dependsOn": _asked_by(name, named)} for name in sorted(named)],
    }


def _component(name: str, hashes: Mapping[tuple[str, str], tuple[str, ...]]) -> dict[str, Any]:
    version, purl = distribution(name).version, _purl(name)
    made: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if licence := licence_of(name):
        made["licenses"] = [{"expression": licence.word} if licence.spdx else {"license": {"name": licence.word}}]
    if known := hashes.get((name, version)):
        made["hashes"] = [{"alg": "SHA-256", "content": one} for one in known]
    return made


def _purl(name: str) -> str:
    return f"pkg:pypi/{name}@{distribution(name).version}"


def _asked_by(name: str, installed: Set[str]) -> list[str]:
    """What a distribution asks for, of what is installed; what only its extras ask for is left out."""
    asked = [re.split(r"[^A-Za-z0-9._-]", one, maxsplit=1)[0] for one in _requirements(name)]
    return sorted(_purl(one) for one in {_normal(one) for one in asked} & installed)


def _requirements(name: str) -> list[str]:
    return [one for one in distribution(name).requires or [] if not re.search(r";.*\bextra\b", one)]


def hashes_of(text: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """The hashes of each distribution and version that a lock file names.

    >>> hashes_of("A_b==1.0 \\\\\\n    --hash=sha256:" + "0" * 64)[("a-b", "1.0")] == ("0" * 64,)
    True
    """
    return {(_normal(name), version): tuple(_HASH.findall(hashes)) for name, version, hashes in _LOCKED.findall(text)}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
