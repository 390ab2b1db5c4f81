"""How a feature is declared: one function whose parameters are the streams it reads and whose body is the formula."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from configs.settings import Group, Risk
from features.history import STREAMS
from features.kernel import STATISTICS


class Expression:
    """A number per (customer, as_of): arithmetic on statistics; dividing by zero or less gives missing."""

    def __add__(self, other: Expression | float) -> Expression:
        return Operation("add", self, _expression(other))

    def __sub__(self, other: Expression | float) -> Expression:
        return Operation("subtract", self, _expression(other))

    def __mul__(self, other: Expression | float) -> Expression:
        return Operation("multiply", self, _expression(other))

    def __truediv__(self, other: Expression | float) -> Expression:
        return Operation("divide", self, _expression(other))

    def at_least(self, other: Expression | float) -> Expression:
        """The larger of the two; missing if either is."""
        return Operation("larger", self, _expression(other))

    def at_most(self, other: Expression | float) -> Expression:
        """The smaller of the two; missing if either is."""
        return Operation("smaller", self, _expression(other))


@dataclass(frozen=True, slots=True)
class Constant(Expression):
    """A number written in the formula."""

    value: float

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True, slots=True)
class Operation(Expression):
    """Two expressions joined."""

    name: str
    left: Expression
    right: Expression

    def __str__(self) -> str:
        return f"{self.name}({self.left}, {self.right})"


@dataclass(frozen=True, slots=True)
class Series:
    """A column of a stream, or the ratio of two, fact by fact (of one day: folded first)."""

    stream: str
    numerator: str
    denominator: str | None = None

    def __truediv__(self, other: Series) -> Series:
        if self.denominator or other.denominator or other.stream != self.stream:
            raise TypeError("a series can be divided once, by a plain series of the same stream")
        return Series(self.stream, self.numerator, other.numerator)

    def __str__(self) -> str:
        ratio = f" / {self.denominator}" if self.denominator else ""
        return f"{self.stream}.{self.numerator}{ratio}"

    def __getattr__(self, name: str) -> Callable[..., Statistic]:
        if name not in STATISTICS:
            raise AttributeError(f"no statistic {name!r}; there are {', '.join(STATISTICS)}")
        return lambda months=0: Statistic(self, name, months)


@dataclass(frozen=True, slots=True)
class Statistic(Expression):
    """One statistic of a series over the last `months` calendar months up to as_of; 0 is all the past."""

    series: Series
    name: str
    months: int

    def __str__(self) -> str:
        window = f", {self.months} months" if self.months else ""
        return f"{self.name}({self.series}{window})"


def _expression(value: Expression | float) -> Expression:
    return value if isinstance(value, Expression) else Constant(float(value))


class StreamReference:
    """What a feature function receives for a parameter named like a stream: its columns as attributes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, column: str) -> Series:
        columns = STREAMS[self._name].columns
        if column not in columns:
            raise AttributeError(f"stream {self._name!r} has no column {column!r}; it has {', '.join(columns)}")
        return Series(self._name, column)


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature's whole truth: what it is called, means, reads, and how it bears on risk."""

    name: str
    group: Group
    formula: Expression
    meaning: str
    unit: str
    risk: Risk
    reason: str
    reason_zh: str
    low: float = -np.inf
    high: float = np.inf
    categories: tuple[str, ...] = field(default=())

    @property
    def direction(self) -> int:
        """LightGBM's monotone constraint: 1 where risk rises with the value, -1 where it falls, 0 unknown."""
        return {"rises": 1, "falls": -1, "unknown": 0}[self.risk]


def feature(
    group: Group,
    *,
    unit: str,
    risk: Risk,
    reason: str,
    reason_zh: str,
    low: float = -np.inf,
    high: float = np.inf,
) -> Callable[[Callable[..., Any]], Feature]:
    """Declare the decorated function as a feature: its name is the column, its docstring the meaning."""

    def declared(formula: Callable[..., Any]) -> Feature:
        streams = [StreamReference(name) for name in inspect.signature(formula).parameters]
        return Feature(
            name=formula.__name__,
            group=group,
            formula=formula(*streams),
            meaning=" ".join((formula.__doc__ or "").split()),
            unit=unit,
            risk=risk,
            reason=reason,
            reason_zh=reason_zh,
            low=low,
            high=high,
        )

    return declared
