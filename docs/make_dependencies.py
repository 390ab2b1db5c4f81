"""docs/dependencies.md from the lock file, pyproject.toml and what the installed packages say of themselves.

`python -m docs.make_dependencies` writes the page; a test holds that it is what this makes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from packaging.markers import Marker

from governance.software import licence_of

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "dependencies.md"
_OURS = "creditloop"
_PLAIN = re.compile(r"\b(mit|bsd|[023]-clause|apache|asl|psf|python software foundation|mpl|mozilla)", re.IGNORECASE)
_ELSEWHERE = "not installed on Linux"
LOOKED_AT = {  # by a person; a licence that is neither plain nor here fails the test
    "numpy": "0BSD, Zlib and CC0 ask for no more than BSD does",
    "python-dateutil": "Apache-2.0 or BSD-3-Clause, as its LICENSE says",
    "regex": "CNRI-Python is the licence of Python 1.6, as permissive as Apache",
    "shellingham": "ISC is MIT in fewer words",
    "ujson": "TCL's licence is a BSD licence with a clause for government use",
}

_HEAD = """# What is installed, why, and under which licence

Made by `python -m docs.make_dependencies` from `requirements.lock`, the comments of `pyproject.toml` and the
metadata of the installed packages; a test holds that it is true. Versions and SHA-256 are in `requirements.lock`;
`make install` takes nothing else.

A licence is what the package says of itself, not legal advice. Those that are not MIT, BSD, Apache, PSF or MPL alone
are in **bold**, and what a person found on looking is said at the end. The same words stand in the bill of software
(CycloneDX 1.5): `make sbom`, or `creditloop governance software --out FILE`; every version's papers hold one.

## Known vulnerabilities

`make audit` asks the package index about every locked version (`pip-audit --strict`, in an environment of its own).
**Nothing is known yet:** on 2026-11-26 it was run where the index mirror holds no such data. All 189 packages came
back as "could not be audited", and so the command failed, as it must; without `--strict` pip-audit 2.10.1 ended there
with 0 and "No known vulnerabilities found". osv.dev was out of reach. Run it where the public index answers, before
each release and each week.
"""


@dataclass(frozen=True, slots=True)
class Locked:
    """A package of the lock file: its name, its pinned versions (one, or one for each Python), who asks for it.

    `here`: whether one of them is for this machine and Python.
    """

    name: str
    versions: tuple[str, ...]
    via: tuple[str, ...]
    here: bool


def locked(lock: str) -> list[Locked]:
    """The packages of a lock file as uv writes it, by name."""
    versions: dict[str, list[str]] = {}
    via: dict[str, set[str]] = {}
    here: set[str] = set()
    for name, version, asked, marker in _blocks(lock):
        versions.setdefault(name, []).append(version)
        via.setdefault(name, set()).update(asked)
        if not marker or Marker(marker).evaluate():
            here.add(name)
    return [
        Locked(name, tuple(dict.fromkeys(found)), tuple(sorted(via[name])), name in here)
        for name, found in versions.items()
    ]


def _blocks(lock: str) -> Iterator[tuple[str, str, list[str], str]]:
    for block in re.split(r"\n(?=[a-z0-9])", lock):
        pinned = re.match(r"([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)(?: ; ([^\\\n]+))?", block)
        if pinned:
            told = block.partition("# via")[2]
            yield (
                pinned[1],
                pinned[2],
                re.findall(r"([a-z0-9][a-z0-9._-]*)(?: \([^)]*\))?$", told, re.MULTILINE),
                pinned[3] or "",
            )


def reasons(pyproject: str) -> dict[str, str]:
    """Why each direct dependency is there: the comment on its line. A line without one gives an empty reason."""
    found: dict[str, str] = {}
    for line in pyproject.splitlines():
        named = re.match(r'(?:[a-z]+ = \[)?\s*"([a-z0-9-]+)(?:\[[^]]*\])?[<>=]', line.strip())
        if named:
            found[named[1]] = found.get(named[1]) or line.partition("#")[2].strip()
    return found


def licence(name: str) -> str:
    """What the page says of a package's licence."""
    try:
        said = licence_of(name)
    except PackageNotFoundError:
        return _ELSEWHERE
    return said.word if said else "does not say"


def is_plain(licence: str) -> bool:
    """Whether every part of a licence is MIT, BSD, Apache, PSF or MPL."""
    parts = re.split(r";| AND | and ", licence)
    return licence == _ELSEWHERE or all(_PLAIN.search(part) for part in parts)


def page() -> str:
    """The page as it ought to be."""
    packages = locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    why = reasons((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    licences = {package.name: licence(package.name) if package.here else _ELSEWHERE for package in packages}
    direct = [package for package in packages if _OURS in package.via]
    brought = [package for package in packages if _OURS not in package.via]
    return "\n".join(
        [
            _HEAD,
            f"{len(packages)} packages: {len(direct)} that we ask for, {len(brought)} that these bring.\n",
            "## Asked for\n",
            *_table("why", [(one.name, why.get(one.name, ""), licences[one.name]) for one in direct]),
            "\n## Brought by others\n",
            *_table("brought by", [(one.name, ", ".join(one.via), licences[one.name]) for one in brought]),
            "\n## Looked at\n",
            *(f"- {name}: {LOOKED_AT.get(name, 'not yet')}." for name, said in licences.items() if not is_plain(said)),
            "",
        ]
    )


def _table(second: str, rows: list[tuple[str, str, str]]) -> Iterator[str]:
    yield f"| package | {second} | licence |"
    yield "|---|---|---|"
    for name, told, said in rows:
        yield f"| {name} | {told} | {said if is_plain(said) else f'**{said}**'} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
