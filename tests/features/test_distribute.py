"""A book built by the workers of a Dask cluster: the same bytes, and quick words where no scheduler answers."""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import os
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from configs.errors import DataError, InputError
from configs.settings import Freshness
from features import catalogue, distribute, matrix
from features.load import load
from features.portfolio import Tally
from features.sources import open_source
from serving.doubts import rows_and_ages

dask = pytest.importorskip("dask.distributed", reason="Dask is optional: pip install 'creditloop[dask]'")

CUSTOMERS = "abcdefghij"


@pytest.fixture(scope="module")
def scheduler(repository: Path) -> Iterator[str]:
    """A scheduler with two worker processes on loopback, without its dashboard."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(repository)  # the workers import this repository
    try:
        with dask.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", host="127.0.0.1"
        ) as cluster:
            yield cluster.scheduler_address
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def place(histories_of, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of random tables."""
    folder = tmp_path_factory.mktemp("book")
    for name, frame in histories_of(5, CUSTOMERS).items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return str(folder)


@pytest.fixture(scope="module")
def questions() -> tuple[np.ndarray, np.ndarray]:
    """Every customer on two days."""
    pairs = list(itertools.product(CUSTOMERS, (19_357, 19_700)))[::-1]
    return np.array([customer for customer, _ in pairs], object), np.array([day for _, day in pairs], np.int32)


@pytest.mark.parametrize("customers_each", [3, 100])
def test_a_cluster_gives_the_bytes_of_one_machine(
    customers_each: int, scheduler: str, place: str, questions, program_of, shipped
) -> None:
    program, product = program_of("trade_credit"), shipped("trade_credit")
    found = np.zeros((len(questions[0]), len(program.features)))
    built = distribute.matrices(scheduler, program, [place], product, *questions, customers_each=customers_each)
    places = []
    for rows, values in built:
        found[rows] = values
        places += rows.tolist()
    assert sorted(places) == list(range(len(found)))
    tables = load(open_source([place]), product).tables
    assert found.tobytes() == matrix.build(program, tables, *questions).tobytes()


def test_a_cluster_tells_the_age_of_facts_beside_the_features_as_one_machine_does(
    scheduler: str, place: str, questions, program_of, shipped
) -> None:
    program, product = program_of("trade_credit"), shipped("trade_credit")
    asked = tuple(part[questions[1] == 19_700] for part in questions)  # each customer once
    build = partial(rows_and_ages, Freshness(statements=20, invoices=30))
    found = np.zeros((len(asked[0]), len(program.features) + 2))
    for rows, made in distribute.matrices(scheduler, program, [place], product, *asked, build=build):
        found[rows] = made
    tables = load(open_source([place]), product).tables
    assert found.tobytes() == build(program, tables, *asked).tobytes()
    assert (found[:, -2:] > 0).any()


def test_a_notebook_whose_loop_runs_already_may_ask_a_cluster(
    scheduler: str, place: str, questions, program_of, shipped
) -> None:
    async def cell() -> int:
        program, product = program_of("trade_credit"), shipped("trade_credit")
        return sum(len(rows) for rows, _ in distribute.matrices(scheduler, program, [place], product, *questions))

    assert asyncio.run(cell()) == len(questions[0])


def test_what_a_worker_cannot_read_is_told_here(
    scheduler: str, place: str, questions, program_of, shipped, tmp_path: Path
) -> None:
    program, product = program_of("trade_credit"), shipped("trade_credit")
    with pytest.raises(DataError, match="needs"):
        list(distribute.matrices(scheduler, program, [str(tmp_path)], product, *questions))


def test_workers_count_the_bad_rows_of_the_book(
    scheduler: str, questions, program_of, shipped, histories_of, tmp_path: Path
) -> None:
    program, product = program_of("trade_credit"), shipped("trade_credit")
    for name, frame in histories_of(5, CUSTOMERS).items():
        late = frame["days_past_due"].where(frame.index > 0, -1.0) if name == "statements" else None
        (frame if late is None else frame.assign(days_past_due=late)).to_parquet(tmp_path / f"{name}.parquet")
    asked = functools.partial(
        distribute.matrices, scheduler, program, [str(tmp_path)], product, *questions, customers_each=3
    )
    assert sum(len(rows) for rows, _ in asked(tally=Tally("here", 0.1))) == len(questions[0])
    with pytest.raises(DataError, match=r"statements: 1 of \d+ rows are bad; data.quarantine_share allows 0.001"):
        list(asked(tally=Tally("here", 0.001)))


def test_a_worker_of_another_release_is_refused(scheduler: str, place: str, questions, program_of, shipped) -> None:
    import dataclasses

    program = dataclasses.replace(program_of("trade_credit"), digest="0" * 64)
    with pytest.raises(InputError, match=r"a worker runs feature program .*, asked for was 000000000000"):
        list(distribute.matrices(scheduler, program, [place], shipped("trade_credit"), *questions))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:1"])
def test_a_scheduler_that_does_not_answer_is_told_quickly(
    address: str, place: str, questions, program_of, shipped
) -> None:
    program, product = program_of("trade_credit"), shipped("trade_credit")
    began = time.monotonic()
    with pytest.raises(InputError, match="no Dask scheduler answers there"):
        list(distribute.matrices(address, program, [place], product, *questions, answer_seconds=1.0))
    assert time.monotonic() - began < 10


def test_a_peer_that_accepts_and_says_nothing_is_told_quickly(place: str, questions, program_of, shipped) -> None:
    program, product = program_of("trade_credit"), shipped("trade_credit")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match="no Dask scheduler answers there"):
            list(distribute.matrices(address, program, [place], product, *questions, answer_seconds=1.0))


def test_an_address_that_fails_leaves_no_half_open_client(place: str, questions, program_of, shipped) -> None:
    # A client collected while another starts its loop waits for a lock that its own thread holds.
    program, product = program_of("trade_credit"), shipped("trade_credit")
    gc.collect()
    before = sum(isinstance(item, dask.Client) for item in gc.get_objects())
    gc.disable()
    try:
        with pytest.raises(InputError):
            list(distribute.matrices("not an address", program, [place], product, *questions, answer_seconds=1.0))
        assert sum(isinstance(item, dask.Client) for item in gc.get_objects()) == before
    finally:
        gc.enable()


@pytest.mark.parametrize("address", ["nonsense://127.0.0.1:1", "not an address at all", ""])
def test_what_is_no_address_is_told(address: str, place: str, questions, program_of, shipped) -> None:
    program, product = program_of("trade_credit"), shipped("trade_credit")
    with pytest.raises(InputError, match="no Dask scheduler answers there"):
        list(distribute.matrices(address, program, [place], product, *questions, answer_seconds=1.0))


def test_a_program_of_flat_columns_comes_back_on_a_worker() -> None:
    from configs.settings import ColumnSpec

    specs = [ColumnSpec(name="town", kind="category", unit="place"), ColumnSpec(name="income")]
    program = catalogue.compile_program(tuple(catalogue.column_features(specs, {"town": ["Bonn", "Ulm"]})))
    described = tuple(distribute._frozen(catalogue.describe(item)) for item in program.features)
    assert distribute._program(described, program.digest).digest == program.digest
