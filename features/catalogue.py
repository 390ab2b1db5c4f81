"""Which features a product has, compiled into the program that the kernel runs, with the hash that names it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from configs.errors import ConfigError, nearest
from configs.settings import ColumnSpec, Product, plain_name
from features import behavioral, bureau, financial, kernel, management, operating
from features.contracts import Columns, Text
from features.declaration import Constant, Expression, Feature, Operation, Series, Statistic
from features.history import STREAMS, Derive, Stream

DECLARED: tuple[Feature, ...] = (
    *financial.FEATURES,
    *operating.FEATURES,
    *behavioral.FEATURES,
    *bureau.FEATURES,
    *management.FEATURES,
)


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What the kernel reads of one stream: arrays as `kernel.reduce_stream` takes them."""

    name: str
    stream: Stream
    columns: tuple[str, ...]
    numerator: np.ndarray
    denominator: np.ndarray
    fold: np.ndarray
    deviation: np.ndarray
    slope: np.ndarray
    first_panel: np.ndarray
    window: np.ndarray
    first_leaf: np.ndarray
    statistic: np.ndarray
    slot: np.ndarray


@dataclass(frozen=True, slots=True)
class Program:
    """A product's features, compiled: the same for one request and for millions."""

    features: tuple[Feature, ...]
    months: tuple[int, ...]
    plans: tuple[StreamPlan, ...]
    slots: int
    operation: np.ndarray
    argument: np.ndarray
    constants: np.ndarray
    first_step: np.ndarray
    digest: str

    @property
    def names(self) -> tuple[str, ...]:
        """The matrix's columns, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def tables(self) -> tuple[str, ...]:
        """The raw tables it reads."""
        return tuple(sorted({plan.stream.table for plan in self.plans}))


def column_features(columns: Sequence[ColumnSpec], categories: Mapping[str, Sequence[str]]) -> list[Feature]:
    """The flat columns of a product as features: the last known value, a category as its code."""
    return [
        Feature(
            name=column.name,
            group="column",
            formula=Statistic(Series("facts", column.name), "last", 0),
            meaning=f"Last known value of the column {column.name!r}.",
            unit=column.unit or ("category" if column.kind == "category" else "number"),
            risk=column.risk,
            reason=column.reason or column.name.replace("_", " ").capitalize(),
            reason_zh=column.reason_zh or column.reason or column.name,
            categories=tuple(categories.get(column.name, ())),
        )
        for column in columns
    ]


def product_features(product: Product, categories: Mapping[str, Sequence[str]]) -> tuple[Feature, ...]:
    """The features of `product`: its groups, on the tables it has, without what it denies.

    `categories` gives each category column its values, as seen in training. Raises ConfigError where a column is
    named like a declared feature, and where nothing is left.
    """
    flat = column_features(product.columns, categories) if "column" in product.groups else []
    declared = [item for item in DECLARED if item.group in product.groups and tables_of(item) <= set(product.tables)]
    denied = product.denied()  # `Marital Status` is marital_status
    features = [item for item in (*declared, *flat) if not denied & {item.name, plain_name(item.name)}]
    if not features:
        raise ConfigError(f"{product.name}: no feature is left; check groups, tables, columns and deny")
    clash = sorted({item.name for item in declared} & {item.name for item in flat})
    if clash:
        raise ConfigError(f"{product.name}: columns named like features of the house: {', '.join(clash)}")
    return tuple(features)


def tables_of(feature: Feature) -> set[str]:
    """The raw tables that a feature reads. The stream of flat columns is each product's own, its table is not."""
    streams = {leaf.series.stream for leaf in _leaves(feature.formula)}
    return {name if name == "facts" else STREAMS[name].table for name in streams}


def _leaves(expression: Expression) -> list[Statistic]:
    if isinstance(expression, Statistic):
        return [expression]
    if isinstance(expression, Operation):
        return _leaves(expression.left) + _leaves(expression.right)
    return []


def facts_stream(features: Sequence[Feature]) -> Stream:
    """The stream of a product's flat columns; a category becomes its position among the known ones, else missing."""
    columns = {item.name: _column(item) for item in features if item.group == "column"}
    return Stream("facts", lambda table: table["date"], columns, restates=("date",), fold="each")


def _column(feature: Feature) -> Derive:
    codes = {value: float(code) for code, value in enumerate(feature.categories)}

    def coded(table: Columns) -> np.ndarray:
        values = table[feature.name]
        return values.mapped(codes) if isinstance(values, Text) else values

    return coded


