"""A home with two versions, persons with keys, decisions, warnings and packs; its service; a real browser.

The folder lies below tests/serving so that the versions trained there serve here too.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from configs.customers import Indicator
from configs.settings import Product, Settings, load_settings
from features.contracts import Columns, to_day
from features.simulate import Portfolio
from monitoring.customers import kpi, overdue, pages, watchlist
from serving import access, authorship, key_record
from serving.identity import Person
from serving.ledger import Entry, canonical, open_ledger
from serving.live import utc_now
from training.bundle import Bundle, file_digest

NAME, ROOT = "consumer_platform", Person("root", "admin")
PERSONS = {"dora": "developer", "vera": "validator", "paul": "approver", "rita": "risk", "anna": "auditor"}
SETTINGS = """
[governance]
approvals = 1
[console]
sign_in_attempts = 1000
rows = 20
[serving.sources]
consumer_platform = ["{folder}"]
"""
SIGN = Indicator(
    name="late", feature="x", operator=">=", bound=1.0, level="critical", action="Call", owner="clerk", due_days=3
)


@dataclass(frozen=True)
class Site:
    """A running console: where it is, whose key is whose, the decisions that were made, the versions there are."""

    root: str
    settings: Settings
    keys: dict[str, str]
    answers: list[dict[str, Any]]
    champion: str
    challenger: str


@pytest.fixture(scope="session")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    furnish: Callable[[Path], Settings],
    start: Callable[..., AbstractContextManager[Any]],
    bodies: list[dict[str, Any]],
    bundle: Bundle,
    successor: Bundle,
    product: Product,
    portfolio: Portfolio,
    tables: dict[str, Columns],
    as_of: dt.date,
) -> Iterator[Site]:
    """The service with the console in it, on loopback, and something to see on every page."""
    home = tmp_path_factory.mktemp("site")
    settings = furnish(home)
    folder = home / "tables"
    folder.mkdir()
    asked = {body["customer_id"] for body in bodies}
    for name in product.tables:
        table: pd.DataFrame = portfolio.tables[name]
        table[table["customer_id"].isin(asked)].to_parquet(folder / f"{name}.parquet", index=False)
    (home / "creditloop.toml").write_text(SETTINGS.format(folder=folder), encoding="utf-8")
    settings = load_settings(home, {"serving": {"port": settings.serving.port}})
    ledger = open_ledger(settings)
    keys = {name: key_record.make(ledger, home, name, role, ROOT, utc_now()) for name, role in PERSONS.items()}
    keys["machine"] = access.create_key(home, "machine", "read")
    authorship.record(ledger, successor, "dora", utc_now())
    hits = [(body["customer_id"], SIGN, 2.0) for body in bodies[:3]]
    ledger.append(watchlist.raise_for([], NAME, hits, as_of, utc_now()))
    day = to_day(as_of)
    with start(settings, "console.service:Creditloop") as service:
        answers = [service.score.post("/v1/decide", json=body).json() for body in bodies[:30]]
        packs = home / "customers" / NAME
        pages.write(
            packs / f"kpi-{as_of}.html", "kpi.html", kpi.pack(product, ledger.records(product=NAME), tables, day)
        )
        pages.write(
            packs / f"collections-{as_of}.html", "collections.html", overdue.overview(product, tables, (), {}, day)
        )
        ledger.append([verdict_of(home, bundle, as_of)])
        address = f"{service.address}/console"
        yield Site(address, settings, keys, answers, bundle.version, successor.version)
    ledger.close()


def verdict_of(home: Path, bundle: Bundle, as_of: dt.date) -> Entry:
    """The record of a verdict, as the monitor makes it, with its memo and page in the folder of reports."""
    folder = home / "reports" / NAME
    folder.mkdir(parents=True)
    page, memo = folder / f"monitor-{as_of}.html", folder / f"monitor-{as_of}.json"
    page.write_text("<!doctype html><title>memo</title><style>p { color: red }</style><p>Wait.", encoding="utf-8")
    memo.write_text('{"told": "Wait: there is not enough to judge by yet.", "features": [], "findings": []}')
    body = {
        "model": bundle.version,
        "now": as_of.isoformat(),
        "window": "30 decisions",
        "remedy": "wait",
        "evidence": ["30 decisions; 500 are needed for a verdict"],
        "score_psi": 0.01,
        "red_findings": 0,
        "at_stake": 1200.0,
        "page_sha256": file_digest(page),
        "memo_sha256": file_digest(memo),
    }
    return Entry("verdict-1", "verdict", NAME, bundle.version, utc_now(), canonical(body))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A real browser, without a window; while it is open this thread has a running loop, which others must not meet."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def as_person(site: Site, chromium: Any) -> Iterator[Callable[[str], Any]]:
    """A page of a browser in which a person is signed in, one for each person."""
    pages: dict[str, Any] = {}

    def opened(name: str) -> Any:
        if name not in pages:
            pages[name] = chromium.new_context().new_page()
            pages[name].set_default_timeout(60_000)
            pages[name].goto(f"{site.root}/sign-in")
            pages[name].fill("#key", site.keys[name])
            pages[name].click("main button:has-text('Sign in')")
        return pages[name]

    yield opened
    for page in pages.values():
        page.context.close()
