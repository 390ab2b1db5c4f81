"""The training room and the loop as a whole (issues 2 and 4)."""

from __future__ import annotations

import math
from statistics import mean

from benchmarks.goals.goal import AUC, GAIN, Goal
from benchmarks.goals.seen import Look, Result, Seen, at, of_interval, plain


def taiwan(found: Result) -> Seen | None:
    """Our AUC."""
    row = at(found, "rows", "creditloop")
    return row and Seen(row["auc"], row["auc_low"], row["auc_high"])


def taiwan_gain(found: Result) -> Seen | None:
    """Ours minus LightGBM defaults."""
    return of_interval(at(found, "difference"))


def tuning(rival: int) -> Look:
    """Seconds of a rival over ours until both know the same log-loss; rivals in the order they were run."""

    def look(found: Result) -> Seen | None:
        runs = [(name, run) for name, run in (at(found, "runs") or {}).items() if name != "creditloop"]
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
    return row and Seen(
        row["rho_0"], words=f"PD 2 %, 1,000 rows, independent; correlation 0.12: {100 * row['rho_0.12']:.1f} %"
    )


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


GOALS: tuple[Goal, ...] = (
    Goal(2, "once round the loop within 3 minutes", "loop", plain("wall_seconds"), 180, "most", "{:.0f} s"),
    Goal(2, "Taiwan, nested: AUC above 0.783, a published result of boosting", "taiwan", taiwan, 0.783, form=AUC),
    Goal(2, "Taiwan: AUC above LightGBM defaults, paired", "taiwan", taiwan_gain, 0.0, form=GAIN),
    Goal(
        2,
        "mean absolute difference of PD and true PD",
        "true_pd",
        plain("all"),
        form=AUC,
        kept="true_pd_consumer_platform",
    ),
    Goal(
        4,
        "tuning, beside cross_val_score that tunes trees: seconds to the same log-loss",
        "tuning",
        tuning(0),
        3,
    ),
    Goal(4, "tuning, beside cross_val_score told how many trees: the same", "tuning", tuning(1), 3),
    *(
        Goal(
            4,
            f"{name}: best or level with the best by AUC, log-loss and Brier (comparisons lost)",
            "rivals",
            rivals(portfolio),
            0,
            "most",
            "{:.0f}",
        )
        for name, portfolio in (
            ("Taiwan", "taiwan"),
            ("German", "german"),
            ("Polish, year 1", "polish_1"),
            ("Polish, year 5", "polish_5"),
        )
    ),
    Goal(4, "95 % interval of AUC holds the true one", "sizes", coverage("auc_delong"), 0.95, form="{:.1%}"),
    Goal(
        4,
        "95 % interval of a default rate holds the true one",
        "sizes",
        coverage("default_rate_jeffreys"),
        0.95,
        form="{:.1%}",
    ),
    Goal(4, "true size of the Jeffreys test at a nominal 5 %", "sizes", size, form="{:.1%}"),
    *(
        Goal(
            4,
            f"90 % interval of a PD holds the mean true PD, {words}",
            "pd_interval",
            held(*whens),
            0.9,
            form="{:.0%}",
            kept="pd_interval_consumer_platform",
        )
        for words, whens in (("in the months taught", TAUGHT), ("12 months later", LATER))
    ),
)
