"""The demo: what it asks the service, the story its constants tell, and one real run round the whole loop."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pandas as pd
import pytest

from configs.errors import ConfigError, CreditloopError, InputError
from configs.settings import load_settings
from demo import asking, loop, said, story
from demo.asking import requests_of
from features.load import table_contract
from features.records import record_type
from features.simulate import Portfolio, Scenario, simulate

MONTH = 3


@pytest.fixture(scope="module")
def companies() -> Portfolio:
    """A few companies: statements, invoices, and reports that are published months late."""
    return simulate(Scenario(30, 5, months=6, companies=True))


@pytest.fixture(scope="module")
def bodies(companies: Portfolio, shipped) -> list[dict]:
    """The requests about the first ten in good standing."""
    customers = companies.customer_id[companies.standing(MONTH)[:10]]
    return requests_of(shipped("trade_credit"), companies.tables, customers, companies.month_ends[MONTH])


def dates(bodies: list[dict], table: str, column: str) -> list[str]:
    return [row[column] for body in bodies for row in body["records"].get(table, []) if row[column] is not None]


def test_each_customer_is_asked_about_once(bodies: list[dict], companies: Portfolio) -> None:
    asked = [body["customer_id"] for body in bodies]
    assert asked == companies.customer_id[companies.standing(MONTH)[:10]].tolist()


def test_a_request_says_product_and_day(bodies: list[dict], companies: Portfolio) -> None:
    assert {(body["product"], body["as_of"]) for body in bodies} == {("trade_credit", "2023-04-30")}


def test_a_request_is_json_that_the_service_takes(bodies: list[dict], shipped) -> None:
    for table in shipped("trade_credit").tables:
        rows = [row for body in bodies for row in body["records"].get(table, [])]
        kind = record_type(table_contract(table, shipped("trade_credit")))
        assert len(msgspec.json.decode(msgspec.json.encode(rows), type=list[kind])) == len(rows) > 0


@pytest.mark.parametrize(
    ("table", "column"), [("customers", "since"), ("statements", "month"), ("invoices", "issued"), ("invoices", "paid")]
)
def test_a_request_knows_nothing_of_the_future(bodies: list[dict], table: str, column: str) -> None:
    assert max(dates(bodies, table, column)) <= "2023-04-30"


def test_a_report_is_held_back_until_it_is_published(bodies: list[dict]) -> None:
    # The report of December 2022 is published on 30 April 2023, the day that is asked at; a day before, it is not.
    assert max(dates(bodies, "financials", "known_time")) <= "2023-04-30"
    assert max(dates(bodies, "financials", "period_end")) == "2022-12-31"


def test_a_report_published_tomorrow_is_not_sent(companies: Portfolio, shipped) -> None:
    customers = companies.customer_id[companies.standing(2)[:10]]
    asked = requests_of(shipped("trade_credit"), companies.tables, customers, pd.Timestamp("2023-04-29"))
    assert max(dates(asked, "financials", "period_end"), default="none") < "2022-12-31"


def test_what_is_unknown_is_null(companies: Portfolio, shipped) -> None:
    tables = dict(companies.tables)
    tables["statements"] = tables["statements"].assign(inflow=np.nan)
    customers = companies.customer_id[companies.standing(MONTH)[:2]]
    asked = requests_of(shipped("trade_credit"), tables, customers, companies.month_ends[MONTH])
    assert {row["inflow"] for body in asked for row in body["records"]["statements"]} == {None}


def test_an_invoice_not_paid_yet_is_open(bodies: list[dict], companies: Portfolio) -> None:
    sent = [row for body in bodies for row in body["records"]["invoices"]]
    later = companies.tables["invoices"].set_index("invoice_id")["paid"] > companies.month_ends[MONTH]
    assert {row["paid"] is None for row in sent if later[row["invoice_id"]]} == {True}


def test_a_customer_without_rows_is_asked_about_with_none(companies: Portfolio, shipped) -> None:
    nobody = np.array(["nobody"], object)
    asked = requests_of(shipped("trade_credit"), companies.tables, nobody, companies.month_ends[MONTH])
    assert asked == [{"product": "trade_credit", "customer_id": "nobody", "as_of": "2023-04-30", "records": {}}]


def test_the_first_model_is_taught_only_by_windows_that_had_closed() -> None:
    window = Scenario(1, 1).window_months
    assert max(range(0, story.TRAINED - 11, 2)) + window <= story.TRAINED


def test_what_was_served_had_matured_when_it_is_judged() -> None:
    assert story.SERVED[-1] + Scenario(1, 1).window_months <= story.JUDGED


def test_the_feed_dies_after_what_is_judged() -> None:
    assert story.TRAINED < story.SERVED[0] <= story.SERVED[-1] < story.FAULTY < story.JUDGED


def test_the_judged_decisions_all_lie_after_the_change() -> None:
    assert story.SERVED[0] > story.CHANGE


def test_the_simulation_lasts_as_long_as_the_story() -> None:
    assert Scenario(1, 1).months > story.JUDGED


@pytest.mark.parametrize(
    ("product", "error", "told"),
    [
        ("uci_default", InputError, "its tables cannot be simulated"),
        ("trade_credi", ConfigError, "did you mean 'trade_credit'"),
    ],
)
def test_a_product_that_cannot_be_shown_is_refused_before_the_last_demo_is_removed(
    tmp_path: Path, product: str, error: type[Exception], told: str
) -> None:
    kept = tmp_path / "demo" / "ledger.db"
    kept.parent.mkdir()
    kept.touch()
    with pytest.raises(error, match=told):
        loop.run(load_settings(tmp_path), ["trade_credit", product], 2500, 1)
    assert kept.exists()


def test_too_few_customers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--customers 1999: with fewer than 2000"):
        loop.run(load_settings(tmp_path), ["consumer_platform"], 1999, 1)


class Asked:
    """A service that counts what it is asked, and answers every question with a status."""

    def __init__(self, status: int = 200, within: int = 200) -> None:
        self.sizes: list[int] = []
        self.status, self.within = status, within

    def __call__(self, request: httpx.Request) -> httpx.Response:
        lines = request.content.splitlines()
        self.sizes.append(len(lines))
        if request.url.path == "/v1/decide":
            return httpx.Response(self.status, json={})
        told = {"status": self.within, "problem": {"detail": "the records break their contract"}}
        return httpx.Response(200, content=b"\n".join(msgspec.json.encode(told) for _ in lines))


def asked_of(service: Asked, questions: int) -> list[tuple[int, int]]:
    steps: list[tuple[int, int]] = []
    with httpx.Client(base_url="http://service", transport=httpx.MockTransport(service)) as client:
        asking.ask(client, [b"{}"] * questions, lambda done, wanted: steps.append((done, wanted)))
    return steps


def test_some_are_asked_alone_and_the_rest_in_batches() -> None:
    service = Asked()
    asked_of(service, asking.ALONE + 2 * asking.TOGETHER + 1)
    assert sorted(service.sizes) == [1] * (asking.ALONE + 1) + [asking.TOGETHER] * 2


def test_every_question_is_counted_once() -> None:
    assert asked_of(Asked(), asking.ALONE + 7)[-1] == (asking.ALONE + 7, asking.ALONE + 7)


@pytest.mark.parametrize(
    ("service", "told"), [(Asked(status=503), "answered 503"), (Asked(within=422), "422 within a batch: the records")]
)
def test_a_question_that_is_not_decided_ends_the_asking(service: Asked, told: str) -> None:
    with pytest.raises(CreditloopError, match=told):
        asked_of(service, asking.ALONE + 2)


@pytest.fixture
def line() -> Iterator[tuple[loop._Part, Connection]]:
    """The two ends of a line: ours, and that of a product's process."""
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        yield loop._Part("trade_credit", ours), theirs


