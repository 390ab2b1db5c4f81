"""The serving room (issue 5) and the console (issue 8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.goals.goal import Goal
from benchmarks.goals.seen import Look, Result, Seen, at, of_rounds


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


def slowest_page(found: Result) -> Seen | None:
    """The slowest first look or 95 % quantile of all pages."""
    pages = found.get("pages", {})
    each = [(max(one["first"], one["p95"]), name) for name, one in pages.items()]
    return Seen(max(each)[0], words=f"{max(each)[1]}; {found['records']:,} records") if each else None


GOALS: tuple[Goal, ...] = (
    *(
        Goal(5, f"{times} times the {name}, {count}", "http", http(rival, connections), times)
        for times, name, rival in ((8, "careful FastAPI", "frugal"), (40, "usual FastAPI", "usual"))
        for count, connections in (("1 connection", "1"), ("16 connections", "16"))
    ),
    Goal(5, "p99 at one connection within 5 ms of an empty route's", "http", beyond_empty, 5, "most", "{:.2f} ms"),
    *(
        Goal(5, f"beside `mlflow models serve` of the model alone, {count}", "http_mlflow", http("mlflow", each))
        for count, each in (("1 connection", "1"), ("16 connections", "16"))
    ),
    Goal(
        5,
        "TreeSHAP, one row: 10 times LightGBM's pred_contrib",
        "shap",
        shap(lambda rows: rows == 1),
        10,
        form="{:.1f}x",
    ),
    Goal(
        5,
        "TreeSHAP, a batch: 50 times LightGBM's pred_contrib",
        "shap",
        shap(lambda rows: rows > 1),
        50,
        form="{:.1f}x",
    ),
    Goal(5, "TreeSHAP equal to LightGBM within 1e-9", "shap", shap_difference, 1e-9, "most", "{:.0e}"),
    Goal(5, "PDs in bulk within 1.5 times `Booster.predict` alone", "batch", batch, 1.5, "most"),
    Goal(8, "every page within 300 ms on 1,000,000 decisions", "console", slowest_page, 300, "most", "{:.0f} ms"),
)
