"""The scorecard every model is held against: binned, weight of evidence, logistic; readable to the last point.

On scikit-learn and not on optbinning (0.21): that resolves with our lock and works, but brings itself and eleven more
packages (cvxpy, scs, ortools among them), 200 MB, and 15 s of import on a busy machine into every training, for bins
that no benchmark needs optimal.
Words as in Siddiqi (2006): a characteristic is a binned feature; WOE = ln(share of goods / share of bads), above 0 less
risk than average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from sklearn.tree import DecisionTreeClassifier

from features.declaration import Feature
from training.dataset import Dataset
from training.scaling import Scale
from training.validate import Interval, Validation, auc_difference, validate

_BINS = 7  # of a number, missing apart
_SMALLEST = 0.05  # of the rows, in a bin (Siddiqi, 2006, ch. 6)
_FEWEST = 20  # rows without which a bin's WOE is 0: that of the average
_CHARACTERISTICS = 15
_LEAST_INFORMATION = 0.02  # below it a characteristic is not predictive (Siddiqi, 2006, ch. 6)
_CORRELATION = 0.7  # of WOE with that of a better characteristic: the same said twice
_PENALTIES = (0.003, 0.01, 0.1, 1.0, 10.0)  # C of the L2 logistic
_LARGEST = 3e38  # what a float32 can hold, inside the tree


@dataclass(frozen=True, slots=True)
class Bin:
    """An attribute: what it holds, its training rows and defaults, its WOE."""

    holds: str
    rows: int
    defaults: int
    woe: float


@dataclass(frozen=True, slots=True)
class Characteristic:
    """A binned feature: a number lies in the bin of the first of `cuts` that it does not exceed, or in the next.

    A category has a bin of its own where `codes` names it, and else the one after those. The last bin is missing.
    """

    feature: str
    cuts: tuple[float, ...]
    codes: tuple[int, ...]
    bins: tuple[Bin, ...]
    information_value: float
    coefficient: float

    def woe(self, values: np.ndarray) -> np.ndarray:
        """WOE of each value, (rows,)."""
        return np.array([one.woe for one in self.bins])[_places(values, self.cuts, self.codes)]

    @property
    def average_woe(self) -> float:
        """The mean WOE of the training rows."""
        return sum(one.rows * one.woe for one in self.bins) / sum(one.rows for one in self.bins)


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Log-odds of default = intercept - sum of coefficient x WOE; `columns` says which features it reads."""

    intercept: float
    columns: tuple[int, ...]
    characteristics: tuple[Characteristic, ...]

    def log_odds(self, matrix: np.ndarray) -> np.ndarray:
        """Log-odds of default, (rows,), from a feature matrix (rows, features)."""
        total = np.full(len(matrix), self.intercept)
        for column, one in zip(self.columns, self.characteristics, strict=True):
            total -= one.coefficient * one.woe(matrix[:, column])
        return total

    def default_probability(self, matrix: np.ndarray) -> np.ndarray:
        """PD, (rows,)."""
        return expit(self.log_odds(matrix))

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """What each feature adds to the log-odds against the average training row, (rows, features + 1).

        The last column is the log-odds of that average; a row's sum is its own log-odds.
        """
        found = np.zeros((len(matrix), matrix.shape[1] + 1))
        found[:, -1] = self.intercept
        for column, one in zip(self.columns, self.characteristics, strict=True):
            average = one.coefficient * one.average_woe
            found[:, column] = average - one.coefficient * one.woe(matrix[:, column])
            found[:, -1] -= average
        return found

    def table(self, scale: Scale) -> list[dict[str, Any]]:
        """Every attribute with its points; a customer's points are their sum over the characteristics.

        Points of an attribute = factor x coefficient x WOE + (offset - factor x intercept) / characteristics
        (Siddiqi, 2006, ch. 6).
        """
        share = float(scale.points(np.array(self.intercept))) / len(self.characteristics)
        return [
            {"feature": one.feature, **asdict(part), "points": scale.factor * one.coefficient * part.woe + share}
            for one in self.characteristics
            for part in one.bins
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values: all that scoring needs."""
        return asdict(self)


def scorecard_from_json(values: Mapping[str, Any]) -> Scorecard:
    """A scorecard as `to_json` and JSON left it: the same bits."""
    characteristics = tuple(map(_characteristic_from_json, values["characteristics"]))
    return Scorecard(values["intercept"], tuple(values["columns"]), characteristics)


def _characteristic_from_json(values: Mapping[str, Any]) -> Characteristic:
    bins = tuple(Bin(**held) for held in values["bins"])
    return Characteristic(**{**values, "cuts": tuple(values["cuts"]), "codes": tuple(values["codes"]), "bins": bins})


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A scorecard on the rows of the test, and the AUC of the model minus its own there."""

    scorecard: Scorecard
    validation: Validation
    model_minus_scorecard: Interval

    @property
    def model_is_better(self) -> bool:
        """Whether the model beats the scorecard beyond its 95 % interval: if not, the report says so first."""
        return self.model_minus_scorecard.low > 0

    def to_json(self, scale: Scale) -> dict[str, Any]:
        """Plain values, the points table among them."""
        return {
            "model_is_better": self.model_is_better,
            "model_minus_scorecard": asdict(self.model_minus_scorecard),
            "validation": self.validation.to_json(),
            "scorecard": self.scorecard.to_json(),
            "table": self.scorecard.table(scale),
        }


def compare(scorecard: Scorecard, test: Dataset, default_probability: np.ndarray, scale: Scale) -> Benchmark:
    """Judge the scorecard on `test` beside a model's PDs of the same rows, by the paired DeLong interval."""
    own, bad = scorecard.default_probability(test.matrix), test.defaulted.astype(bool)
    return Benchmark(scorecard, validate(own, bad, scale), auc_difference(default_probability, own, bad))


def make_scorecard(data: Dataset, seed: int) -> Scorecard:
    """The scorecard of training rows: declared directions kept, no coefficient negative, at most 15 characteristics."""
    binned = [
        _characteristic(feature, data.matrix[:, place], data.defaulted)
        for place, feature in enumerate(data.program.features)
    ]
    columns = _chosen(binned, data.matrix)
    woe = np.column_stack([binned[place].woe(data.matrix[:, place]) for place in columns])
    intercept, coefficients = _logistic(-woe, data.defaulted, data.customer_id, seed)
    while len(columns) > 1 and coefficients.min() <= 0:  # a negative one would say the opposite of its bins
        worst = int(coefficients.argmin())
        del columns[worst]
        woe = np.delete(woe, worst, axis=1)
        intercept, coefficients = _logistic(-woe, data.defaulted, data.customer_id, seed)
    if coefficients.min() <= 0:
        intercept, coefficients = float(logit(data.defaulted.mean())), np.zeros(1)
    weighed = [replace(binned[place], coefficient=float(b)) for place, b in zip(columns, coefficients, strict=True)]
    return Scorecard(intercept, tuple(columns), tuple(weighed))


def _characteristic(feature: Feature, values: np.ndarray, defaulted: np.ndarray) -> Characteristic:
    known = ~np.isnan(values)
    cuts: tuple[float, ...] = ()
    codes: tuple[int, ...] = ()
    if feature.categories:
        named, rows = np.unique(values[known].astype(int), return_counts=True)
        codes = tuple(map(int, named[rows >= max(_FEWEST, _SMALLEST * len(values))]))
        holds = [*(feature.categories[code] for code in codes), "any other"]
    else:
        cuts = _cuts(values[known], defaulted[known], feature.direction)
        bounds = ["-inf", *(f"{cut:.6g}" for cut in cuts), "inf"]
        holds = [f"({low}, {high}]" for low, high in pairwise(bounds)]
    rows, defaults = _counts(_places(values, cuts, codes), defaulted, len(holds) + 1)
    woe, information = weight_of_evidence(rows, defaults)
    few = rows < _FEWEST
    if not feature.categories:
        few[:-1] = False  # the bins of a number are large enough, and in order
    woe[few] = 0.0
    counted = zip([*holds, "missing"], rows.tolist(), defaults.tolist(), woe.tolist(), strict=True)
    return Characteristic(feature.name, cuts, codes, tuple(Bin(*one) for one in counted), float(information.sum()), 0.0)


def _places(values: np.ndarray, cuts: Sequence[float], codes: Sequence[int]) -> np.ndarray:
    """The bin of each value, (rows,)."""
    if codes:
        place = np.argmax(np.column_stack([*(values == code for code in codes), np.ones(len(values), bool)]), axis=1)
    else:
        place = np.searchsorted(np.array(cuts, float), values, side="left")
    return np.where(np.isnan(values), max(len(cuts), len(codes)) + 1, place)


def _counts(place: np.ndarray, defaulted: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    return np.bincount(place, minlength=bins), np.bincount(place, defaulted, bins).astype(int)


def weight_of_evidence(rows: np.ndarray, defaults: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """WOE of each bin and what it adds to the information value (Siddiqi, 2006, ch. 6); of none, half a row."""
    goods, bads = np.maximum(rows - defaults, 0.5), np.maximum(defaults, 0.5)
    good_share, bad_share = goods / (rows - defaults).sum(), bads / defaults.sum()
    woe = np.where(rows > 0, np.log(good_share / bad_share), 0.0)
    return woe, (good_share - bad_share) * woe


def _cuts(values: np.ndarray, defaulted: np.ndarray, direction: int) -> tuple[float, ...]:
    """Where a tree cuts the known values; cuts between bins that are empty, or against the direction, are taken out."""
    if len(values) < 2 * _FEWEST:
        return ()
    smallest = max(_FEWEST, int(np.ceil(_SMALLEST * len(values))))
    tree = DecisionTreeClassifier(
        max_leaf_nodes=_BINS, min_samples_leaf=smallest, monotonic_cst=[direction], random_state=0
    ).fit(np.clip(values, -_LARGEST, _LARGEST)[:, None], defaulted)
    cuts = np.unique(tree.tree_.threshold[tree.tree_.feature >= 0])
    while len(cuts):
        rows, defaults = _counts(np.searchsorted(cuts, values, side="left"), defaulted, len(cuts) + 1)
        odds = np.maximum(defaults, 0.5) / np.maximum(rows - defaults, 0.5)
        wrong = (rows[:-1] == 0) | (rows[1:] == 0)
        if direction:
            wrong |= direction * np.diff(odds) <= 0
        if not wrong.any():
            break
        cuts = np.delete(cuts, wrong.argmax())
    return tuple(map(float, cuts))


def _chosen(binned: Sequence[Characteristic], matrix: np.ndarray) -> list[int]:
    """The columns of the most informative characteristics that do not repeat a better one; at least one."""
    order = sorted(range(len(binned)), key=lambda place: -binned[place].information_value)
    informative = [place for place in order if binned[place].information_value >= _LEAST_INFORMATION]
    kept: list[int] = []
    standard: list[np.ndarray] = []
    for place in informative or order[:1]:
        woe = binned[place].woe(matrix[:, place])
        spread = float(woe.std())
        line = (woe - woe.mean()) / spread if spread > 0 else woe * 0.0
        if all(abs(float((line * other).mean())) <= _CORRELATION for other in standard):
            kept.append(place)
            standard.append(line)
        if len(kept) == _CHARACTERISTICS:
            break
    return kept


def _logistic(
    columns: np.ndarray, defaulted: np.ndarray, customer_id: np.ndarray, seed: int
) -> tuple[float, np.ndarray]:
    """Intercept and coefficients under the L2 penalty with the least log-loss in folds by customer."""
    customer = np.unique(customer_id.astype(str), return_inverse=True)[1]  # scikit-learn takes minutes over objects
    folds = list(GroupKFold(5, shuffle=True, random_state=seed).split(columns, defaulted, customer))

    def loss(penalty: float) -> float:
        told = np.zeros(len(defaulted))
        for learn, judge in folds:
            line = LogisticRegression(C=penalty).fit(columns[learn], defaulted[learn])
            told[judge] = line.predict_proba(columns[judge])[:, 1]
        return float(log_loss(defaulted, told))

    best = LogisticRegression(C=min(_PENALTIES, key=loss)).fit(columns, defaulted)
    return float(best.intercept_[0]), best.coef_[0]
