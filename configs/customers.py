"""The part of a product file about customers it has: reviews of grade and limit, early warning, collections.

A product that says nothing of it is written as before there was any (`excluded where default` in settings.Product), so
the digest of an older policy stays as it was.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from configs.frozen import Count, Frozen, NotNegative, Positive, Share

Comparison = Literal["<", "<=", ">", ">="]
Level = Literal["watch", "high", "critical"]
LEVELS: tuple[Level, ...] = ("watch", "high", "critical")
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
NotNegativeDays = Annotated[int, Field(ge=0)]
_Said = Annotated[str, Field(min_length=1)]


class Trigger(Frozen):
    """A fact that alone moves a customer to `grade` at least, at once, whatever the PD."""

    name: _Name
    feature: _Name
    operator: Comparison
    bound: float
    grade: _Said


class ReviewRules(Frozen):
    """How grades and limits of customers move from one review to the next.

    A grade moves at once where the PD lies beyond the edge of its band by `margin_share` of that edge, or once it lay
    beyond it for `down_after` (worse) or `up_after` (better) reviews in a row. After a trigger no grade rises for
    `up_after` reviews without one. A limit stays where it would change by less than `limit_margin` of itself, and rises
    or falls by no more than a share of itself in one review; where the customer was declined or a trigger hit, it falls
    at once and whole. `exposure_feature` is what a customer has drawn;
    `portfolio_cap` bounds drawn amounts and free limits of the whole book, best PD first.
    """

    margin_share: Annotated[float, Field(ge=0, lt=1)] = 0.15
    up_after: Count = 3
    down_after: Count = 2
    limit_margin: Share = 0.2
    limit_rise: Positive = 0.5
    limit_fall: Share = 0.5
    exposure_feature: _Name | None = None
    portfolio_cap: Positive | None = None
    reasons: Count = 3
    triggers: Annotated[tuple[Trigger, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _cap_knows_what_is_drawn(self) -> ReviewRules:
        if self.portfolio_cap is not None and self.exposure_feature is None:
            raise ValueError("portfolio_cap needs exposure_feature: what customers have drawn already")
        return self

    def reads(self) -> tuple[str, ...]:
        """The features that a review looks at beside those of the model, each once."""
        drawn = () if self.exposure_feature is None else (self.exposure_feature,)
        return tuple(dict.fromkeys((*drawn, *(trigger.feature for trigger in self.triggers))))


class Indicator(Frozen):
    """An early sign that a customer gets worse: what is looked at, from where on it warns, and what is then to be done.

    `feature` is a feature of the product, or `default_probability`, the champion's PD; `fact` counts the raw rows of
    `table.column` that say `says` within `window_months`. `compare`: the value itself, its rise over `window_months`,
    or the ratio to what it was then. `owner` has `due_days` for the `action`.
    """

    name: _Name
    feature: _Name | None = None
    fact: Annotated[str | None, Field(pattern=r"^[a-z_]+\.[a-z_]+$")] = None
    says: _Said | None = None
    compare: Literal["value", "rise", "ratio"] = "value"
    window_months: Count | None = None
    operator: Comparison
    bound: float
    level: Level
    action: _Said
    owner: _Said
    due_days: Count

    @model_validator(mode="after")
    def _is_whole(self) -> Indicator:
        if (self.feature is None) == (self.fact is None):
            raise ValueError(f"{self.name}: say either feature or fact, what is looked at")
        if (self.fact is None) != (self.says is None):
            raise ValueError(f"{self.name}: fact and says belong together: rows of a column that say a word")
        if self.window_months is None and (self.fact is not None or self.compare != "value"):
            raise ValueError(f"{self.name}: window_months is missing: over which months?")
        if self.fact is not None and self.compare != "value":
            raise ValueError(f"{self.name}: a fact is counted, so it cannot be compared by {self.compare}")
        return self


class CollectionRules(Frozen):
    """How overdue amounts are aged, followed and collected.

    `buckets` are the highest days past due of each bucket but the last. Roll rates rest on the last `months`; the
    chance to end in the last bucket looks `horizon_months` ahead. A contact costs `contact_cost`, and no customer is
    contacted more than `contacts` times in `contact_days`.
    """

    buckets: Annotated[tuple[NotNegativeDays, ...], Field(strict=False, min_length=2)] = (0, 30, 60, 90)
    months: Annotated[int, Field(ge=2)] = 12
    horizon_months: Count = 6
    contact_cost: NotNegative = 25.0
    contacts: Count = 3
    contact_days: Count = 7

    @model_validator(mode="after")
    def _buckets_rise_from_current(self) -> CollectionRules:
        if self.buckets[0] != 0 or any(later <= earlier for earlier, later in pairwise(self.buckets)):
            raise ValueError(f"buckets {list(self.buckets)} must begin with 0, what is not past due, and rise")
        return self


class CustomerRules(Frozen):
    """What a product says of the customers it has.

    A warning of level `four_eyes_from` or worse is closed by another person than acknowledged it.
    """

    review: ReviewRules = ReviewRules()
    warnings: Annotated[tuple[Indicator, ...], Field(strict=False)] = ()
    four_eyes_from: Level = "critical"
    collections: CollectionRules = CollectionRules()


def customer_problems(rules: CustomerRules, grades: tuple[str, ...]) -> list[str]:
    """Why these rules do not fit the masterscale: every problem, each with its key."""
    names = [indicator.name for indicator in rules.warnings]
    twice = [f"customers.warnings.{name}: named twice" for name in sorted({n for n in names if names.count(n) > 1})]
    return twice + [
        f"customers.review.triggers.{trigger.name}.grade: no grade {trigger.grade!r}; there are {', '.join(grades)}"
        for trigger in rules.review.triggers
        if trigger.grade not in grades
    ]
