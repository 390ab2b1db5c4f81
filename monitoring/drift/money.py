"""Drift in money: with the policy held fixed, what the book would cost if a feature were spread as it was before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from configs.settings import Monitoring, Product
from features.declaration import Expression, Feature, Operation, Series, Statistic
from monitoring.drift.grants import Book, granted
from monitoring.drift.reference import Reference
from monitoring.drift.transport import put_back
from monitoring.drift.windows import Asked, Window
from serving.knock_outs import places
from serving.trees import NotCovered, read
from training.bundle import Bundle
from training.validate import Interval

Kind = Literal["feature", "feed", "group", "all"]
_MEASURES = 4
_SILENT = 0.02  # of rows: where more went missing than that, reference rows are ranked without the feature too
_BLOCKS = 1000  # of customers, which the bootstrap draws
_ZERO = 1.0000000180025095e-35  # what LightGBM takes for zero: 1e-35 as a float


@dataclass(frozen=True, slots=True)
class Effect:
    """What one feature, or several together, changed, in currency over the window; now less put back.

    `expected_loss` is PD x loss given default x limit. `at_stake` is never negative: the expected loss that is
    misstated or has moved, customer by customer, whichever way. A budget for loss hides what a sum would show: where
    PDs halve, limits double, and the expected loss stays.
    """

    subject: str
    kind: Kind
    features: tuple[str, ...]
    at_stake: Interval
    expected_loss: Interval
    approvals: Interval
    limits: Interval
    material: bool


@dataclass(frozen=True, slots=True)
class Money:
    """The book as it stands, and the effects, the most at stake first. `scored` of `rows` rows were drawn."""

    currency: str
    rows: int
    scored: int
    expected_loss: float
    approvals: int
    limits: float
    effects: tuple[Effect, ...]

    @property
    def material(self) -> tuple[Effect, ...]:
        """Those that matter."""
        return tuple(effect for effect in self.effects if effect.material)

    def of(self, feature: str) -> Effect | None:
        """The effect of one feature, None where it did not move."""
        return next((effect for effect in self.effects if effect.kind == "feature" and effect.subject == feature), None)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What stays the same while columns are put back."""

    bundle: Bundle
    product: Product
    values: np.ndarray
    asked: Asked
    reads: Mapping[str, int]
    thresholds: Mapping[int, np.ndarray] | None
    threads: int


def drift_in_money(
    window: Window,
    reference: Reference,
    bundle: Bundle,
    product: Product,
    suspects: Sequence[str],
    settings: Monitoring,
    threads: int = 1,
) -> Money:
    """The effect of each of the features `suspects`, of those that read one raw column, of a group, and of all.

    Only features that moved beyond chance or failed a check should be suspects: of the others the difference is
    noise. Each suspect is put back to the reference's distribution, rank by rank, the model scores anew and the policy
    decides anew. Intervals are of a bootstrap over customers (Efron, 1979); the reference is taken as it is. Raises
    ConfigError where the policy does not fit the model.
    """
    rng = np.random.default_rng(settings.seed)
    drawn = _drawn(len(window), settings.money_rows, rng)
    scene = _scene(window, drawn, bundle, product, threads, bool(suspects))
    stands = _book(scene, scene.values, window.default_probability[drawn])
    back = _put_back_columns(scene, reference, suspects, stands, rng)
    sets = list(_sets(bundle.program.features, suspects))
    books = [_rescored(scene, {name: back[name] for name in features}, stands) for _, _, features in sets]
    factor = len(window) / max(1, len(drawn))
    loss = product.policy.loss_given_default
    measures = np.array([_measures(stands, book, loss) for book in books]).reshape(-1, len(drawn)) * factor
    intervals = _intervals(measures, window.customer_id[drawn], settings.money_draws, rng)
    held = float((stands.default_probability * stands.limit).sum()) * loss * factor
    # A fault may bring the expected loss itself to nothing: what it was without it counts as well.
    former = [held - difference.value for difference in intervals[1::_MEASURES]]
    matters = settings.money_share * max([held, *former])
    effects = [
        _effect(*one, intervals[_MEASURES * place : _MEASURES * (place + 1)], matters) for place, one in enumerate(sets)
    ]
    return Money(
        currency=product.currency,
        rows=len(window),
        scored=len(drawn),
        expected_loss=held,
        approvals=round(float(stands.approved.sum()) * factor),
        limits=float(stands.limit.sum()) * factor,
        effects=tuple(sorted(effects, key=lambda effect: -effect.at_stake.value)),
    )


def _effect(
    subject: str, kind: Kind, features: tuple[str, ...], intervals: Sequence[Interval], matters: float
) -> Effect:
    at_stake, expected_loss, approvals, limits = intervals
    material = at_stake.low > matters
    return Effect(subject, kind, features, at_stake, expected_loss, approvals, limits, material)


def _drawn(rows: int, at_most: int, rng: np.random.Generator) -> np.ndarray:
    return np.arange(rows) if rows <= at_most else np.sort(rng.choice(rows, at_most, replace=False))


def _scene(window: Window, drawn: np.ndarray, bundle: Bundle, product: Product, threads: int, rescored: bool) -> _Scene:
    unsaid = np.full(len(window), np.nan)
    asked = window.asked or Asked(unsaid, unsaid, np.ones(len(window), bool))
    return _Scene(
        bundle=bundle,
        product=product,
        values=window.values[drawn],
        asked=asked.take(drawn),
        reads=places(product.policy, bundle.program.names),
        thresholds=_thresholds(bundle) if rescored else None,
        threads=threads,
    )


