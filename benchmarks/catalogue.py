"""Every benchmark there is: what it is called, how it is run in full and for a look, about how long, beside whom.

An argument may hold `{data}`, the folder of the public data sets, or `{peers}`, the Python of the peers' environment.
Minutes are of two quiet cores and mean nothing more exact than a cup of tea or a night.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One module of benchmarks/: a command line for each of its runs in full, another for a look (`small`).

    `results` are the JSON files it keeps, its name alone where none is given. `peers` names the environment of its
    rivals; it runs in that one, or is told its Python where an argument holds `{peers}`.
    """

    name: str
    title: str
    minutes: float
    small: Words
    full: tuple[Words, ...] = ((),)
    results: Words = ()
    peers: str | None = None

    @property
    def module(self) -> str:
        """As Python runs it."""
        return f"benchmarks.{self.name}"

    @property
    def kept(self) -> Words:
        """The names of its results."""
        return self.results or (self.name,)

    @property
    def is_told_of_peers(self) -> bool:
        """It runs in our environment and starts its peers in theirs."""
        return any("{peers}" in word for words in self.full for word in words)


BENCHMARKS = (
    Benchmark("loop", "Once round the loop", 3, ("--customers", "600", "--products", "consumer_platform")),
    Benchmark(
        "features",
        "Features: the same 80 by four engines",
        12,
        ("--rows", "100000", "--rounds", "1", "--dask", "48000"),
        (("--rows", "1000000", "10000000", "100000000", "--dask", "10000000"),),
        peers="bench",
    ),
    Benchmark(
        "taiwan",
        "Taiwan: 30,000 card holders, honestly nested",
        4,
        ("--data", "{data}/uci_default_taiwan", "--trials", "1"),
        (("--data", "{data}/uci_default_taiwan"),),
    ),
    Benchmark(
        "rivals",
        "Four portfolios beside what you would pick instead, honestly nested",
        80,
        ("german", "--data", "{data}", "--trials", "1", "--outer", "2", "--inner", "2"),
        (
            ("german", "--data", "{data}", "--trials", "25", "--threads", "1"),
            (
                *("polish_1", "polish_5", "--data", "{data}"),
                *("--trials", "15", "--outer", "3", "--inner", "3", "--threads", "1"),
            ),
            ("taiwan", "--data", "{data}", "--trials", "10", "--outer", "3", "--inner", "3", "--threads", "1"),
        ),
        peers="rivals",
    ),
    Benchmark(
        "tuning",
        "Tuning: seconds to the same log-loss",
        12,
        ("--data", "{data}/uci_default_taiwan", "--trials", "2", "--threads", "1", "--minutes", "0.1"),
        (("--data", "{data}/uci_default_taiwan", "--threads", "1"),),
    ),
    Benchmark("sizes", "How often tests and intervals err", 1, ("--customers", "2000", "--samples", "20")),
    Benchmark(
        "true_pd",
        "The true PD, by grade",
        4,
        ("--customers", "3000", "--seeds", "1", "--trials", "1"),
        results=("true_pd_consumer_platform",),
    ),
    Benchmark(
        "pd_interval",
        "The interval of a PD",
        8,
        ("--customers", "3000", "--seeds", "1", "--trials", "1"),
        results=("pd_interval_consumer_platform",),
    ),
    Benchmark("shap", "Reasons: TreeSHAP by quadrature", 4, ("--rounds", "1")),
    Benchmark("batch", "PDs in bulk", 1, ("--rows", "2000", "--rounds", "2")),
    Benchmark(
        "decision",
        "One decision, stage by stage",
        4,
        ("--customers", "3000", "--questions", "5", "--runs", "3"),
        (("--product", "consumer_platform"), ("--product", "trade_credit")),
        ("decision_consumer_platform", "decision_trade_credit"),
    ),
    Benchmark(
        "http",
        "Decisions over HTTP",
        8,
        ("--rivals", "{peers}", "--rounds", "1", "--seconds", "0.5", "--customers", "3000", "--trials", "1"),
        (("--rivals", "{peers}", "--rounds", "5", "--seconds", "3", "--customers", "6000", "--trials", "4"),),
        peers="http_rivals",
    ),
    Benchmark(
        "http_mlflow",
        "Decisions over HTTP beside `mlflow models serve`",
        5,
        ("--mlflow", "{peers}", "--rounds", "1", "--seconds", "0.5", "--customers", "3000", "--trials", "1"),
        (("--mlflow", "{peers}", "--rounds", "5", "--seconds", "3", "--customers", "6000", "--trials", "4"),),
        peers="mlflow",
    ),
    Benchmark("costs", "Unit prices", 2, ("--customers", "3000", "--decisions", "50", "--trials", "1")),
    Benchmark(
        "drift",
        "The drift verdict of 60 columns",
        12,
        ("--rows", "5000", "--rounds", "1"),
    ),
    Benchmark("ledger_round", "What a round of the monitor reads", 4, ("--decisions", "2000")),
    Benchmark(
        "faults",
        "Planted faults",
        90,
        ("--seeds", "1", "--customers", "1500", "--evidently", "0", "--nannyml", "{peers}"),
        (("--nannyml", "{peers}"),),
        peers="nannyml",
    ),
    Benchmark("retraining", "When to retrain", 25, ("--seeds", "1", "--customers", "1500", "--months", "6")),
    Benchmark(
        "customers",
        "Customers over 36 months",
        30,
        ("--seeds", "1", "--customers", "100"),
        (("--seeds", "6", "--first", "200", "--jobs", "2"),),
    ),
    Benchmark(
        "customers_book",
        "A book of a million customers reviewed",
        6,
        ("--sizes", "1000"),
        (("--sizes", "10000", "1000000"),),
    ),
    Benchmark("console", "Pages of the console", 12, ("--decisions", "2000"), (("--decisions", "1000000"),)),
)


def named(names: Iterable[str]) -> tuple[Benchmark, ...]:
    """Those of these names, in the order of the catalogue; all where none is given. KeyError: the name of none."""
    wanted, known = set(names), {one.name for one in BENCHMARKS}
    for name in wanted - known:
        raise KeyError(name)
    return tuple(one for one in BENCHMARKS if not wanted or one.name in wanted)


def told(benchmark: Benchmark) -> str:
    """What is compared and how: the module's docstring without how to run it. The module is not imported."""
    source = (ROOT / "benchmarks" / f"{benchmark.name}.py").read_text(encoding="utf-8")
    words = ast.get_docstring(ast.parse(source)) or ""
    return words.partition("Run: ")[0].strip()


def filled(words: Words, places: dict[str, Any]) -> list[str]:
    """A command line with its places filled in."""
    return [word.format(**places) for word in words]


def data_folder() -> Path:
    """Where the public data sets lie unless said otherwise: beside the project, as everywhere in its docs."""
    return ROOT.parent / "shared" / "data"
