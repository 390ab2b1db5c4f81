"""PDs of several contenders on the same rows: AUC by DeLong, log-loss and Brier by bootstrap, differences paired."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from training.validate import Interval, auc_difference, auc_interval

_DRAWS = 2000


def table(
    predicted: Mapping[str, np.ndarray], bad: np.ndarray, fold_of: np.ndarray, ours: str, seed: int
) -> dict[str, Any]:
    """For each contender AUC, log-loss, Brier, and what `ours` has more of each, with 95 % intervals.

    PDs (rows,) of all outer folds are judged together; beside it, as folds have models of their own, the AUC inside
    the folds. The intervals of log-loss and Brier are percentiles of 2,000 bootstrap draws of rows, the same for all.
    """
    names = list(predicted)
    losses = np.stack([_losses(predicted[name], bad) for name in names])  # contenders x (log-loss, Brier) x rows
    drawn = _bootstrap(losses, seed)
    own = names.index(ours)
    rows: dict[str, Any] = {}
    for number, name in enumerate(names):
        theirs = predicted[name]
        inside = within_folds(predicted[ours], theirs, bad, fold_of)
        rows[name] = {
            "auc": asdict(auc_interval(theirs, bad)),
            "auc_within_folds": _mean_auc(theirs, bad, fold_of),
            "log_loss": _interval(losses[number, 0].mean(), drawn[:, number, 0]),
            "brier": _interval(losses[number, 1].mean(), drawn[:, number, 1]),
            "mean_pd": float(theirs.mean()),
        }
        if number != own:
            gained, more = losses[own] - losses[number], drawn[:, own] - drawn[:, number]
            rows[name]["ours_minus_theirs"] = {
                "auc": asdict(auc_difference(predicted[ours], theirs, bad)),
                "auc_within_folds": asdict(inside),
                "log_loss": _interval(gained[0].mean(), more[:, 0]),
                "brier": _interval(gained[1].mean(), more[:, 1]),
            }
            rows[name]["ours_is"] = {key: verdict(key, one) for key, one in rows[name]["ours_minus_theirs"].items()}
    return rows


def within_folds(ours: np.ndarray, theirs: np.ndarray, bad: np.ndarray, fold_of: np.ndarray) -> Interval:
    """The mean over outer folds of the paired AUC difference; judged rows of folds are apart, so variances add up."""
    each = [auc_difference(ours[here], theirs[here], bad[here]) for here in _places(fold_of)]
    mean = float(np.mean([one.value for one in each]))
    spread = math.sqrt(sum(((one.high - one.low) / 2) ** 2 for one in each)) / len(each)
    return Interval(mean, mean - spread, mean + spread)


def verdict(measure: str, difference: Mapping[str, float]) -> str:
    """What the paired interval of ours minus theirs says of ours: better, worse, or level where it holds 0."""
    if difference["low"] <= 0 <= difference["high"]:
        return "level"
    return "better" if (difference["value"] > 0) == measure.startswith("auc") else "worse"


def told(name: str, result: Mapping[str, Any]) -> str:
    """The table in words for a terminal."""
    lines = [
        f"{name}: {result['rows']:,} rows, {result['defaults']:,} defaults; {result['trials']} trials, "
        f"{result['outer_folds']} outer and {result['inner_folds']} inner folds",
        f"{'':<38}{'AUC':<26}{'in folds':<10}{'log-loss':<26}{'Brier':<26}{'ours minus theirs, AUC':<33}ours is",
    ]
    for contender, row in result["contenders"].items():
        cells = "".join(f"{_shown(row[key]):<26}" for key in ("log_loss", "brier"))
        line = f"{contender:<38}{_shown(row['auc']):<26}{row['auc_within_folds']:<10.4f}{cells}"
        if "ours_is" in row:
            line += f"{_shown(row['ours_minus_theirs']['auc'], '+'):<33}"
            line += ", ".join(row["ours_is"][key] for key in ("auc", "log_loss", "brier"))
        lines.append(f"{line}  ({result['seconds'][contender]:.0f} s)")
    return "\n".join(lines)


def _shown(interval: Mapping[str, float], sign: str = "") -> str:
    return f"{interval['value']:{sign}.4f} ({interval['low']:{sign}.4f} to {interval['high']:{sign}.4f})"


def _places(fold_of: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(fold_of == number) for number in np.unique(fold_of)]


def _mean_auc(score: np.ndarray, bad: np.ndarray, fold_of: np.ndarray) -> float:
    return float(np.mean([auc_interval(score[here], bad[here]).value for here in _places(fold_of)]))


def _losses(default_probability: np.ndarray, bad: np.ndarray) -> np.ndarray:
    pd_ = np.clip(default_probability, 1e-15, 1 - 1e-15)
    return np.stack([-np.where(bad, np.log(pd_), np.log1p(-pd_)), (pd_ - bad) ** 2])


def _bootstrap(losses: np.ndarray, seed: int) -> np.ndarray:
    """Means of the losses over rows drawn with replacement, (draws, contenders, losses)."""
    rows = losses.shape[-1]
    generator = np.random.default_rng(seed)
    flat = losses.reshape(-1, rows)
    drawn = [flat @ np.bincount(generator.integers(0, rows, rows), minlength=rows) / rows for _ in range(_DRAWS)]
    return np.stack(drawn).reshape(_DRAWS, *losses.shape[:-1])


def _interval(value: float, drawn: np.ndarray) -> dict[str, float]:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return asdict(Interval(float(value), float(low), float(high)))
