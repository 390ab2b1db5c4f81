"""The settings of training: how bad a table may be, and how a model is tuned, split and fitted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from configs.frozen import Count, Frozen, Positive, Share


class Data(Frozen):
    """How much of a table may be bad."""

    quarantine_share: Share


class Training(Frozen):
    """How a model is tuned, split and fitted."""

    seed: Annotated[int, Field(ge=0)]
    threads: Annotated[int, Field(ge=0)]
    workers: Count
    scheduler: str
    folds: Annotated[int, Field(ge=2, le=20)]
    trials: Count
    survivors: Annotated[float, Field(gt=0, le=1)]
    timeout_seconds: Positive
    max_rounds: Count
    early_stopping_rounds: Count
    maximum_leaves: Annotated[int, Field(ge=100)]
    stability_weight: Annotated[float, Field(ge=0)]
    test_share: Annotated[float, Field(gt=0, lt=0.9)]
    out_of_time_share: Annotated[float, Field(gt=0, lt=0.9)]
    windows: Annotated[tuple[Count, ...], Field(strict=False)]
    minimum_defaults: Count

    def shares_study(self) -> bool:
        """Whether more than one process works on a study."""
        return self.workers > 1 or self.scheduler != ""
