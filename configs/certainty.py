"""The settings of how sure a version is of what it says: PDs, reasons, and what the seed alone decides."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from configs.frozen import Count, Frozen, NotNegative, Share

Refits = Annotated[int, Field(ge=0, le=20)]


class Explanation(Frozen):
    """How sure a version is of its PDs and reasons, measured when it is trained."""

    pd_confidence: Annotated[float, Field(gt=0.5, lt=1)]
    economy_spread: NotNegative
    refits: Refits
    noise_gate: Annotated[float, Field(ge=0)]
    together: Annotated[float, Field(gt=0, le=1)]
    rows: Count


class SeedStability(Frozen):
    """Under how many other seeds a version is fitted again, and from where on what they change is amber or red."""

    seeds: Refits
    moved_amber: Share
    moved_red: Share
    agreement_amber: Share
    agreement_red: Share

    @model_validator(mode="after")
    def _red_lies_beyond_amber(self) -> SeedStability:
        if self.moved_red < self.moved_amber or self.agreement_red > self.agreement_amber:
            raise ValueError("moved_red must not lie below moved_amber, nor agreement_red above agreement_amber")
        return self
