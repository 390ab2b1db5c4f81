"""Who may act, who must agree before a model version decides, what is kept for how long, when a review is due."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from configs.frozen import Count, Frozen

Severity = Literal["low", "medium", "high"]


class Governance(Frozen):
    """`identity`: who acts is read from their key, or taken by the name they give. `approvals`: persons beside the
    promoter who must approve a version. `blocking_severity`: of an open finding that stops a promotion.
    """

    identity: Literal["keys", "named"]
    approvals: Annotated[int, Field(ge=0)]
    blocking_severity: Severity
    waiver_days: Count
    review_months: Count
    review_days: Count
    escalate_to: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Retention(Frozen):
    """How many months a record about a customer is kept, by its kind; the others as long as `other`."""

    months: Mapping[str, Count]
    other: Count
    model_documents: Count
