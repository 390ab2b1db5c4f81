"""The contributions behind the reasons: our kernel against LightGBM's pred_contrib, one row and a batch.

Both sides take turns, one thread each, on models of 64 features; each round gives one ratio. They are held equal first.
Run: python -m benchmarks.shap [--rounds 9]
"""

from __future__ import annotations

import argparse
import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np

from benchmarks.common import begun, keep
from serving.shap import make_explainer

MODELS: dict[str, dict[str, Any]] = {
    "31 leaves": {"num_leaves": 31},
    "15 leaves, depth 6": {"num_leaves": 15, "max_depth": 6},
}


def trained(shape: dict[str, Any]) -> tuple[lgb.Booster, np.ndarray]:
    """400 trees on 6,000 rows of 64 features, 1.8 % missing, and the rows."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6_000, 64))
    values[rng.random(values.shape) < 0.018] = np.nan
    known = np.nan_to_num(values)
    signal = known @ rng.normal(size=64) + 3 * known[:, 0] * known[:, 1] + rng.normal(0, 3, len(values))
    params = {"objective": "binary", "learning_rate": 0.05, "verbosity": -1, "num_threads": 2, "seed": 1, **shape}
    return lgb.train(params, lgb.Dataset(values, (signal > 0).astype(float)), 400), values


def seconds(run: Callable[[], Any], calls: int) -> float:
    """The median of `calls`."""
    times = []
    for _ in range(calls):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def compare(
    theirs: Callable[[], Any], ours: Callable[[], Any], calls: tuple[int, int], rounds: int
) -> dict[str, float]:
    """Medians of both in turn, microseconds, and the ratio of each round: median, lowest, highest."""
    pairs = [(seconds(theirs, calls[0]), seconds(ours, calls[1])) for _ in range(rounds)]
    ratios = [slow / fast for slow, fast in pairs]
    slow, fast = np.median(np.array(pairs), axis=0) * 1e6
    return {
        "lightgbm": float(slow),
        "ours": float(fast),
        "ratio": float(np.median(ratios)),
        "low": min(ratios),
        "high": max(ratios),
    }


def of_model(shape: dict[str, Any], rounds: int) -> dict[str, Any]:
    """One row, and a batch of 160 rows, which LightGBM takes row by row as well."""
    booster, values = trained(shape)
    explainer, one, batch = make_explainer(booster), values[:1], values[:160]
    expected = np.asarray(booster.predict(batch, pred_contrib=True, num_threads=1))
    difference = float(np.abs(explainer.contributions(batch) - expected).max())
    assert difference <= 1e-9, difference

    def both(rows: np.ndarray, calls: tuple[int, int]) -> dict[str, float]:
        return compare(
            lambda: booster.predict(rows, pred_contrib=True, num_threads=1),
            lambda: explainer.contributions(rows),
            calls,
            rounds,
        )

    return {"difference": difference, "one row": both(one, (20, 200)), "160 rows": both(batch, (1, 10))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    run = begun(dt.datetime.now(dt.UTC), (0, 1), "lowest and highest ratio of the rounds")
    found = {name: of_model(shape, rounds) for name, shape in MODELS.items()}
    for name, figures in found.items():
        for what in ("one row", "160 rows"):
            f = figures[what]
            print(
                f"{name}, {what}: LightGBM {f['lightgbm']:,.0f} us, ours {f['ours']:,.0f} us, "
                f"{f['ratio']:.1f}x ({f['low']:.1f} to {f['high']:.1f})"
            )
    print(keep("shap", found, run))


if __name__ == "__main__":
    main()
