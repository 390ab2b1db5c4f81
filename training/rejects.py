"""What the declined would have done: a band and its bounds, never one number, for nobody saw it.

Each method adds an assumption that the data cannot test; without one only the bounds hold (Manski, 1989). None of
the figures trains the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from scipy.special import expit
from sklearn.model_selection import StratifiedGroupKFold

from configs.errors import DataError
from configs.settings import Product, RejectInference
from features import matrix
from features.catalogue import Program
from features.contracts import Columns
from features.declaration import Feature
from features.outcome import window_end
from training import fit
from training.all_who_asked import Bound, auc_bounds, expected_auc, through_the_door
from training.calibrate import platt
from training.dataset import Dataset
from training.validate import Interval, auc_interval


@dataclass(frozen=True, slots=True)
class Method:
    """One method: the default rate of all who asked, of the declined alone, and the AUC of the model among all."""

    name: str
    assumes: str
    default_rate: Interval
    declined_default_rate: float
    auc: float


@dataclass(frozen=True, slots=True)
class RejectBand:
    """The figures of every method, the band they span, and the bounds beyond which nothing can lie."""

    accepted: int
    declined: int
    accepted_default_rate: float
    methods: tuple[Method, ...]
    default_rate_band: Bound
    default_rate_bounds: Bound
    auc_band: Bound
    auc_bounds: Bound

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"basis": "a band, never a number: no method is the answer", **asdict(self)}

    def table(self) -> list[dict[str, str]]:
        """One row of words for each method, then the band and the bounds."""
        rows = [(m.name, m.assumes, _told(m.default_rate), f"{m.auc:.4f}") for m in self.methods]
        rows.append(("band", "one of the methods is near", _told(self.default_rate_band), _told(self.auc_band, 4)))
        rows.append(("bounds", "nothing", _told(self.default_rate_bounds), _told(self.auc_bounds, 4)))
        return [dict(zip(("method", "assumes", "default rate of all", "AUC"), row, strict=True)) for row in rows]


def declined_rows(product: Product, tables: Mapping[str, Columns], program: Program, now: int) -> np.ndarray:
    """The features (declined, features) of who was declined, was never observed, and whose window has closed by `now`.

    Raises DataError where the product lists the table `declined` and the data hold none.
    """
    if "declined" not in tables:
        raise DataError(f"{product.name}: lists the table 'declined', and the data hold none; bring it, or take it off")
    declined, outcomes = tables["declined"], tables["outcomes"]
    closed = (window_end(declined["as_of"], product.outcome.window_months) <= now) & (declined["known_time"] <= now)
    customers = declined["customer_id"].to_objects()
    seen = set(zip(outcomes["customer_id"].to_objects(), outcomes["as_of"].tolist(), strict=True))
    unseen = np.array([key not in seen for key in zip(customers, declined["as_of"].tolist(), strict=True)], bool)
    rows = np.flatnonzero(closed & unseen)
    return matrix.build(program, tables, customers[rows], declined["as_of"][rows])


def infer(
    accepted: Dataset,
    declined: np.ndarray,
    params: Mapping[str, Any],
    rounds: int,
    settings: RejectInference,
    seed: int,
    threads: int,
) -> RejectBand:
    """The band for `accepted` and the matrix of the `declined`; the model is refitted with `params` and `rounds`.

    Accepted rows are scored out of fold, so that their PDs are as honest as those of the declined. Raises DataError
    where nobody was declined.
    """
    if not len(declined):
        raise DataError("nobody was declined, or no window of the declined has closed: there is nothing to infer")
    bad = accepted.defaulted.astype(bool)
    ours, theirs = _scored(accepted, declined, params, rounds, settings.folds, seed, threads)
    refitted = fuzzy(accepted, declined, theirs, params, rounds, seed, threads)
    neutral, prudent = settings.parcelling_factors.low, settings.parcelling_factors.high
    guesses = [
        ("accept-only", "the accepted alone tell how risk lies in the features", theirs),
        *(
            (
                f"parcelling x {factor:g}",
                f"in one score band the declined default {factor:g} times as often",
                parcelled(ours, bad, theirs, settings.bands, factor),
            )
            for factor in (neutral, prudent)
        ),
        ("fuzzy augmentation", "as accept-only, each declined row taught as part good, part bad", refitted),
    ]
    methods = tuple(_method(name, assumes, ours, bad, theirs, chance) for name, assumes, chance in guesses)
    defaults, rows = int(bad.sum()), len(bad) + len(declined)
    bounds = Bound(defaults / rows, (defaults + len(declined)) / rows)
    aucs = [method.auc for method in methods]
    return RejectBand(
        accepted=len(bad),
        declined=len(declined),
        accepted_default_rate=defaults / len(bad),
        methods=methods,
        default_rate_band=_spanned([method.default_rate for method in methods], bounds),
        default_rate_bounds=bounds,
        auc_band=Bound(min(aucs), max(aucs)),
        auc_bounds=auc_bounds(ours, bad, theirs),
    )


def parcelled(accepted: np.ndarray, bad: np.ndarray, declined: np.ndarray, bands: int, factor: float) -> np.ndarray:
    """The chance of default of each declined row: `factor` x the default rate of the accepted in its score band.

    Bands hold equally many of the accepted; who scores beyond them all falls into the last (Siddiqi, 2006, ch. 6).
    """
    edges = np.unique(np.quantile(accepted, np.linspace(0, 1, bands + 1)[1:-1]))
    ours = np.searchsorted(edges, accepted, side="right")
    rows, defaults = (np.bincount(ours, weights, len(edges) + 1) for weights in (None, bad))
    rates = np.divide(defaults, rows, out=np.full(len(rows), bad.mean()), where=rows > 0)
    return np.minimum(1.0, factor * rates[np.searchsorted(edges, declined, side="right")])


def fuzzy(
    accepted: Dataset,
    declined: np.ndarray,
    chance: np.ndarray,
    params: Mapping[str, Any],
    rounds: int,
    seed: int,
    threads: int,
) -> np.ndarray:
    """PDs of the declined by a model taught each of them twice, as bad with weight `chance` and as good with the rest.

    It adds no information (Hand and Henley, 1993, 4.3): that it moves little from accept-only is what it shows.
    """
    features = accepted.program.features
    rows = np.concatenate([accepted.matrix, declined, declined])
    label = np.concatenate([accepted.defaulted, np.ones(len(declined)), np.zeros(len(declined))])
    weight = np.concatenate([np.ones(len(accepted)), chance, 1 - chance])
    everything = {**fit.fixed_parameters(features, seed, threads), **params}
    taught = fit.to_lightgbm(rows, label, features).set_weight(weight)
    booster = lgb.train(everything, taught, num_boost_round=rounds)
    return expit(fit.raw_score(booster, declined, threads))


def _scored(
    accepted: Dataset,
    declined: np.ndarray,
    params: Mapping[str, Any],
    rounds: int,
    folds: int,
    seed: int,
    threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """PDs of the accepted, out of fold by customer, and of the declined by a model of all accepted."""
    features: Sequence[Feature] = accepted.program.features
    raw_score = np.empty(len(accepted))
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for learn, judge in parts.split(accepted.matrix, accepted.defaulted, accepted.customer_id):
        booster = fit.fit(accepted.matrix[learn], accepted.defaulted[learn], features, params, rounds, seed, threads)
        raw_score[judge] = fit.raw_score(booster, accepted.matrix[judge], threads)
    calibration = platt(raw_score, accepted.defaulted)
    whole = fit.fit(accepted.matrix, accepted.defaulted, features, params, rounds, seed, threads)
    theirs = calibration.default_probability(fit.raw_score(whole, declined, threads))
    return calibration.default_probability(raw_score), theirs


def _method(
    name: str, assumes: str, ours: np.ndarray, bad: np.ndarray, theirs: np.ndarray, chance: np.ndarray
) -> Method:
    auc = auc_interval(ours, bad).value if name == "accept-only" else expected_auc(ours, bad, theirs, chance)
    return Method(name, assumes, through_the_door(bad, chance), float(chance.mean()), auc)


def _spanned(rates: Sequence[Interval], bounds: Bound) -> Bound:
    low, high = min(rate.low for rate in rates), max(rate.high for rate in rates)
    return Bound(max(low, bounds.low), min(high, bounds.high))


def _told(found: Interval | Bound, digits: int = 3) -> str:
    span = f"{found.low:.{digits}f} to {found.high:.{digits}f}"
    return f"{found.value:.{digits}f} ({span})" if isinstance(found, Interval) else span
