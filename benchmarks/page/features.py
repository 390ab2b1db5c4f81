"""The features room: one evaluator beside other engines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.goals.features import dask, times
from benchmarks.page.plots import Dot, Picture, dots
from benchmarks.page.words import table, with_spread

_NAMES = {"creditloop": "creditloop", "polars": "polars", "duckdb": "DuckDB", "pandas": "pandas"}


def features(found: dict[str, Any]) -> list[str | Picture]:
    """One customer, books by size, Dask; ratios drawn."""
    blocks: list[str | Picture] = [table(["", *_NAMES.values()], _rows(found))]
    if seen := dask(found):
        seconds = {workers: _each(found["dask_seconds"][workers]) for workers in ("1", "2")}
        blocks.append(
            f"Dask, the catalogue's features of statements, turn by turn: one worker {seconds['1']} s, two "
            f"{seconds['2']} s; two are {with_spread(seen.value, seen.low, seen.high, '{:.2f}x')} as fast."
        )
    told = "times that polars, DuckDB and pandas take as long as creditloop, by size"
    return [*blocks, dots("features", told, list(_ratios(found)), "times as long as creditloop", lines=((1, "level"),))]


def _rows(found: dict[str, Any]) -> Iterator[list[str]]:
    one = found["one_customer_us"]
    yield ["one customer of 24 rows, us", *(_cell(one, name, "median", "{:,.0f}") for name in _NAMES)]
    for rows, book in sorted(found["books"].items(), key=lambda item: int(item[0])):
        cells = [_cell(book, name, "seconds", "{:.2f}") for name in _NAMES]
        yield [f"{int(rows):,} rows, seconds; peak", *cells]


def _cell(engines: dict[str, Any], name: str, middle: str, form: str) -> str:
    one, ours = engines.get(name), engines["creditloop"]
    if one is None:
        return "not run"
    words = with_spread(one[middle], one["low"], one["high"], form)
    words += f"; {one['peak_gb']:.2f} GB" if "peak_gb" in one else ""
    times_ours = one[middle] / ours[middle]
    return words if name == "creditloop" else f"{words}; {times_ours:,.{0 if times_ours >= 100 else 2}f}x"


def _ratios(found: dict[str, Any]) -> Iterator[Dot]:
    sizes = [("one customer", found["one_customer_us"], "median")]
    books = sorted(found["books"].items(), key=lambda item: int(item[0]))
    sizes += [(f"{int(rows):,} rows", book, "seconds") for rows, book in books]
    for size, engines, middle in sizes:
        for name, words in list(_NAMES.items())[1:]:
            if seen := times(engines, name, middle):
                yield Dot(f"{size}, {words}", seen.value, seen.low, seen.high, seen.value > 1)


def _each(seconds: list[float]) -> str:
    return ", ".join(f"{one:.2f}" for one in seconds)


SHOWN = {"features": features}
