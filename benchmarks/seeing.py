"""How a figure is read out of a result: a value, the low and high of its spread, and words beside it.

Each returns a reader of one JSON, as benchmarks/goals.py names them; None where the result does not hold the figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean, median
from typing import Any

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """A figure with its spread; `low` and `high` None where a single run gave it."""

    value: float
    low: float | None = None
    high: float | None = None
    words: str = ""


Look = Callable[[Result], Seen | None]


def at(found: Any, *path: str) -> Any:
    """What lies at a path of keys; None where there is no such place."""
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def of_rounds(values: Sequence[float], words: str = "") -> Seen:
    """Median, lowest and highest."""
    return Seen(median(values), min(values), max(values), words)


def of_interval(one: Any, words: str = "") -> Seen | None:
    """A mean or value with the bounds of its interval."""
    value = one and one.get("mean", one.get("value"))
    return None if value is None else Seen(value, one["low"], one["high"], words)


def plain(key: str) -> Look:
    """A number as it stands."""
    return lambda found: None if found.get(key) is None else Seen(found[key])


def taiwan(found: Result) -> Seen | None:
    """Our AUC."""
    row = at(found, "rows", "creditloop")
    return row and Seen(row["auc"], row["auc_low"], row["auc_high"])


def taiwan_gain(found: Result) -> Seen | None:
    """Ours minus LightGBM defaults."""
    return of_interval(at(found, "difference"))


def one_customer(found: Result) -> Seen | None:
    """Times that polars takes as long as we do."""
    return times(at(found, "one_customer_us"), "polars", "median")


def ten_million(found: Result) -> Seen | None:
    """Times that the faster of polars and DuckDB takes as long as we do."""
    book = at(found, "books", "10000000")
    each = {name: times(book, name, "seconds") for name in ("polars", "duckdb")}
    name, best = min(each.items(), key=lambda item: item[1].value if item[1] else math.inf)
    return best and replace(best, words=f"the faster: {name}")


def times(engines: Any, rival: str, middle: str) -> Seen | None:
    """A rival's time over ours: by rounds where they were kept, else of the middles with the extremes held apart."""
    theirs, ours = at(engines, rival), at(engines, "creditloop")
    if not theirs or not ours:
        return None
    if "times_ours" in theirs:
        return of_rounds(theirs["times_ours"])
    return Seen(theirs[middle] / ours[middle], theirs["low"] / ours["high"], theirs["high"] / ours["low"])


def memory_beside_polars(found: Result) -> Seen | None:
    """Our peak over that of polars."""
    book = at(found, "books", "10000000")
    return Seen(book["creditloop"]["peak_gb"] / book["polars"]["peak_gb"]) if at(book, "polars") else None


def hundred_million(found: Result) -> Seen | None:
    """Peak memory."""
    one = at(found, "books", "100000000", "creditloop")
    return one and Seen(one["peak_gb"])


def dask(found: Result) -> Seen | None:
    """Seconds of one worker over those of two, turn by turn."""
    one, two = at(found, "dask_seconds", "1"), at(found, "dask_seconds", "2")
    return of_rounds([a / b for a, b in zip(one, two, strict=True)]) if one and two else None


def tuning(rival: int) -> Look:
    """Seconds of a rival over ours until both know the same log-loss; rivals in the order they were run."""

    def look(found: Result) -> Seen | None:
        runs = [(name, run) for name, run in found["runs"].items() if name != "creditloop"]
        return Seen(runs[rival][1]["ratio_to_common"], words=f"{found['trials']} trials") if len(runs) > rival else None

    return look


def rivals(portfolio: str) -> Look:
    """How many comparisons ours loses by its paired interval, of every rival by AUC, log-loss and Brier."""

    def look(found: Result) -> Seen | None:
        contenders = at(found, "portfolios", portfolio, "contenders")
        if not contenders:
            return None
        lost = {
            name: [measure for measure in ("auc", "log_loss", "brier") if row["ours_is"][measure] == "worse"]
            for name, row in contenders.items()
            if "ours_is" in row
        }
        words = "; ".join(f"{name} by {', '.join(LOSSES[one] for one in by)}" for name, by in lost.items() if by)
        return Seen(sum(map(len, lost.values())), words=words and f"worse than {words}")

    return look


