"""Exact path-dependent TreeSHAP by quadrature: what each feature adds to a raw score, as LightGBM's pred_contrib says.

Take a leaf of value v whose path asks d features, z_j the share of training rows that feature j's splits let pass and
o_j whether the row at hand passes them. By Owen's multilinear extension (1972) feature i's part of v is

    v (o_i - z_i) * integral over t in [0, 1] of the product over j != i of (z_j + (o_j - z_j) t),

a polynomial of degree d - 1: Gauss and Legendre's rule with d/2 points, rounded up, is exact, and all its weights are
positive. One pass down a tree (products above) and one up (sums below) serve all leaves and features.
"""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from serving import trees
from serving.quadrature import POINTS, contributions
from serving.trees import Trees
from serving.walk import raw_scores

_TOLERANCE = 1e-9


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
        contributions(
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
    # A row alone takes POINTS points at a time: those too many weigh nothing.
    padded = -(-most // POINTS) * POINTS
    nodes, weights = np.full((most + 1, padded), 0.5), np.zeros((most + 1, padded))
    for count in range(1, most + 1):
        places, shares = np.polynomial.legendre.leggauss(count)
        nodes[count, :count], weights[count, :count] = (places + 1) / 2, shares / 2
    return Explainer(model, points, nodes, weights)
