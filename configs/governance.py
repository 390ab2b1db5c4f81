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
    overlay_days: Count
    review_months: Count
    review_days: Count
    escalate_to: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]


class Retention(Frozen):
    """How many months a record about a customer is kept, by its kind; the others as long as `other`."""

    months: Mapping[str, Count]
    other: Count
    model_documents: Count


class Stated(Frozen):
    """What no system can know of a model and a person must say: the [governance] table of a product file."""

    owner: str = ""
    developer: str = ""
    validator: str = ""
    tier: Literal["", "1", "2", "3"] = ""
    exposure: str = ""
    purpose: str = ""
    population: str = ""
    exclusions: str = ""
    restrictions: str = ""
    upstream: str = ""
    downstream: str = ""
    next_review: str = ""
    data_source: str = ""
    representativeness: str = ""
    known_failures: str = ""
    oversight: str = ""
    risk_management: str = ""
    standards: str = ""
    declaration: str = ""
    post_market: str = ""


SUPPLIED_BY: Mapping[str, str] = {
    "owner": "the head of the business",
    "developer": "the head of model development",
    "validator": "the head of validation",
    "tier": "model risk management",
    "exposure": "finance",
    "purpose": "the model's owner",
    "population": "the model's owner",
    "exclusions": "the model's owner",
    "restrictions": "model risk management",
    "upstream": "the model's owner",
    "downstream": "the model's owner",
    "next_review": "model risk management",
    "data_source": "the developer",
    "representativeness": "the developer",
    "known_failures": "the validator",
    "oversight": "the model's owner",
    "risk_management": "model risk management",
    "standards": "compliance",
    "declaration": "compliance",
    "post_market": "compliance",
}
