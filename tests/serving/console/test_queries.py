"""How pages find what they show: by an index, never by reading the ledger through; and a search within bounds."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from console import searching
from console.application import Console
from console.searching import Wanted
from serving.ledger import Entry, Ledger, canonical
from serving.live import Live

NAME = "consumer_platform"


def pages(site: Any) -> list[str]:
    answer = site.answers[0]
    asked = f"customer={answer['customer_id']}"
    return [
        *("/", "/drift", "/models", f"/models/{site.challenger}", "/models/compare", "/decisions"),
        *("/watchlist", "/collections", "/policy?after=in-force&decisions=1", "/audit?at=2026-02-01"),
        *(f"/decisions?{asked}", "/decisions?since=2026-01-01&until=2030-01-01&grade=B&decision=refer"),
        *(f"/decisions/{answer['decision_id']}", f"/customers?{asked}", "/decisions?before=5"),
    ]


async def visit(live: Live, site: Any, paths: list[str]) -> list[int]:
    """The statuses of pages that somebody signed in asks a console of this process for."""
    transport = httpx.ASGITransport(Console("/console", lambda: live))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/console", timeout=60) as client:
        form = re.search(r'name="token" value="(\w+)"', (await client.get("/sign-in")).text)
        assert form is not None
        await client.post("/sign-in", data={"key": site.keys["rita"], "token": form[1]})
        return [(await client.get(path)).status_code for path in paths]


def test_no_query_of_a_page_reads_the_ledger_through(site: Any) -> None:
    asked: dict[str, Any] = {}

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            asked[statement] = parameters

    live = Live(site.settings, (NAME,))
    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        with ThreadPoolExecutor(1) as elsewhere:  # the browser of other tests keeps a loop in this thread
            statuses = elsewhere.submit(asyncio.run, visit(live, site, pages(site))).result()
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
        live.close()
    assert set(statuses) == {200}
    with sqlite3.connect(site.settings.stores.ledger.removeprefix("sqlite:///")) as ledger:
        plans = {sql: [row[3] for row in ledger.execute(f"EXPLAIN QUERY PLAN {sql}", asked[sql])] for sql in asked}
    # The head of the chain is the last row of the table: one step of a scan from its end.
    through = {
        sql: plan
        for sql, plan in plans.items()
        if any(step.startswith("SCAN records") for step in plan) and not ("WHERE" not in sql and "LIMIT" in sql)
    }
    assert len(plans) > 5
    assert through == {}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Sixty decisions, two a day; every tenth is a decline of grade E; the third customer has four."""
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    made.append([decision(place) for place in range(60)])
    yield made
    made.close()


def decision(place: int) -> Entry:
    rare = place % 10 == 0
    answer = {
        "customer_id": f"c{place % 15}",
        "as_of": "2026-01-01",
        "decision": "decline" if rare else "approve",
        "grade": "E" if rare else "B",
        "default_probability": 0.1,
        "limit": 0.0,
        "currency": "EUR",
        "model": "m",
    }
    day = dt.date(2026, 1, 1) + dt.timedelta(place // 2)
    return Entry(
        f"d-{place}", "decision", NAME, answer["customer_id"], f"{day}T12:00:00+00:00", canonical({"answer": answer})
    )


def all_of(ledger: Ledger, wanted: Wanted, rows: int = 7, most: int = 25) -> list[str]:
    """The ids found by following a search to its end, page by page."""
    found, before = [], None
    for _ in range(100):
        page = searching.search(ledger, wanted, before, rows, most)
        assert len(page.lines) <= rows
        assert page.looked <= most
        found += [line.id for line in page.lines]
        if page.before is None:
            return found
        before = page.before
    raise AssertionError("the search has no end")


def expected(*places: int) -> list[str]:
    return [f"d-{place}" for place in sorted(places, reverse=True)]


def test_pages_of_a_search_together_hold_every_decision_once_newest_first(ledger: Ledger) -> None:
    assert all_of(ledger, Wanted(NAME)) == expected(*range(60))


def test_a_rare_grade_is_found_though_no_page_looks_at_all(ledger: Ledger) -> None:
    assert all_of(ledger, Wanted(NAME, grade="E", decision="decline"), most=8) == expected(0, 10, 20, 30, 40, 50)


def test_a_page_that_finds_nothing_says_where_to_go_on(ledger: Ledger) -> None:
    page = searching.search(ledger, Wanted(NAME, grade="F"), None, 7, 25)
    assert (page.lines, page.looked, page.before) == ([], 25, 36)


def test_days_of_a_search_are_both_included(ledger: Ledger) -> None:
    wanted = Wanted(NAME, since=dt.date(2026, 1, 3), until=dt.date(2026, 1, 4))
    assert all_of(ledger, wanted) == expected(4, 5, 6, 7)


def test_days_before_and_after_all_decisions_bound_nothing(ledger: Ledger) -> None:
    assert len(all_of(ledger, Wanted(NAME, since=dt.date.min, until=dt.date.max))) == 60
    assert all_of(ledger, Wanted(NAME, since=dt.date(2027, 1, 1))) == []
    assert all_of(ledger, Wanted(NAME, until=dt.date(2025, 1, 1))) == []


def test_a_customers_decisions_are_found_within_the_days(ledger: Ledger) -> None:
    assert all_of(ledger, Wanted(NAME, customer="c3")) == expected(3, 18, 33, 48)
    assert all_of(ledger, Wanted(NAME, customer="c3", since=dt.date(2026, 1, 10))) == expected(18, 33, 48)
    assert all_of(ledger, Wanted(NAME, customer="c0", grade="E")) == expected(0, 30)


def test_another_products_decisions_are_not_found(ledger: Ledger) -> None:
    ledger.append([replace(decision(99), id="d-other", product="another")])
    assert all_of(ledger, Wanted(NAME)) == expected(*range(60))
    assert all_of(ledger, Wanted("another")) == ["d-other"]


@pytest.mark.parametrize(
    ("moment", "seq"), [("2025", 1), ("2026-01-01T12:00:00+00:00", 1), ("2026-01-02", 3), ("2027", 61)]
)
def test_the_first_record_of_a_moment_is_found_by_bisection(ledger: Ledger, moment: str, seq: int) -> None:
    assert ledger.sequence_at(moment) == seq


def test_a_moment_in_an_empty_ledger_is_past_its_head(tmp_path: Path) -> None:
    empty = Ledger(f"sqlite:///{tmp_path}/empty.db")
    assert (empty.sequence_at("2026"), empty.recent("decision", NAME)) == (1, [])
    empty.close()