LOSSES = {"auc": "AUC", "log_loss": "log-loss", "brier": "Brier"}


def coverage(measure: str) -> Look:
    """The share of samples, with what so many samples leave open (95 %, normal)."""

    def look(found: Result) -> Seen | None:
        share, samples = at(found, "coverage_of_95", measure), found.get("samples")
        if share is None or not samples:
            return None if share is None else Seen(share)
        half = 1.96 * math.sqrt(share * (1 - share) / samples)
        return Seen(share, share - half, min(1.0, share + half))

    return look


def size(found: Result) -> Seen | None:
    """At a PD of 2 % and 1,000 rows, independent; beside it with correlation."""
    row = next((one for one in found.get("sizes", ()) if (one["pd"], one["rows"]) == (0.02, 1000)), None)
    return row and Seen(row["rho_0"], words=f"PD 2 %, 1,000 rows, independent; correlation 0.12: {row['rho_0.12']:.1%}")


INTERVALS = {
    "": "90 %",
    "sampling": "of sampling alone",
    "found": "with the spread the vintages showed",
    "told": "as told",
}
TAUGHT, LATER = ("months taught", "last month taught"), ("later", "month made")


def held(*whens: str, kind: str | None = None) -> Look:
    """The share of bins whose interval holds their mean true PD; lowest and highest portfolio.

    `whens` are names of one moment; `kind` is of INTERVALS, None the one that is told beside a PD.
    """

    def look(found: Result) -> Seen | None:
        seeds: dict[int, list[bool]] = {}
        for one in found.get("bins", ()):
            low, high = _bounds(one, kind)
            if one["when"] in whens and low in one:
                seeds.setdefault(one["seed"], []).append(one[low] <= one["true_pd"] <= one[high])
        shares = [mean(flags) for flags in seeds.values()]
        every = [flag for flags in seeds.values() for flag in flags]
        return Seen(mean(every), min(shares), max(shares), f"{len(every)} bins") if every else None

    return look


def width(found: Result, when: str, kind: str) -> float:
    """The mean width of the intervals of a kind."""
    low, high = _bounds({}, kind)
    return mean(one[high] - one[low] for one in found["bins"] if one["when"] == when)


def _bounds(one: Result, kind: str | None) -> tuple[str, str]:
    """The names of an interval's bounds; without a kind those told, where kinds are kept apart."""
    kind = kind if kind is not None else "told" if "told_low" in one else ""
    return f"{kind}_low".lstrip("_"), f"{kind}_high".lstrip("_")


def http(rival: str, connections: str) -> Look:
    """Our decisions a second over a rival's answers a second."""

    def look(found: Result) -> Seen | None:
        one = at(found, rival, connections)
        return one and Seen(one["ours_over_this"], one["low"], one["high"])

    return look


def beyond_empty(found: Result) -> Seen | None:
    """Our p99 less that of the empty route, milliseconds, one connection."""
    ours, empty = at(found, "creditloop", "1", "p99_ms"), at(found, "empty route", "1", "p99_ms")
    return None if ours is None or empty is None else Seen(ours - empty)


def shap(wanted: Callable[[int], bool]) -> Look:
    """The lowest ratio of all models, for batches of as many rows as wanted."""

    def look(found: Result) -> Seen | None:
        each = [
            Seen(one["ratio"], one["low"], one["high"], f"the slowest: {model}")
            for model, figures in found.items()
            for rows, one in (figures.items() if isinstance(figures, Mapping) else ())
            if isinstance(one, Mapping) and "ratio" in one and wanted(_rows(rows))
        ]
        return min(each, key=lambda one: one.value, default=None)

    return look


def _rows(words: str) -> int:
    return 1 if words == "one row" else int(words.split()[0].replace(",", ""))


