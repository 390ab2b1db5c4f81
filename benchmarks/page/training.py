"""The training room: honest comparisons, tuning, and how often tests and intervals err."""

from __future__ import annotations

from typing import Any

from benchmarks.goals.training import INTERVALS, held, width
from benchmarks.page.plots import Dot, Picture, dots
from benchmarks.page.words import figure, interval, last_run, table, with_spread

_SIGNED = "{:+.4f}"
_PORTFOLIOS = {"taiwan": "Taiwan", "german": "German", "polish_1": "Polish, year 1", "polish_5": "Polish, year 5"}


def loop(found: dict[str, Any]) -> list[str | Picture]:
    """Seconds of the demo."""
    row = [
        f"{found['wall_seconds']:.0f} s",
        f"{found['cpu_seconds']:.0f} s",
        f"{found['customers']:,}",
        ", ".join(found["products"]),
    ]
    return [table(["wall", "processor", "customers of each portfolio", "products"], [row])]


def taiwan(found: dict[str, Any]) -> list[str | Picture]:
    """Both contenders and their paired difference."""
    head = ["", "AUC (95 % interval)", "log-loss", "Brier", "calibration slope", "observed / expected"]
    rows = [
        [
            name,
            with_spread(row["auc"], row["auc_low"], row["auc_high"], "{:.4f}"),
            *(f"{row[key]:.4f}" for key in ("log_loss", "brier")),
            *(f"{row[key]:.3f}" for key in ("calibration_slope", "observed_to_expected")),
        ]
        for name, row in found["rows"].items()
    ]
    rows.append(["difference, paired (DeLong)", interval(found["difference"], _SIGNED)])
    told = f"{found['features']} features of ours, {found['trials']} trials, {found['seconds'] / 60:.1f} min in all."
    return [told, table(head, rows)]


def rivals(found: dict[str, Any]) -> list[str | Picture]:
    """A table for each portfolio, and all differences of AUC in one plot."""
    blocks: list[str | Picture] = []
    drawn: list[Dot] = []
    for name, words in _PORTFOLIOS.items():
        one = found["portfolios"].get(name)
        if one is None:
            blocks.append(f"{words}: **not run**.")
            continue
        blocks += [
            _of_portfolio(words, one),
            table(_HEAD, [[*_contender(*row), f"{one['seconds'][row[0]]:,.0f}"] for row in one["contenders"].items()]),
        ]
        drawn += [
            Dot(f"{words}: {rival}", gained["value"], gained["low"], gained["high"], _good(row["ours_is"]["auc"]))
            for rival, row in one["contenders"].items()
            if (gained := row.get("ours_minus_theirs", {}).get("auc"))
        ]
    told = "AUC of creditloop less that of each rival, with 95 % intervals, by portfolio"
    return [*blocks, dots("rivals", told, drawn, "AUC, ours minus theirs", log=False, lines=((0, "level"),))]


_HEAD = ["", "AUC", "log-loss", "Brier", "AUC, ours minus theirs", "ours is, by AUC, log-loss, Brier", "seconds"]


def _of_portfolio(words: str, one: dict[str, Any]) -> str:
    run = f" Measured {last_run(one)}." if "run" in one else ""
    return (
        f"**{words}**: {one['rows']:,} rows, {one['defaults']:,} defaults; {one['outer_folds']} outer and "
        f"{one['inner_folds']} inner folds, {one['trials']} trials; ours reads {one['features_of_ours']} features, "
        f"rivals {one['raw_columns']} columns.{run}"
    )


def _contender(name: str, row: dict[str, Any]) -> list[str]:
    measures = ("auc", "log_loss", "brier")
    cells = [name, *(interval(row[measure]) for measure in measures)]
    if "ours_is" not in row:
        return [*cells, "", ""]
    is_ = [row["ours_is"][measure] for measure in measures]
    return [
        *cells,
        interval(row["ours_minus_theirs"]["auc"], _SIGNED),
        ", ".join(f"**{w}**" if w == "worse" else w for w in is_),
    ]


def _good(verdict: str) -> bool | None:
    return {"better": True, "worse": False}.get(verdict)


def tuning(found: dict[str, Any]) -> list[str | Picture]:
    """Seconds of each way to tune, and how much longer than ours it takes to the log-loss that both reach."""
    head = [
        "",
        "seconds, all trials",
        "log-loss",
        "AUC",
        "seconds to the common log-loss",
        "ours to it",
        "times as long",
    ]
    rivals_ = {name: run for name, run in found["runs"].items() if name != "creditloop"}
    rows = [_tuned("creditloop", found["runs"]["creditloop"])]
    rows += [
        [*_tuned(name, run), *(f"{run[key]:.1f}" for key in _TO_COMMON), f"{run['ratio_to_common']:.2f}x"]
        for name, run in rivals_.items()
    ]
    drawn = [
        Dot(f"{name}: {words}", run[key], good=run[key] >= 3)
        for name, run in rivals_.items()
        for words, key in (("to the same log-loss", "ratio_to_common"), ("all trials", "ratio_all_trials"))
    ]
    told = "seconds of each rival over ours, to the same log-loss and for all trials"
    lines = ((1, "level"), (3, "goal"))
    return [
        f"{found['trials']} trials each, {found['rows']:,} rows.",
        table(head, rows),
        dots("tuning", told, drawn, "times as long as creditloop", lines=lines),
    ]


