"""Exact path-dependent TreeSHAP by quadrature: what each feature adds to a raw score, as LightGBM's pred_contrib says.

Take a leaf of value v whose path asks d features, z_j the share of training rows that feature j's splits let pass and
o_j whether the row at hand passes them. By Owen's multilinear extension (1972) feature i's part of v is

    v (o_i - z_i) * integral over t in [0, 1] of the product over j != i of (z_j + (o_j - z_j) t),

a polynomial of degree d - 1: Gauss and Legendre's rule with d/2 points, rounded up, is exact, and all its weights are
positive. One pass down a tree (products above) and one up (sums below) serve all leaves and features.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

from serving import trees
from serving.trees import Trees
from serving.walk import ZERO, raw_scores

_WIDTH = 8  # numbers side by side: points of one row, or rows at one point
_TOLERANCE = 1e-9
_intrinsic: Any = intrinsic  # its type asks callers for the typing context, which only the compiler passes


class _Lanes(types.Type):
    """_WIDTH doubles in one vector of the processor: left alone, the compiler works on them one by one."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


_lanes = _Lanes()
_vector = ir.VectorType(ir.DoubleType(), _WIDTH)


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, of: Any) -> None:
        super().__init__(manager, of, _vector)


def _arithmetic(symbol: Callable[[Any, Any], Any], instruction: str) -> None:
    """Lanes by lanes, each alone: no sum changes its order and nothing is fused, so a number's bits are its own."""

    @infer_global(symbol)
    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            return signature(_lanes, _lanes, _lanes) if args == (_lanes, _lanes) else None

    @lower_builtin(symbol, _Lanes, _Lanes)
    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args)


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_symbol, _instruction)


