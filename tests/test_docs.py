"""Pages that are made: each committed page is what the code, the lock and the packages say today; links lead on."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from docs import make_api, make_dependencies

LINK = re.compile(r"\]\(([^)#\s]+)(?:#([^)\s]*))?\)")
LOCKED = make_dependencies.locked((make_dependencies.ROOT / "requirements.lock").read_text())
PAGES = sorted((make_api.ROOT / "docs").rglob("*.md"))


def test_the_page_of_the_interface_is_what_the_service_serves() -> None:
    assert make_api.PAGE.read_text() == make_api.page(), "python -m docs.make_api writes it anew"


def test_every_type_that_the_page_links_to_is_on_it() -> None:
    page = make_api.PAGE.read_text()
    linked = set(re.findall(r"\]\(#([^)]+)\)", page))
    told = {re.sub(r"[^a-z0-9_-]", "", name.lower()) for name in re.findall(r"^### (\S+)$", page, re.MULTILINE)}
    assert linked <= told


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="made with Python 3.11, where other versions are locked")
def test_the_page_of_dependencies_is_what_is_locked_and_installed() -> None:
    assert make_dependencies.PAGE.read_text() == make_dependencies.page(), "python -m docs.make_dependencies writes it"


def test_every_dependency_of_ours_has_a_line_on_why() -> None:
    why = make_dependencies.reasons((make_dependencies.ROOT / "pyproject.toml").read_text())
    ours = [one.name for one in LOCKED if "creditloop" in one.via]
    assert len(ours) > 25
    assert [name for name in ours if not why.get(name)] == []


def test_every_package_of_the_lock_is_ours_or_brought_by_another_of_it() -> None:
    known = {one.name for one in LOCKED} | {"creditloop"}
    assert [one.name for one in LOCKED if not one.via or not set(one.via) <= known] == []


def test_every_licence_that_is_not_plain_was_looked_at() -> None:
    odd = {one.name for one in LOCKED if not make_dependencies.is_plain(make_dependencies.licence(one.name))}
    assert odd - make_dependencies.LOOKED_AT.keys() == set()


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "MIT AND GPL-2.0", "AGPL", "BSL 1.1", "LGPLv3; MIT"])
def test_a_licence_that_asks_for_more_is_not_plain(licence: str) -> None:
    assert not make_dependencies.is_plain(licence)


@pytest.mark.parametrize(
    "licence", ["MIT", "Apache License, Version 2.0", "PSF-2.0", "BSD 3-Clause License", "MPL-2.0"]
)
def test_a_plain_licence_is_plain(licence: str) -> None:
    assert make_dependencies.is_plain(licence)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(make_api.ROOT).as_posix())
def test_a_link_leads_to_a_file_that_is_there(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    linked = [target for target, _ in LINK.findall(text) if not target.startswith(("http:", "https:", "mailto:"))]
    assert [target for target in linked if not (page.parent / target).exists()] == []