_TO_COMMON = ("seconds_to_common", "ours_to_common")


def _tuned(name: str, run: dict[str, Any]) -> list[str]:
    return [name, f"{run['seconds']:.1f}", f"{run['log_loss']:.5f}", f"{run['auc']:.4f}"]


def sizes(found: dict[str, Any]) -> list[str | Picture]:
    """True size of the Jeffreys test, coverage of intervals."""
    rows = [
        [f"{_percent(row['pd'])}, {row['rows']:,}", *(_percent(row[f"rho_{rho}"]) for rho in ("0", "0.04", "0.12"))]
        for row in found["sizes"]
    ]
    drawn = [
        Dot(
            f"PD {_percent(row['pd'])}, {row['rows']:,} rows, {words}",
            100 * row[f"rho_{rho}"],
            good=row[f"rho_{rho}"] < 0.06,
        )
        for row in found["sizes"]
        for rho, words in (("0", "independent"), ("0.12", "correlation 0.12"))
    ]
    covered = found["coverage_of_95"]
    told = f"how often the Jeffreys test rejects a right PD at a nominal {_percent(found['jeffreys_nominal'])}"
    return [
        f"How often the Jeffreys test rejects a right PD at a nominal {_percent(found['jeffreys_nominal'])}:",
        table(["PD, rows", "independent", "correlation 0.04", "correlation 0.12"], rows),
        dots("sizes", told, drawn, "percent", lines=((100 * found["jeffreys_nominal"], "nominal"),)),
        f"Coverage of 95 % intervals, samples of {found['sample']:,}: AUC (DeLong) {_percent(covered['auc_delong'])}, "
        f"default rate (Jeffreys) {_percent(covered['default_rate_jeffreys'])}.",
    ]


def true_pd(found: dict[str, Any]) -> list[str | Picture]:
    """By grade: PD, true PD, default rate."""
    head = ["grade", "rows", "mean PD", "mean true PD", "default rate", "mean absolute difference of PD and true PD"]
    rows = [
        [
            row["grade"],
            f"{row['rows']:,}",
            *(f"{row[key]:.4f}" for key in ("mean_pd", "mean_true_pd", "default_rate", "mean_absolute_difference")),
        ]
        for row in found["grades"]
    ]
    drawn = [
        dot
        for row in found["grades"]
        for dot in (
            Dot(f"{row['grade']}: PD", 100 * row["mean_pd"]),
            Dot(f"{row['grade']}: true PD", 100 * row["mean_true_pd"], good=True),
        )
    ]
    all_ = f"All: {found['all']:.4f}; giving everyone the mean PD would be off by {found['mean_pd_for_everyone']:.4f}."
    return [table(head, rows), all_, dots("true_pd", "mean PD and mean true PD by grade", drawn, "percent")]


def pd_interval(found: dict[str, Any]) -> list[str | Picture]:
    """How often each kind of interval holds the mean true PD, by when."""
    rows, drawn = [], []
    for when in dict.fromkeys(one["when"] for one in found["bins"]):
        for kind, words in INTERVALS.items():
            if seen := held(when, kind=kind)(found):
                wide = width(found, when, kind)
                rows.append(
                    [when, words, with_spread(seen.value, seen.low, seen.high, "{:.0%}"), seen.words, f"{wide:.4f}"]
                )
                drawn.append(
                    Dot(
                        f"{when}, {words}",
                        100 * seen.value,
                        100 * (seen.low or 0),
                        100 * (seen.high or 0),
                        seen.value >= 0.9,
                    )
                )
    head = ["when", "interval", "holds the mean true PD (lowest and highest portfolio)", "of", "mean width"]
    told = "share of bins whose 90 % interval holds their mean true PD"
    return [table(head, rows), dots("pd_interval", told, drawn, "percent of bins", log=False, lines=((90, "nominal"),))]


def _percent(share: float) -> str:
    return figure(share, "{:.1%}")


SHOWN = {
    "loop": loop,
    "taiwan": taiwan,
    "rivals": rivals,
    "tuning": tuning,
    "sizes": sizes,
    "true_pd": true_pd,
    "pd_interval": pd_interval,
}