def compile_program(features: tuple[Feature, ...]) -> Program:
    """The program of `features`: each distinct series and window is reduced once."""
    streams = {**STREAMS, "facts": facts_stream(features)}
    leaves = list(dict.fromkeys(leaf for item in features for leaf in _leaves(item.formula)))
    months = tuple(sorted({leaf.months for leaf in leaves}))
    slot_of = {leaf: slot for slot, leaf in enumerate(leaves)}
    plans = tuple(
        _plan(name, stream, [leaf for leaf in leaves if leaf.series.stream == name], months, slot_of)
        for name, stream in streams.items()
        if any(leaf.series.stream == name for leaf in leaves)
    )
    steps: list[tuple[int, int]] = []
    constants: list[float] = []
    first_step = [0]
    for item in features:
        _emit(item.formula, slot_of, steps, constants)
        first_step.append(len(steps))
    code = np.array(steps, np.int64).reshape(-1, 2)
    return Program(
        features=features,
        months=months,
        plans=plans,
        slots=len(leaves),
        operation=code[:, 0].copy(),
        argument=code[:, 1].copy(),
        constants=np.array(constants or [0.0]),
        first_step=np.array(first_step),
        digest=_digest(features, plans),
    )


def _plan(
    name: str,
    stream: Stream,
    leaves: list[Statistic],
    months: tuple[int, ...],
    slot_of: Mapping[Statistic, int],
) -> StreamPlan:
    series = tuple(dict.fromkeys(leaf.series for leaf in leaves))
    columns = tuple(dict.fromkeys(part for item in series for part in (item.numerator, item.denominator) if part))
    # A window of 0 months is all the past, the longest of all.
    panels = [
        (item, count)
        for item in series
        for count in sorted({leaf.months for leaf in leaves if leaf.series == item}, key=lambda n: (n == 0, n))
    ]
    grouped = [[leaf for leaf in leaves if (leaf.series, leaf.months) == panel] for panel in panels]
    ordered = [leaf for group in grouped for leaf in group]

    def asked(statistic: str) -> np.ndarray:
        return np.array([any(leaf.series == item and leaf.name == statistic for leaf in leaves) for item in series])

    return StreamPlan(
        name=name,
        stream=stream,
        columns=columns,
        numerator=np.array([columns.index(item.numerator) for item in series]),
        denominator=np.array([columns.index(item.denominator) if item.denominator else -1 for item in series]),
        fold=np.array([kernel.FOLDS.index(stream.fold_of(item.numerator)) for item in series]),
        deviation=asked("deviation"),
        slope=asked("slope"),
        first_panel=np.searchsorted([series.index(item) for item, _ in panels], np.arange(len(series) + 1)),
        window=np.array([months.index(count) for _, count in panels]),
        first_leaf=np.cumsum([0, *(len(group) for group in grouped)]),
        statistic=np.array([kernel.STATISTICS.index(leaf.name) for leaf in ordered]),
        slot=np.array([slot_of[leaf] for leaf in ordered]),
    )


def _emit(
    formula: Expression,
    slot_of: Mapping[Statistic, int],
    steps: list[tuple[int, int]],
    constants: list[float],
) -> None:
    if isinstance(formula, Operation):
        _emit(formula.left, slot_of, steps, constants)
        _emit(formula.right, slot_of, steps, constants)
        steps.append((kernel.OPERATIONS.index(formula.name), 0))
    elif isinstance(formula, Statistic):
        steps.append((kernel.OPERATIONS.index("statistic"), slot_of[formula]))
    elif isinstance(formula, Constant):
        steps.append((kernel.OPERATIONS.index("constant"), len(constants)))
        constants.append(formula.value)


def describe(feature: Feature) -> dict[str, Any]:
    """A feature's declaration as JSON values: what the bundle stores and the program hash covers."""
    return {
        "name": feature.name,
        "group": feature.group,
        "formula": str(feature.formula),
        "meaning": feature.meaning,
        "unit": feature.unit,
        "risk": feature.risk,
        "reason": feature.reason,
        "reason_zh": feature.reason_zh,
        "low": feature.low if np.isfinite(feature.low) else None,
        "high": feature.high if np.isfinite(feature.high) else None,
        "categories": list(feature.categories),
    }


def _digest(features: Sequence[Feature], plans: Sequence[StreamPlan]) -> str:
    streams = {plan.name: [plan.stream.table, plan.stream.restates, plan.fold.tolist(), plan.columns] for plan in plans}
    truth = {"kernel": kernel.VERSION, "streams": streams, "features": [describe(item) for item in features]}
    return hashlib.sha256(json.dumps(truth, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def features_named(descriptions: Sequence[Mapping[str, Any]]) -> tuple[Feature, ...]:
    """The features a bundle lists, as this installation declares them; ConfigError for one it does not have."""
    known = {item.name: item for item in DECLARED}
    found = []
    for described in descriptions:
        name = described["name"]
        if described["group"] == "column":
            spec = ColumnSpec(
                name=name,
                kind="category" if described["unit"] == "category" else "number",
                risk=described["risk"],
                unit=described["unit"],
                reason=described["reason"],
                reason_zh=described["reason_zh"],
            )
            found += column_features([spec], {name: described["categories"]})
        elif name in known:
            found.append(known[name])
        else:
            raise ConfigError(f"feature {name!r} is not declared here{nearest(name, known)}")
    return tuple(found)
