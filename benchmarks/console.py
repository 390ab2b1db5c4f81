"""How long each page of the console takes on a ledger of so many decisions, and how it finds what it shows.

A home that has served is copied, that of a demo unless another is named; its decisions are recorded again about new
customers until there are so many. Times are those of the server, with its sessions, queries and templates, without a
network. SQLite is asked for the plan of every query.
Run: python -m benchmarks.console [HOME] [--decisions 1000000]
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import msgspec
import numpy as np
import sqlalchemy as sa
from tqdm import tqdm

from benchmarks.common import begun, keep
from benchmarks.loop import demo
from configs.settings import load_settings, product_names
from console.application import Console
from serving import access, champion
from serving.ledger import Entry, Ledger, canonical, open_ledger
from serving.live import Live

_BATCH, _CUSTOMERS_SHARE = 2000, 5
_TEMPLATES = 200


def main() -> None:
    """Make the ledger, time the pages, print a table and write benchmarks/results/console.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, nargs="?", help="one that has served (none: a demo is run)")
    parser.add_argument("--decisions", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=10, help="each page is asked for (%(default)s)")
    arguments = parser.parse_args()
    run = begun(dt.datetime.now(dt.UTC), (), f"median and 95 % quantile of {arguments.times} requests; the first apart")
    with tempfile.TemporaryDirectory(dir=arguments.home and arguments.home.parent) as folder:
        home = Path(folder) / "home"
        shutil.copytree(
            arguments.home or _served(Path(folder)),
            home,
            ignore=shutil.ignore_patterns("bentoml", "mlflow*", "console.*"),
        )
        settings = load_settings(home)
        ledger = open_ledger(settings)
        product = next(name for name in product_names(home) if champion.current(ledger, name))
        started = time.monotonic()
        _grow(ledger, product, arguments.decisions)
        print(f"{ledger.head()[0]:,} records after {time.monotonic() - started:.0f} s", file=sys.stderr)
        key = access.create_key(home, "benchmark", "admin")
        live = Live(settings, (product,))
        found = asyncio.run(_time(live, key, product, ledger, arguments.times))
        plans = _plans(ledger, live)
        size = Path(settings.stores.ledger.removeprefix("sqlite:///")).stat().st_size
        live.close()
    _tell(found)
    told = {"records": found.pop("records"), "ledger_bytes": size, "pages": found, "plans": plans}
    print(keep("console", told, run))


def _served(folder: Path) -> Path:
    """The home of a demo that was run below `folder`."""
    demo(folder, 2000, "consumer_platform", 2026)
    return folder / "demo"


def _grow(ledger: Ledger, product: str, wanted: int) -> None:
    """Decisions recorded again, about new customers, until there are `wanted` of them."""
    templates = [one for one in ledger.recent("decision", product, limit=_TEMPLATES) if not one.erased]
    have = sum(1 for _ in ledger.records("decision", product))
    bar = tqdm(total=max(wanted - have, 0), unit="decision", disable=None)
    for batch in _batches(templates, have, wanted):
        ledger.append(batch)
        bar.update(len(batch))


def _batches(templates: list[Any], have: int, wanted: int) -> Iterator[list[Entry]]:
    bodies = [msgspec.json.decode(one.entry.body) for one in templates]
    for start in range(have, wanted, _BATCH):
        yield [
            _again(templates[at % len(templates)].entry, bodies[at % len(templates)], at)
            for at in range(start, min(start + _BATCH, wanted))
        ]


def _again(entry: Entry, body: dict[str, Any], at: int) -> Entry:
    customer, decision = f"B{at // _CUSTOMERS_SHARE:09d}", f"d-{at:032x}"
    answer = {**body["answer"], "customer_id": customer, "decision_id": decision}
    again = {**body, "question": {**body["question"], "customer_id": customer}, "answer": answer}
    return replace(entry, id=decision, subject=customer, body=canonical(again), idempotency_key=None)


async def _time(live: Live, key: str, product: str, ledger: Ledger, times: int) -> dict[str, Any]:
    transport = httpx.ASGITransport(Console("/console", lambda: live))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/console", timeout=600) as client:
        form = re.search(r'name="token" value="(\w+)"', (await client.get("/sign-in")).text)
        assert form is not None
        await client.post("/sign-in", data={"key": key, "token": form[1]})
        pages = _pages(ledger, product, champion.versions(live.settings.home, product)[-1])
        found: dict[str, Any] = {"records": ledger.head()[0]}
        for name, path in pages.items():
            first, *rest = [await _milliseconds(client, path) for _ in range(times + 1)]
            found[name] = {"first": first, "median": median(rest), "p95": float(np.quantile(rest, 0.95))}
        return found


def _pages(ledger: Ledger, product: str, version: str) -> dict[str, str]:
    newest = ledger.recent("decision", product, limit=1)[0]
    customer, day = newest.entry.subject, newest.entry.at[:10]
    return {
        "overview": "/",
        "drift": "/drift",
        "models": "/models",
        "a model": f"/models/{version}",
        "compare": "/models/compare",
        "decisions": "/decisions",
        "decisions, a rare grade": "/decisions?grade=F&decision=decline",
        "decisions, nothing found": "/decisions?grade=none",
        "decisions, days": f"/decisions?since={day}&until={day}&grade=C",
        "decisions, a customer": f"/decisions?customer={customer}",
        "a decision": f"/decisions/{newest.entry.id}",
        "a customer": f"/customers?customer={customer}",
        "watchlist": "/watchlist",
        "collections": "/collections",
        "policy, two held against 500 decisions": "/policy?after=in-force&decisions=1",
        "audit": f"/audit?at={day}",
    }


async def _milliseconds(client: httpx.AsyncClient, path: str) -> float:
    answer = await client.get(path)
    if answer.status_code != 200:
        raise SystemExit(f"{path}: {answer.status_code}")
    return float(answer.headers["server-timing"].partition("dur=")[2])


def _plans(ledger: Ledger, live: Live) -> dict[str, list[str]]:
    """How SQLite finds the newest decisions, a page further back, those of a customer, and a record."""
    product, seen = next(iter(live.scorers)), []
    engine = ledger.database.engine

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        seen.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    ledger.recent("decision", product, before=1000, since=10)
    ledger.about(["B000000001"])
    ledger.by_id("d-1")
    ledger.latest("promotion", product)
    ledger.sequence_at("2026-01-01")
    sa.event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        asked = {s: p for s, p in seen if s.startswith("SELECT")}
        return {
            " ".join(s.partition("WHERE")[2].split()): [
                row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {s}", p)
            ]
            for s, p in asked.items()
        }


def _tell(found: dict[str, Any]) -> None:
    print(f"{'page':<42}{'median':>9}{'95 %':>9}{'first':>9}   ms, of {found['records']:,} records")
    for name, one in found.items():
        if name != "records":
            print(f"{name:<42}{one['median']:>9.1f}{one['p95']:>9.1f}{one['first']:>9.1f}")


if __name__ == "__main__":
    main()
