"""The settings of the service: where it listens, how much it takes on at once, and from where it reads records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from configs.frozen import Count, Frozen, Positive


class Serving(Frozen):
    """The service."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    workers: Count
    body_limit_kilobytes: Count
    ledger_batch: Count
    anchor: str
    checkpoint_records: Count
    checkpoint_seconds: Positive
    language: Literal["en", "zh"]
    reasons: Annotated[int, Field(ge=1, le=4)]
    queue: Count
    deadline_seconds: Positive
    requests_per_second: Annotated[float, Field(ge=0)]
    burst: Count
    batch_limit: Count
    batch_body_limit_kilobytes: Count
    fallback: Literal["refuse", "scorecard"]
    trial_seconds: Positive
    sources: Mapping[str, Annotated[tuple[str, ...], Field(strict=False, min_length=1)]]
