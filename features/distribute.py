"""The one place that knows Dask: work for the workers of a scheduler named by its address, a book's parts first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from configs.errors import InputError
from configs.settings import Product
from features import matrix
from features.catalogue import Program, compile_program, describe, features_named
from features.portfolio import CUSTOMERS_EACH, Tally, parts, read
from features.ranges import Range
from features.sources import open_source

if TYPE_CHECKING:  # Dask is optional
    from dask.distributed import Client

Given = TypeVar("Given")


def matrices(
    scheduler: str,
    program: Program,
    places: Sequence[str],
    product: Product,
    customer_id: np.ndarray,
    as_of: np.ndarray,
    tally: Tally | None = None,
    customers_each: int = CUSTOMERS_EACH,
    book: np.ndarray | None = None,
    build: matrix.Build = matrix.build,
    answer_seconds: float = 10.0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(positions, what `build` makes of those rows) of each part as workers finish them, in any order.

    Workers open `places` themselves, so they must reach the same folders or database, and run this release. `book` as
    `parts` takes it. Raises InputError where the scheduler does not answer within `answer_seconds` or its program is
    another, DataError as `load` does.
    """
    described = tuple(_frozen(describe(item)) for item in program.features)
    client = _client(scheduler, answer_seconds)
    from dask.distributed import as_completed

    tally = tally or Tally(open_source(places, product.reader).told(), 0.0)
    with client:
        ahead = parts(customer_id, customers_each, book)
        futures = {
            client.submit(
                _one, build, described, program.digest, tuple(places), product, part.customers,
                customer_id[part.rows], as_of[part.rows], tally.share, pure=False,
            ): part.rows
            for part in ahead
        }  # fmt: skip
        for future, (values, bad_rows) in as_completed(list(futures), with_results=True, loop=client.loop):
            tally.add(bad_rows)
            yield futures.pop(future), values
    tally.judge()


@contextmanager
def on_each_worker(
    scheduler: str, task: Callable[[Given, int, int], None], given: Given, answer_seconds: float = 10.0
) -> Iterator[Callable[[], bool]]:
    """Run `task(given, number, threads)` once for each worker; yields a call that tells whether any still works.

    That call raises what a task raised. Should a worker die, another takes its task; with none left, nobody works.
    What still runs on the way out is told to go no further. Workers must run this release. Raises InputError where the
    scheduler does not answer within `answer_seconds` or has no worker.
    """
    with _client(scheduler, answer_seconds) as client:
        workers = _threads(client)
        if not workers:
            raise InputError(f"{scheduler}: the scheduler has no worker; start some: dask worker {scheduler}")
        sent = client.scatter(given, broadcast=True)
        futures = [
            client.submit(task, sent, number, threads, workers=[name], allow_other_workers=True, pure=False)
            for number, (name, threads) in enumerate(workers.items())
        ]

        def working() -> bool:
            for future in futures:
                if future.status == "error":
                    future.result()
            return any(not future.done() for future in futures) and bool(_threads(client))

        try:
            yield working
        finally:
            client.cancel(futures)


def _threads(client: Client) -> dict[str, int]:
    """The threads of each worker, by its address."""
    told = client.scheduler_info(n_workers=-1)["workers"]
    return {str(name): int(worker["nthreads"]) for name, worker in told.items()}


def _client(scheduler: str, answer_seconds: float) -> Client:
    """A client of a scheduler that has answered. Raises InputError without Dask, or where none does."""
    try:
        from dask.distributed import Client
    except ImportError:
        raise InputError("a scheduler was named, and Dask is not installed: pip install 'creditloop[dask]'") from None
    try:
        with ThreadPoolExecutor(1) as apart:  # a notebook's own thread has a loop that runs already
            apart.submit(asyncio.run, _answers(scheduler, answer_seconds)).result()
    except (OSError, ValueError) as error:  # no answer, or no address
        why = str(error) or f"silent for {answer_seconds} s"
        raise InputError(f"{scheduler}: no Dask scheduler answers there: {why}") from None
    return Client(scheduler, timeout=answer_seconds, set_as_default=False)


async def _answers(scheduler: str, seconds: float) -> None:
    """Shake hands before there is a client: one that cannot connect waits without end for a silent peer, and holds a
    lock when it is collected."""
    from dask.distributed import comm

    async with asyncio.timeout(seconds):
        met = await comm.connect(scheduler, timeout=seconds)
    await met.close()


def _frozen(described: dict[str, object]) -> tuple[tuple[str, object], ...]:
    return tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in described.items())


@lru_cache(maxsize=8)
def _program(described: tuple[tuple[tuple[str, object], ...], ...], digest: str) -> Program:
    program = compile_program(features_named([dict(pairs) for pairs in described]))
    if program.digest != digest:
        raise InputError(f"a worker runs feature program {program.digest[:12]}, asked for was {digest[:12]}")
    return program


def _one(
    build: matrix.Build,
    described: tuple[tuple[tuple[str, object], ...], ...],
    digest: str,
    places: tuple[str, ...],
    product: Product,
    customers: Range,
    customer_id: np.ndarray,
    as_of: np.ndarray,
    quarantine_share: float,
) -> tuple[np.ndarray, dict[str, tuple[int, int]]]:
    program = _program(described, digest)
    loaded = read(program.tables, open_source(places, product.reader), product, customers, quarantine_share)
    return build(program, loaded.tables, customer_id, as_of), loaded.bad_rows()
