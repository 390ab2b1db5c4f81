"""The one door to protected attributes: which group each judged row belongs to, for the fairness report alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from configs.errors import DataError
from configs.settings import plain_name
from features.contracts import Columns
from features.history import replaced_on

UNKNOWN = ""
"""The group of a row of which nothing is recorded; it is counted and never compared."""


def groups_of(protected: Columns, customer_id: np.ndarray, now: int) -> dict[str, np.ndarray]:
    """The group of each row (rows,) by attribute, as last known at `now` (days since 1970); UNKNOWN where none is."""
    codes = protected["customer_id"].codes
    newest = (protected["known_time"] <= now) & (replaced_on(protected, ("attribute",), codes) > now)
    ids, attribute, group = (
        protected[name].take(newest).to_objects() for name in ("customer_id", "attribute", "group")
    )
    found = {}
    for name in sorted(set(attribute)):
        here = attribute == name
        known = pd.Series(group[here], index=ids[here])
        found[name] = known.reindex(customer_id).fillna(UNKNOWN).to_numpy(object)
    return found


def joined(
    product: str, tables: Mapping[str, Columns], features: Sequence[str], customer_id: np.ndarray, now: int
) -> dict[str, np.ndarray]:
    """`groups_of` for a product that lists `protected`.

    Raises DataError where the table is absent, and where an attribute is a feature of the model too.
    """
    if "protected" not in tables:
        raise DataError(
            f"{product}: lists the table 'protected', and the data hold none; bring it, or take it off `tables` "
            "and know that fairness is then not measured"
        )
    groups = groups_of(tables["protected"], customer_id, now)
    both = sorted({plain_name(name) for name in groups} & {plain_name(name) for name in features})
    if both:
        raise DataError(f"{product}: protected, and a feature too: {', '.join(both)}; name it under `deny`")
    return groups


def newest_row_each(customer_id: np.ndarray, as_of: np.ndarray) -> np.ndarray:
    """The positions of each customer's newest row, in order: a person asked twice is no two independent persons."""
    order = np.argsort(as_of, kind="stable")
    _, last = np.unique(customer_id[order][::-1].astype(str), return_index=True)
    return np.sort(order[::-1][last])
