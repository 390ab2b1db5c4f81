"""What tests of several rooms share: shipped products, made-up histories of customers, a PostgreSQL, an S3 server."""

from __future__ import annotations

import datetime as dt
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from configs.errors import Refusal
from configs.settings import Product, load_product
from features.catalogue import Program, compile_program, product_features
from features.check import check_frame
from features.contracts import JUDGING, Columns, Table, to_day
from features.load import table_contract
from features.records import columns_of_records, record_type
from tests import object_store
from tests.postgres import server

Record = dict[str, Any]
History = dict[str, list[Record]]

CATEGORIES = {"education": ["1", "2", "3"]}
CUSTOMERS = ("a", "b", "c")
AMOUNTS = (None, 0.0, 0.1, 0.2, 1 / 3, 1.0, 7.0, 30.0, 61.5, 100.0, 2500.75, 1e6, -0.0, -5.5, -0.3)
MONTH_ENDS = tuple(day.date() for day in pd.date_range("2022-01-31", periods=26, freq="ME"))
DAYS = (*MONTH_ENDS[::3], *MONTH_ENDS[-4:], dt.date(2023, 6, 15), dt.date(2023, 12, 1), dt.date(2024, 2, 28))
LAGS = (0, 0, 1, 30, 121)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the campaign out unless -m names it; a test that is to be tried every day says how often: daily=3."""
    if "campaign" in config.getoption("markexpr", ""):
        return
    markers = [(item, item.get_closest_marker("campaign")) for item in items]
    kept = [item for item, marker in markers if marker is None or "daily" in marker.kwargs]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(scope="session")
def race() -> Callable[[list[Callable[[], object]]], list[Any]]:
    """Does all of these at once; what those gave that were not refused."""

    def raced(acts: list[Callable[[], object]]) -> list[Any]:
        start, won = threading.Barrier(len(acts)), []

        def act(do: Callable[[], object]) -> None:
            start.wait()
            try:
                won.append(do())
            except Refusal:
                return

        threads = [threading.Thread(target=act, args=(do,)) for do in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return won

    return raced


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of this repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Product]:
    """A shipped product by name."""
    empty_home = tmp_path_factory.mktemp("home")
    return cache(lambda name: load_product(name, empty_home))


@pytest.fixture(scope="session")
def program_of(shipped: Callable[[str], Product]) -> Callable[[str], Program]:
    """The compiled program of a shipped product."""
    return cache(lambda name: compile_program(product_features(shipped(name), CATEGORIES)))


@pytest.fixture(scope="session")
def histories(shipped: Callable[[str], Product]) -> Callable[[str], st.SearchStrategy[History]]:
    """Ragged raw tables of three customers of a product, as JSON-like rows that keep its contract."""
    return cache(lambda name: _histories(shipped(name)))


@pytest.fixture(scope="session")
def questions() -> st.SearchStrategy[list[tuple[str, dt.date]]]:
    """Customers, one of them without any row, each with an as_of."""
    return st.lists(st.tuples(st.sampled_from((*CUSTOMERS, "nobody")), st.sampled_from(DAYS)), min_size=2, max_size=5)


@pytest.fixture(scope="session")
def tables_of(shipped: Callable[[str], Product]) -> Callable[[str, History], dict[str, Columns]]:
    """A history on the bulk path: frames that pass their contracts."""

    def tables(name: str, history: History) -> dict[str, Columns]:
        contracts = {table: table_contract(table, shipped(name)) for table in history}
        return {
            table: check_frame(contracts[table], pd.DataFrame(rows), "test") for table, rows in history.items() if rows
        }

    return tables


@pytest.fixture(scope="session")
def request_of(shipped: Callable[[str], Product]) -> Callable[..., dict[str, Columns]]:
    """A history of one customer on the request path: real JSON, decoded by the record types."""

    def tables(name: str, history: History, customer: str, as_of: dt.date) -> dict[str, Columns]:
        found = {}
        for table, rows in history.items():
            own = [
                {k: v for k, v in row.items() if k != "customer_id"} for row in rows if row["customer_id"] == customer
            ]
            contract = table_contract(table, shipped(name))
            records = msgspec.json.decode(msgspec.json.encode(own), type=list[_record_type(contract)])
            found[table] = columns_of_records(contract, records, customer, to_day(as_of))
        return found

    return tables


@pytest.fixture(scope="session")
def asked() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """(customer, as_of) pairs as the arrays the matrix takes."""

    def arrays(*pairs: tuple[str, dt.date]) -> tuple[np.ndarray, np.ndarray]:
        return (
            np.array([customer for customer, _ in pairs], object),
            np.array([to_day(as_of) for _, as_of in pairs], np.int32),
        )

    return arrays


_TYPES: dict[str, Any] = {}


def _record_type(contract: Table) -> Any:
    key = str(contract)
    if key not in _TYPES:
        _TYPES[key] = record_type(contract)
    return _TYPES[key]


def _histories(product: Product) -> st.SearchStrategy[History]:
    seeds = st.lists(st.integers(0, 2**32 - 1), max_size=14)
    contracts = [table_contract(name, product) for name in product.tables if name not in JUDGING]
    return st.fixed_dictionaries(
        {contract.name: seeds.map(lambda drawn, contract=contract: _rows(contract, drawn)) for contract in contracts}
    )


def _rows(contract: Table, seeds: list[int]) -> list[Record]:
    rows: dict[tuple[Any, ...], Record] = {}
    for seed in seeds:
        row = _row(contract, random.Random(seed))
        known = row["known_time"] or row[contract.event]
        rows[(row["customer_id"], *(row[name] for name in contract.key), known)] = row
    return list(rows.values())


def _row(contract: Table, rng: random.Random) -> Record:
    """One row: its event on one of a few days, so that days tie; other dates later; numbers in range."""
    event = rng.choice(DAYS)
    row: Record = {"customer_id": rng.choice(CUSTOMERS)}
    for name, column in contract.all_columns().items():
        if name == "customer_id":
            continue
        if name == contract.event:
            row[name] = event
        elif column.kind == "date":
            missing = column.missing and rng.random() < 0.4
            row[name] = None if missing else event + dt.timedelta(rng.choice(LAGS))
        elif column.kind == "text":
            free = ("1", "2", "3") if not column.missing else (None, "1", "2", "3", "9")
            row[name] = rng.choice(column.one_of or free)
        else:
            drawn = (1.0, 2.0, 3.0, 4.0, 5.0) if column.whole else AMOUNTS
            fit = [v for v in drawn if v is None or column.low <= v <= column.high]
            row[name] = rng.choice([v for v in fit if v is not None or column.missing])
    return row


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The SQLAlchemy URL of a PostgreSQL of its own, on loopback, with a password."""
    with server() as running:
        yield running.url


@pytest.fixture(scope="session")
def postgres_database(postgres: str) -> Callable[[], AbstractContextManager[str]]:
    """Makes the URL of an empty database of its own in that PostgreSQL, for as long as it is used."""

    @contextmanager
    def made() -> Iterator[str]:
        name = f"t{uuid.uuid4().hex}"
        server = sa.create_engine(postgres, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        yield sa.engine.make_url(postgres).set(database=name).render_as_string(hide_password=False)
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")

    return made


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of an S3-compatible server of its own, on loopback."""
    with object_store.server(tmp_path_factory.mktemp("s3")) as place:
        yield place


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL, as Arrow reads it, of an empty bucket of its own in that store; this process has the key to it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    query = f"scheme=http&endpoint_override={s3}&region=us-east-1&allow_bucket_creation=true"
    return f"s3://b{uuid.uuid4().hex}/of/ours?{query}"
