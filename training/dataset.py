"""Matured outcomes and their features, split so that nothing which judges a model ever taught it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from configs.errors import DataError
from configs.settings import Product, Training
from features import catalogue, matrix, outcome
from features.catalogue import Program
from features.contracts import Columns, Text, iso
from features.load import categories_of
from features.outcome import Clock


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row per matured (customer, as_of): `matrix` (rows, features) float64, `defaulted` (rows,) 0 or 1.

    `group` (rows,) names the customers that belong together; without it each stands alone.
    """

    program: Program
    matrix: np.ndarray
    defaulted: np.ndarray
    customer_id: np.ndarray
    as_of: np.ndarray
    immature: int
    clock: Clock = field(default_factory=Clock)
    group: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.defaulted)

    def kin(self) -> np.ndarray:
        """What must stay on one side of every split, (rows,) str: the group where there is one, else the customer."""
        return self.customer_id if self.group is None else np.where(self.group == "", self.customer_id, self.group)

    def take(self, rows: np.ndarray) -> Dataset:
        """The dataset of these rows."""
        return Dataset(
            self.program,
            self.matrix[rows],
            self.defaulted[rows],
            self.customer_id[rows],
            self.as_of[rows],
            self.immature,
            self.clock,
            None if self.group is None else self.group[rows],
        )


@dataclass(frozen=True, slots=True)
class Split:
    """Two datasets that share no customer and no group; `by_time`: the test lies later than what trains.

    `train` tunes, fits and, out of fold, calibrates.
    """

    train: Dataset
    test: Dataset
    by_time: bool


def assemble(product: Product, tables: Mapping[str, Columns], now: int) -> Dataset:
    """The features of every outcome matured at `now` (days since 1970).

    A feature that is missing in every row is left out of the program: a feed this lender does not have. Raises
    DataError where no outcome has matured or only one class is there.
    """
    if "outcomes" not in tables:
        raise DataError(f"{product.name}: no outcomes table; training needs what became of the customers")
    labels = outcome.matured(tables["outcomes"], product.outcome, now)
    _require_both_classes(labels, product, now)
    features = catalogue.product_features(product, categories_of(product, tables.get("facts")))
    program = catalogue.compile_program(features)
    values = matrix.build(program, tables, labels.customer_id, labels.as_of)
    present = ~np.isnan(values).all(axis=0)
    if not present.all():
        kept = tuple(item for item, there in zip(features, present, strict=True) if there)
        if not kept:
            raise DataError(f"{product.name}: every feature is missing in every row; check tables and dates")
        program, values = catalogue.compile_program(kept), np.ascontiguousarray(values[:, present])
    return Dataset(
        program,
        values,
        labels.defaulted,
        labels.customer_id,
        labels.as_of,
        labels.immature,
        labels.clock,
        groups(labels.customer_id, tables["customers"], now) if "customers" in tables else None,
    )


def groups(customer_id: np.ndarray, customers: Columns, now: int) -> np.ndarray:
    """The group each customer was last known to belong to at `now`, (rows,) str; empty where it has none.

    The newest for all its rows: by the group of each as_of, a customer that moved would stand on two sides.
    """
    known = np.flatnonzero(customers["known_time"] <= now)
    order = known[np.argsort(customers["known_time"][known], kind="stable")]
    rows = pd.Series(customers["group_id"].take(order).to_objects(), customers["customer_id"].take(order).to_objects())
    newest = rows[~rows.index.duplicated(keep="last")]
    return np.asarray(newest.reindex(customer_id).fillna(""), object)


def _require_both_classes(labels: outcome.Labels, product: Product, now: int) -> None:
    if not len(labels):
        raise DataError(
            f"{product.name}: none of the {labels.immature} outcomes has matured by {iso(now)} "
            f"(window {product.outcome.window_months} months)"
        )
    bad = int(labels.defaulted.sum())
    if bad in (0, len(labels)):
        raise DataError(
            f"{product.name}: the label has a single class ({bad} defaults in {len(labels)} matured rows); "
            "a model needs both"
        )


def split(data: Dataset, settings: Training) -> Split:
    """By customer (of a group: all its customers together) always, by time where there are at least four dates.

    A customer's side depends on its id (or its group's) and the seed alone, so it stays there when data grow, and a
    champion was never taught by a row that judges its challenger. With dates, the test takes the latest of them.
    Raises DataError where a part has fewer defaults than a model can be judged by.
    """
    parts, by_time = sides(data.as_of, data.defaulted, is_test(data, settings), settings)
    taken = {name: data.take(np.flatnonzero(rows)) for name, rows in parts.items()}
    return Split(**taken, by_time=by_time)


def sides(
    as_of: np.ndarray, defaulted: np.ndarray, tests: np.ndarray, settings: Training
) -> tuple[dict[str, np.ndarray], bool]:
    """Of rows (rows,) each, with `tests` as `is_test` says: who is in `train` and in `test`, and whether by time.

    Raises DataError as `split` does.
    """
    dates = np.unique(as_of)
    by_time = len(dates) >= 4
    early = np.ones(len(as_of), bool)
    if by_time:
        late_dates = max(1, round(len(dates) * settings.out_of_time_share))
        early = as_of < dates[-late_dates]
    parts = {"train": ~tests & early, "test": tests & ~early if by_time else tests}
    for name, rows in parts.items():
        bad = int(defaulted[rows].sum())
        needed = settings.minimum_defaults if name == "train" else max(5, settings.minimum_defaults // 3)
        if bad < needed or bad > rows.sum() - needed:
            raise DataError(
                f"{name} rows: {bad} defaults among {int(rows.sum())}; at least {needed} of each class are needed. "
                "Bring more matured outcomes, or lower training.minimum_defaults and know what that means"
            )
    return parts, by_time


def is_test(data: Dataset, settings: Training) -> np.ndarray:
    """Whether the customer (or group) of each row stands on the test side, (rows,)."""
    return customer_draw(data.kin(), settings.seed) < settings.test_share


def customer_draw(customer_id: np.ndarray, seed: int) -> np.ndarray:
    """A number in [0, 1) for each customer, from id and seed alone: stable across runs, orders and growth."""
    ids, position = np.unique(customer_id.astype(str), return_inverse=True)
    digests = b"".join(hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest() for name in ids)
    return (np.frombuffer(digests, ">u8") / 2.0**64)[position]


def digest(tables: Mapping[str, Columns]) -> str:
    """SHA-256 of the checked tables: the data a model was made of, whatever file format they came in."""
    total = hashlib.sha256()
    for name in sorted(tables):
        for column in sorted(tables[name]):
            values = tables[name][column]
            total.update(f"{name}.{column}:".encode())
            if isinstance(values, Text):
                total.update("\x1f".join(values.to_objects()).encode())
            else:
                total.update(np.ascontiguousarray(values).view(np.uint8).data)
    return total.hexdigest()