def _thresholds(bundle: Bundle) -> Mapping[int, np.ndarray] | None:
    """By feature the values at which the model splits it; None where its trees cannot be read so, or by category."""
    try:
        splits = read(bundle.booster).splits
    except NotCovered:
        return None
    if splits["categorical"].any():
        return None
    return {
        int(place): np.unique(splits["threshold"][splits["feature"] == place]) for place in np.unique(splits["feature"])
    }


def _book(scene: _Scene, values: np.ndarray, default_probability: np.ndarray) -> Book:
    grade = scene.bundle.scale.grade_index(default_probability)
    reads = {name: values[:, place] for name, place in scene.reads.items()}
    return granted(scene.product, default_probability, grade, reads, scene.asked)


def _put_back_columns(
    scene: _Scene, reference: Reference, suspects: Sequence[str], stands: Book, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    names, features, found = list(scene.bundle.program.names), scene.bundle.program.features, {}
    for name in suspects:
        place = names.index(name)
        now, then = scene.values[:, place], reference.values[:, place]
        blind = reference.default_probability
        if np.isnan(now).mean() > np.isnan(then).mean() + _SILENT or _stuck(now):
            without = reference.values.copy()
            without[:, place] = np.nan
            blind = scene.bundle.default_probability(without, scene.threads)
        found[name] = put_back(now, then, stands.default_probability, blind, features[place].direction >= 0, rng)
    return found


def _stuck(now: np.ndarray) -> bool:
    present = now[~np.isnan(now)]
    return len(present) > 0 and bool((present == present[0]).all())


def _rescored(scene: _Scene, columns: Mapping[str, np.ndarray], stands: Book) -> Book:
    """The book with these columns put back. A row that stays in its cell of the model keeps its PD, bit for bit."""
    names = list(scene.bundle.program.names)
    values, changed = scene.values.copy(), np.zeros(len(scene.values), bool)
    for name, column in columns.items():
        place = names.index(name)
        changed |= _other_cell(scene.thresholds, place, scene.values[:, place], column)
        values[:, place] = column
    pds = stands.default_probability.copy()
    if changed.any():
        pds[changed] = scene.bundle.default_probability(values[changed], scene.threads)
    return _book(scene, values, pds)


def _other_cell(
    thresholds: Mapping[int, np.ndarray] | None, place: int, now: np.ndarray, back: np.ndarray
) -> np.ndarray:
    if thresholds is None:
        return ~((now == back) | (np.isnan(now) & np.isnan(back)))
    if place not in thresholds:
        return np.zeros(len(now), bool)
    one, other = (np.searchsorted(thresholds[place], side, side="left") for side in (now, back))
    return (one != other) | (np.isnan(now) != np.isnan(back)) | ((np.abs(now) <= _ZERO) != (np.abs(back) <= _ZERO))


def _measures(now: Book, back: Book, loss_given_default: float) -> list[np.ndarray]:
    """What is at stake, and the differences of expected loss, approvals and limits, (rows,) each."""
    lost, former = now.default_probability * now.limit, back.default_probability * back.limit
    misstated = np.abs(now.default_probability - back.default_probability) * np.maximum(now.limit, back.limit)
    return [
        loss_given_default * np.maximum(np.abs(lost - former), misstated),
        loss_given_default * (lost - former),
        now.approved.astype(float) - back.approved,
        now.limit - back.limit,
    ]


def _intervals(measures: np.ndarray, customer_id: np.ndarray, draws: int, rng: np.random.Generator) -> list[Interval]:
    """The total of each measure (measures, rows), with its interval over customers drawn anew, in blocks of them."""
    if not measures.size:
        return []
    codes = pd.factorize(customer_id)[0]
    count = min(_BLOCKS, int(codes.max()) + 1)
    block = rng.permutation(int(codes.max()) + 1)[codes] % count
    sums = np.array([np.bincount(block, measure, count) for measure in measures])
    weights = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    low, high = np.percentile(weights @ sums.T, [2.5, 97.5], axis=0)
    return [Interval(*map(float, row)) for row in zip(sums.sum(axis=1), low, high, strict=True)]


def _sets(features: Sequence[Feature], suspects: Sequence[str]) -> Iterator[tuple[str, Kind, tuple[str, ...]]]:
    """What is put back: each suspect, those reading one raw column, those of one group, and all; each set once."""
    feeds: dict[str, list[str]] = {}
    groups: dict[str, list[str]] = {}
    for feature in features:
        if feature.name in suspects:
            yield feature.name, "feature", (feature.name,)
            groups.setdefault(feature.group, []).append(feature.name)
            for feed in sorted(set(_feeds(feature.formula))):
                feeds.setdefault(feed, []).append(feature.name)
    seen: set[tuple[str, ...]] = set()
    everything = tuple(feature.name for feature in features if feature.name in suspects)
    several: list[tuple[Kind, dict[str, list[str]]]] = [("all", {"everything that moved": list(everything)})]
    for kind, found in [*several, ("feed", feeds), ("group", groups)]:
        for subject, names in found.items():
            if len(names) > 1 and tuple(names) not in seen:
                seen.add(tuple(names))
                yield subject, kind, tuple(names)


def _feeds(formula: Expression) -> Iterator[str]:
    """The raw columns that a formula reads, as stream.column."""
    if isinstance(formula, Operation):
        yield from _feeds(formula.left)
        yield from _feeds(formula.right)
    elif isinstance(formula, Statistic):
        yield from _columns(formula.series)


def _columns(series: Series) -> Iterator[str]:
    yield f"{series.stream}.{series.numerator}"
    if series.denominator is not None:
        yield f"{series.stream}.{series.denominator}"
