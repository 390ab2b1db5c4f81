"""The settings that run the loop: when the monitor speaks up, what a change is worth, retraining, schedule, notices."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from configs.frozen import Band, Count, Frozen, NotNegative, Positive, Share
from configs.persons import different

Named = Annotated[str, Field(pattern=r"\S")]
Seed = Annotated[int, Field(ge=0)]


class Monitoring(Frozen):
    """When the monitor speaks up."""

    psi_bins: Annotated[int, Field(ge=2, le=100)]
    psi_watch: Positive
    psi_act: Positive
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    missing_jump: Share
    outside_share: Share
    freshness_days: Count
    row_count_ratio: Band
    fine_bins: Annotated[int, Field(ge=10, le=500)]
    runs_a_year: Count
    false_alarms_a_year: Positive
    power: Annotated[float, Field(gt=0.5, lt=1)]
    money_rows: Count
    money_draws: Annotated[int, Field(ge=100)]
    money_share: Share
    seed: Annotated[int, Field(ge=0)]
    minimum_rows: Count
    minimum_defaults: Count
    vintage_coverage: Share
    auc_drop: Share
    calibration_slope: Band
    calibration_ratio: Band
    evidently_rows: Count
    evidently_columns: Count


class Signal(Frozen):
    """An early sign of the outcome: a feature of days past due, as it stands `months` after the question."""

    months: Count
    feature: Named


class Early(Frozen):
    """How early outcomes are bridged to final ones."""

    signals: Annotated[tuple[Signal, ...], Field(strict=False, min_length=1)]
    days_past_due: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]
    silent_days: Count
    fit_rows: Count
    grade_rows: Count
    economy_spread: NotNegative
    draws: Annotated[int, Field(ge=100)]
    seed: Seed

    @model_validator(mode="after")
    def _rise(self) -> Early:
        months = [signal.months for signal in self.signals]
        for name, values in (("signals.months", months), ("days_past_due", self.days_past_due)):
            if any(later <= earlier for earlier, later in pairwise(values)):
                raise ValueError(f"{name} must rise")
        return self


class Worth(Frozen):
    """What a decision earns or loses, and what it costs to change the model."""

    margin: Share
    exposure_share: Share
    referred_share: Share
    cost_of_change: NotNegative
    horizon_months: Count
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    minimum_defaults: Count
    draws: Annotated[int, Field(ge=100)]
    seed: Seed


class Automatic(Frozen):
    """The limits within which named persons let a challenger be promoted, or a champion rolled back, without them."""

    approved_by: Annotated[tuple[Named, ...], Field(strict=False)]
    approved_until: dt.date
    remedies: Annotated[tuple[Literal["shift_intercept", "recalibrate", "retrain"], ...], Field(strict=False)]
    maximum_swap_share: Share
    maximum_limit_change: Share
    roll_back: bool

    @model_validator(mode="after")
    def _takes_two(self) -> Automatic:
        if different(self.approved_by) == 1:
            raise ValueError("approved_by: at least two different persons approve limits; empty: nothing is automatic")
        return self


class Breach(Frozen):
    """When a new champion has failed: what its first weeks may not show."""

    watch_days: Count
    minimum_decisions: Count
    maximum_swap_share: Share
    observed_to_expected: Band


class Retraining(Frozen):
    """When a challenger is made, how long it stands in the shadow, and what happens afterwards."""

    cooldown_days: Annotated[int, Field(ge=0)]
    shadow_days: Annotated[int, Field(ge=0)]
    shadow_decisions: Count
    restated_significance: Annotated[float, Field(gt=0, lt=1)]
    automatic: Automatic
    breach: Breach


class Schedule(Frozen):
    """When `monitor watch` runs: at `at` (UTC) every so many days."""

    at: dt.time
    every_days: Count
    retrain: bool


class Notices(Frozen):
    """Who hears of a verdict, and how often a notice that cannot be delivered is tried."""

    remedies: Annotated[tuple[Named, ...], Field(strict=False)]
    webhooks: Annotated[tuple[Annotated[str, Field(pattern=r"^https?://\S+$")], ...], Field(strict=False)]
    smtp: Annotated[str, Field(pattern=r"^([^\s:/]+:\d{1,5})?$")]
    email_from: str
    email_to: Annotated[tuple[Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+$")], ...], Field(strict=False)]
    attempts: Annotated[int, Field(ge=1, le=10)]
    pause_seconds: NotNegative
    timeout_seconds: Positive

    @model_validator(mode="after")
    def _mail_has_a_way(self) -> Notices:
        if self.email_to and not (self.smtp and self.email_from):
            raise ValueError("email_to needs smtp (HOST:PORT) and email_from")
        return self
