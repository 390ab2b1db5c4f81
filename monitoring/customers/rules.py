"""The features that a product's rules look at: found by name, computed apart from those of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from configs.errors import ConfigError, nearest
from configs.settings import Product
from features import matrix
from features.catalogue import Program, compile_program, product_features
from features.contracts import Columns
from features.declaration import Feature
from serving.score import Scorer

COMPARES = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
"""What a rule's operator means on arrays; a missing value never holds."""


def program_of(scorer: Scorer, names: Sequence[str], where: str) -> Program:
    """The program of the features `names`. Raises ConfigError, naming `where`, for one that the product has not.

    The model's own come first: only they know the categories that it was taught with.
    """
    known = {feature.name: feature for feature in (*_declared(scorer.product), *scorer.bundle.program.features)}
    for name in names:
        if name not in known:
            raise ConfigError(f"{scorer.product.name}: {where}: {name!r} is no feature{nearest(name, known)}")
    return compile_program(tuple(known[name] for name in names))


def _declared(product: Product) -> tuple[Feature, ...]:
    plain = product.model_copy(update={"columns": ()})
    return product_features(plain, {})


def values_of(
    program: Program, tables: Mapping[str, Columns], customer_id: np.ndarray, as_of: np.ndarray
) -> dict[str, np.ndarray]:
    """Each feature of a program by its name, (rows,) each."""
    if not program.features:
        return {}
    values = matrix.build(program, tables, customer_id, as_of)
    return {name: values[:, place] for place, name in enumerate(program.names)}