def _place(context: Any, builder: Any, array_type: Any, array: Any, place: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    first = builder.mul(place, ir.Constant(place.type, _WIDTH))
    return builder.bitcast(builder.gep(data, [first]), _vector.as_pointer())


@_intrinsic
def _load(typing_context: Any, array: Any, place: Any) -> Any:
    """Lanes number `place` of a contiguous array."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_place(context, builder, sig.args[0], *args), align=8)

    return signature(_lanes, array, types.intp), lower


@_intrinsic
def _store(typing_context: Any, array: Any, place: Any, value: Any) -> Any:
    """Make `value` the lanes number `place` of a contiguous array."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _place(context, builder, sig.args[0], *args[:2]), align=8)
        return context.get_dummy_value()

    return signature(types.void, array, types.intp, _lanes), lower


@_intrinsic
def _all(typing_context: Any, value: Any) -> Any:
    """Lanes that all hold `value`."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        one = builder.insert_element(cgutils.get_null_value(_vector), args[0], ir.IntType(32)(0))
        return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), _WIDTH), [0] * _WIDTH))

    return signature(_lanes, types.float64), lower


@_intrinsic
def _goes_left(typing_context: Any, value: Any, threshold: Any, zero_left: Any, nan_left: Any) -> Any:
    """1 in the lanes where a split lets `value` go left, else 0."""

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value, threshold, zero_left, nan_left = args
        none, one = cgutils.get_null_value(_vector), ir.Constant(_vector, [1.0] * _WIDTH)
        goes = builder.select(builder.fcmp_ordered("<=", value, threshold), one, none)
        goes = builder.select(builder.fcmp_ordered("==", value, none), zero_left, goes)
        return builder.select(builder.fcmp_unordered("uno", value, value), nan_left, goes)

    return signature(_lanes, _lanes, _lanes, _lanes, _lanes), lower


@njit(cache=True, nogil=True)
def _follow(
    splits: np.ndarray, categories: np.ndarray, facts: np.ndarray, sides: np.ndarray, passes: np.ndarray
) -> None:
    """Fill in `passes` for one tree: 1 for each node whose parent's feature let the row pass all the way, else 0.

    `sides` is room for the lanes of one split.
    """
    one = _all(1.0)
    for n in range(splits.shape[0]):
        split = splits[n]
        goes = _goes_left(
            _load(facts, split.feature),
            _all(split.threshold),
            _all(float(split.zero_left)),
            _all(float(split.nan_left)),
        )
        if split.categorical:
            for lane in range(_WIDTH):
                sides[lane] = 0.0
                value = facts[split.feature * _WIDTH + lane]
                if -1.0 < value < 32.0 * split.words:  # NaN and negative numbers go right
                    category = int(value)
                    word = categories[split.first_word + (category >> 5)]
                    sides[lane] = float(word >> (category & 31) & 1)
            goes = _load(sides, 0)
        earlier = _load(passes, split.earlier)
        _store(passes, split.left, earlier * goes)
        _store(passes, split.right, earlier * (one - goes))


@njit(cache=True, nogil=True)
def _integrate(
    splits: np.ndarray,
    passes: np.ndarray,
    factor: np.ndarray,
    inverse: np.ndarray,
    above: np.ndarray,
    below: np.ndarray,
    t: Any,
    weight: Any,
    total: np.ndarray,
    first_total: int,
) -> None:
    """Add what one tree contributes at the points `t` to the lanes of `total` from `first_total` on, one a feature.

    Filled in: `factor`, z + (o - z) t of each split; `inverse`, 1 / that of the earlier split on the same feature;
    `above`, the product of the factors down to a split but for its own feature; `below`, the sum over the leaves below
    a node of value x factors on the way.
    """
    one = _all(1.0)
    rest = one - t
    _store(above, 0, weight)
    for n in range(splits.shape[0]):
        split = splits[n]
        here = _all(split.cover) * rest + _load(passes, n) * t
        product = _load(above, split.parent) * here
        _store(factor, n, here)
        if split.earlier:
            back = one / _load(factor, split.earlier)
            _store(inverse, n, back)
            product = product * back
        _store(above, n, product)
    for n in range(splits.shape[0] - 1, -1, -1):
        split = splits[n]
        left, right = _load(below, split.left), _load(below, split.right)
        closed = _all(split.left_cover) * left + _all(split.right_cover) * right
        gain = _load(passes, split.left) * left + _load(passes, split.right) * right - closed
        both = closed + gain * t
        if split.earlier:
            both = both * _load(inverse, n)
            gain = gain - (_load(passes, split.earlier) - _all(split.earlier_cover)) * both
        _store(below, n, both)
        place = first_total + split.feature
        _store(total, place, _load(total, place) + _load(above, n) * gain)


@njit(cache=True, nogil=True)
def _contributions(
    splits: np.ndarray,
    first: np.ndarray,
    leaves: np.ndarray,
    categories: np.ndarray,
    points: np.ndarray,
    nodes: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
    out: np.ndarray,
) -> None:
    """Add the contributions of `values` (rows, features) to `out`. One row lays _WIDTH points side by side, more rows
    lie side by side themselves; either way the same numbers meet in the same order.
    """
    most = 0
    for tree in range(first.shape[0] - 1):
        most = max(most, 2 * (first[tree + 1] - first[tree]) + 1)
    passes, factor, inverse = np.ones(most * _WIDTH), np.ones(most * _WIDTH), np.ones(most * _WIDTH)
    above, below = np.ones(most * _WIDTH), np.ones(most * _WIDTH)
    facts = np.empty(values.shape[1] * _WIDTH)
    sides = np.empty(_WIDTH)
    total = np.empty((_WIDTH, values.shape[1], _WIDTH))
    flat = total.reshape(-1)
    row = 0
    while row < values.shape[0]:
        together = _WIDTH if values.shape[0] - row >= _WIDTH else 1
        total[:] = 0.0
        for lane in range(_WIDTH):
            for feature in range(values.shape[1]):
                value = values[row + (lane if together > 1 else 0), feature]
                facts[feature * _WIDTH + lane] = 0.0 if abs(value) <= ZERO else value
        for tree in range(first.shape[0] - 1):
            start, count = first[tree], first[tree + 1] - first[tree]
            _follow(splits[start : start + count], categories, facts, sides, passes)
            for leaf in range(count + 1):
                _store(below, count + leaf, _all(leaves[start + tree + leaf]))
            rule = points[tree]
            steps = (rule + _WIDTH - 1) // _WIDTH if together == 1 else rule
            for step in range(steps):
                if together == 1:
                    t, weight = _load(nodes[rule], step), _load(weights[rule], step)
                    slot = 0
                else:
                    t, weight = _all(nodes[rule, step]), _all(weights[rule, step])
                    slot = step % _WIDTH
                _integrate(
                    splits[start : start + count],
                    passes,
                    factor,
                    inverse,
                    above,
                    below,
                    t,
                    weight,
                    flat,
                    slot * values.shape[1],
                )
        for lane in range(together):
            for feature in range(values.shape[1]):
                found = 0.0
                for point in range(_WIDTH):
                    found += total[0, feature, point] if together == 1 else total[point, feature, lane]
                out[row + lane, feature] = found
        row += together


@dataclass(frozen=True, slots=True)
class Explainer:
    """A model's trees with the quadrature rules they need: points `nodes` and `weights` (points + 1, padded)."""

    trees: Trees
    points: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray

    def contributions(self, values: np.ndarray) -> np.ndarray:
        """Contributions of `values` (rows, features) to the raw score, (rows, features + 1), the last column the
        average; one row has the bits it has among many. Raises ValueError on another shape.
        """
        found, model = np.ascontiguousarray(values, np.float64), self.trees
        if found.ndim != 2 or found.shape[1] != model.features:
            raise ValueError(f"expected (rows, {model.features}) values, got shape {found.shape}")
        out = np.empty((len(found), model.features + 1))
        out[:, -1] = model.expected
        _contributions(
            model.splits,
            model.first,
            model.leaves,
            model.categories,
            self.points,
            self.nodes,
            self.weights,
            found,
            out,
        )
        return out

    def raw_scores(self, values: np.ndarray) -> np.ndarray:
        """The raw scores (rows,) of `values` (rows, features), with LightGBM's bits."""
        return raw_scores(self.trees, values)

    def check(self, booster: lgb.Booster, values: np.ndarray) -> None:
        """Raise trees.NotCovered unless `values` are scored with LightGBM's bits and explained as it does, and each
        row alone as among all.
        """
        scored = np.asarray(booster.predict(values, raw_score=True, num_threads=1))
        if self.raw_scores(values).tobytes() != scored.tobytes():
            raise trees.NotCovered("its raw scores differ from LightGBM's")
        found = self.contributions(values)
        expected = np.asarray(booster.predict(values, pred_contrib=True, num_threads=1))
        difference = float(np.abs(found - expected).max(initial=0.0))
        if not difference <= _TOLERANCE:
            raise trees.NotCovered(f"its contributions differ from LightGBM's by {difference:.3g}")
        alone = [self.contributions(row[None]).tobytes() for row in values]
        if b"".join(alone) != found.tobytes():
            raise trees.NotCovered("on this machine a row alone has other bits than among many")


def make_explainer(booster: lgb.Booster) -> Explainer:
    """The explainer of a model. Raises trees.NotCovered where the model is none it can tell all of."""
    model = trees.read(booster)
    points = (model.path_features + 1) // 2
    most = int(points.max(initial=1))
    # A row alone takes _WIDTH points at a time: those too many weigh nothing.
    padded = -(-most // _WIDTH) * _WIDTH
    nodes, weights = np.full((most + 1, padded), 0.5), np.zeros((most + 1, padded))
    for count in range(1, most + 1):
        places, shares = np.polynomial.legendre.leggauss(count)
        nodes[count, :count], weights[count, :count] = (places + 1) / 2, shares / 2
    return Explainer(model, points, nodes, weights)