def test_what_a_product_says_is_shown_until_its_last_word(line, capsys) -> None:
    part, theirs = line
    for word in (said.Stage("build features"), said.Step("tuning", 1, 4), said.Ended(("told",), 3, 3)):
        said.say(theirs, word)
    assert loop._follow([part], said.Screen(["trade_credit"]), said.Ended) == [said.Ended(("told",), 3, 3)]
    assert re.fullmatch(r"\[ *\d+ s\] trade_credit: build features \.\.\.\n", capsys.readouterr().err)


def test_a_product_that_fails_ends_the_demo_with_its_words_and_its_exit_code(line) -> None:
    part, theirs = line
    said.say(theirs, said.Failed("the gate said no", 1))
    with pytest.raises(CreditloopError, match="trade_credit: the gate said no") as failed:
        loop._follow([part], said.Screen(["trade_credit"]), said.Ended)
    assert failed.value.exit_code == 1


def test_a_process_that_dies_is_told(line) -> None:
    part, theirs = line
    theirs.close()
    with pytest.raises(CreditloopError, match="trade_credit: its process ended before its story did"):
        loop._follow([part], said.Screen(["trade_credit"]), said.Trained)


def test_a_product_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="name each once"):
        loop.run(load_settings(tmp_path), ["trade_credit", "trade_credit"], 2500, 1)


@pytest.fixture(scope="module")
def once_round(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> subprocess.CompletedProcess[str]:
    """One real run, with its real service, as a person would start it."""
    home = tmp_path_factory.mktemp("demo-home")
    command = [sys.executable, "-m", "creditloop", "demo", "--products", "consumer_platform", "--customers", "2500"]
    environment = {**os.environ, "CREDITLOOP_HOME": str(home), "OMP_NUM_THREADS": "1"}  # others use this machine too
    return subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, timeout=400, check=False
    )


@pytest.mark.slow
def test_the_loop_closes(once_round: subprocess.CompletedProcess[str]) -> None:
    assert once_round.returncode == 0, once_round.stderr[-2000:]


@pytest.mark.slow
def test_every_decision_of_the_loop_replays(once_round: subprocess.CompletedProcess[str]) -> None:
    assert "3,000 of 3,000 decisions equal bit for bit" in once_round.stdout


@pytest.mark.slow
def test_the_dead_feed_was_found(once_round: subprocess.CompletedProcess[str]) -> None:
    assert re.search(
        r"the month of the dead feed: Fix the data.*\n\s+inflow_mean_6m: missing in 100%", once_round.stdout
    )


@pytest.mark.slow
def test_every_page_named_is_there(once_round: subprocess.CompletedProcess[str]) -> None:
    pages = [Path(found) for found in re.findall(r"^ +(?:pages +)?(/\S+\.html)", once_round.stdout, flags=re.M)]
    assert len(pages) == 5
    assert all(page.stat().st_size > 0 for page in pages)


@pytest.mark.slow
def test_no_progress_bar_fills_a_log(once_round: subprocess.CompletedProcess[str]) -> None:
    assert "it/s" not in once_round.stderr
    assert len(once_round.stderr.splitlines()) < 40


@pytest.mark.slow
def test_nothing_was_complained_of(once_round: subprocess.CompletedProcess[str]) -> None:
    assert "Traceback" not in once_round.stderr
