"""What every settings file is made of: strict frozen parts, and the kinds of numbers they hold."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class Frozen(BaseModel):
    """What every part of a settings file is: immutable, strict, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Band(Frozen):
    """An interval, written [low, high] in the file."""

    low: float
    high: float

    @model_validator(mode="before")
    @classmethod
    def _from_pair(cls, value: object) -> object:
        return {"low": value[0], "high": value[1]} if isinstance(value, list) and len(value) == 2 else value

    @model_validator(mode="after")
    def _rises(self) -> Band:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must lie below high {self.high}")
        return self

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the interval, bounds included; missing never does."""
        return self.low <= value <= self.high