def shap_difference(found: Result) -> Seen | None:
    """The largest of all models."""
    each = [one["difference"] for one in found.values() if isinstance(one, Mapping) and "difference" in one]
    return Seen(max(each)) if each else None


def batch(found: Result) -> Seen | None:
    """Our seconds over those of the Booster as it is called, on all cores."""
    ratios = at(found, "ratios", "booster")
    return of_rounds(ratios) if ratios else None


def drift(found: Result) -> Seen | None:
    """Evidently's seconds over ours at 100,000 rows."""
    row = _of_rows(found, 100_000)
    return of_rounds(row["ratios"]) if row and row.get("ratios") else None


def drift_memory(found: Result) -> Seen | None:
    """Our peak at 10,000,000 rows over that at 1,000,000."""
    large, small = _of_rows(found, 10_000_000), _of_rows(found, 1_000_000)
    if not large or not small:
        return None
    peak = [row["engines"]["creditloop"]["peak_mb"] for row in (large, small)]
    return Seen(peak[0] / peak[1], words=f"{peak[0]:,.0f} MB")


def _of_rows(found: Result, rows: int) -> Any:
    return next((row for row in found.get("table", ()) if row["rows"] == rows), None)


def told_right(found: Result) -> Seen | None:
    """The mean share over streams with a fault; the worst and the best stream."""
    shares = [row["right"] for row in found.get("table", ()) if row["verdict"] == "ours" and "delay" in row]
    return Seen(mean(shares), min(shares), max(shares), "lowest and highest stream") if shares else None


def false_alarms(found: Result) -> Seen | None:
    """The mean over sound streams; the quietest and the loudest."""
    each = [row["false_a_year"] for row in found.get("table", ()) if row["verdict"] == "ours" and "false_a_year" in row]
    return Seen(mean(each), min(each), max(each), "lowest and highest stream") if each else None


def retraining(world: str, measure: str) -> Look:
    """What `pays` earns more than `never`."""

    def look(found: Result) -> Seen | None:
        rows = (row for row in found.get("table", ()) if (row["world"], row["strategy"]) == (world, "pays"))
        return of_interval(at(next(rows, None), measure), f"{len(found.get('runs', ()))} seeds")

    return look


def profit(rival: str) -> Look:
    """Managed by the system less a rival."""
    return lambda found: of_interval(at(found, "table", "paired", f"managed - {rival}", "profit"))


def least_lift(found: Result) -> Seen | None:
    """The sign with the least lift."""
    signs = (at(found, "table", "warnings") or {}).items()
    each = [of_interval(one["lift"], name) for name, one in signs]
    return min((one for one in each if one), key=lambda one: one.value, default=None)


def calls(found: Result) -> Seen | None:
    """What the queue by value at risk saves more than the oldest first."""
    return of_interval(at(found, "table", "collections", "paired", "value_at_risk - oldest_first"))


def flat(found: Result) -> Seen | None:
    """Microseconds of a customer in the largest book over those in the smallest: the step that grows most."""
    books = sorted(found.get("results", ()), key=lambda one: one["customers"])
    if len(books) < 2:
        return None
    small, large = books[0]["microseconds_a_customer"], books[-1]["microseconds_a_customer"]
    value, step = max((large[step] / small[step], step) for step in large)
    return Seen(value, words=f"{step}, {books[0]['customers']:,} to {books[-1]['customers']:,}")


def book_memory(found: Result) -> Seen | None:
    """Peak of the largest book, if it has a million customers."""
    one = max(found.get("results", ()), key=lambda book: book["customers"], default=None)
    return Seen(one["peak_megabytes"]) if one and one["customers"] >= 1_000_000 else None


def slowest_page(found: Result) -> Seen | None:
    """The slowest first look or 95 % quantile of all pages."""
    pages = found.get("pages", {})
    each = [(max(one["first"], one["p95"]), name) for name, one in pages.items()]
    return Seen(max(each)[0], words=f"{max(each)[1]}; {found['records']:,} records") if each else None
