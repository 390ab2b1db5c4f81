"""The settings of how a version is judged before it may be promoted: gate, validation, fairness, the declined."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from configs.frozen import Band, Count, Frozen, Positive, Share


class Gate(Frozen):
    """What a challenger must show before it may be promoted."""

    minimum_auc: Share
    maximum_auc_drop: Share
    calibration_slope: Band
    calibration_ratio: Band
    maximum_overfit: Share


class ValidationPolicy(Frozen):
    """When a test of the validation report is amber or red, and how many rows it needs to say anything."""

    p_amber: Share
    p_red: Share
    traffic_amber: Share
    traffic_red: Share
    auc_amber: Share
    auc_red: Share
    slope: Band
    calibration_error_amber: Positive
    calibration_error_red: Positive
    calibration_bins: Annotated[int, Field(ge=2, le=100)]
    bootstrap_draws: Annotated[int, Field(ge=50)]
    seed: Annotated[int, Field(ge=0)]
    asset_correlation: Annotated[float, Field(gt=0, lt=1)]
    concentration: Share
    psi_bins: Annotated[int, Field(ge=2, le=100)]
    psi_amber: Positive
    psi_red: Positive
    psi_confidence: Annotated[float, Field(gt=0.5, lt=1)]
    minimum_rows: Count
    minimum_defaults: Count
    minimum_periods: Annotated[int, Field(ge=2)]
    top_features: Count
    sensitivity_rows: Count


class Fairness(Frozen):
    """When the fairness report speaks up, and how far the search for alternatives goes."""

    smallest_cell: Count
    significance: Annotated[float, Field(gt=0, lt=1)]
    impact_ratio_watch: Share
    impact_ratio_flag: Share
    score_difference_watch: Positive
    score_difference_flag: Positive
    gap_watch: Share
    gap_flag: Share
    calibration_ratio: Band
    proxy_auc: Share
    proxy_rows: Count
    candidates: Count
    without_proxies: Annotated[int, Field(ge=0)]
    maximum_auc_drop: Share
    bootstrap_draws: Annotated[int, Field(ge=100)]
    search_seconds: Positive
    choice_required: bool

    @model_validator(mode="after")
    def _flags_lie_beyond_watches(self) -> Fairness:
        if self.impact_ratio_flag > self.impact_ratio_watch:
            raise ValueError("impact_ratio_flag must not lie above impact_ratio_watch")
        if self.score_difference_flag < self.score_difference_watch or self.gap_flag < self.gap_watch:
            raise ValueError("a flag must not lie below its watch")
        return self


class RejectInference(Frozen):
    """How the default rate of declined applicants is bracketed."""

    bands: Annotated[int, Field(ge=2, le=100)]
    parcelling_factors: Band
    folds: Annotated[int, Field(ge=2, le=20)]
