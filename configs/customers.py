"""The part of a product file about customers it has: reviews of grade and limit, early warning, collections.

A product that says nothing of it is written as before there was any (`excluded where default` in product.Product), so
the digest of an older policy stays as it was.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from configs.frozen import Count, Frozen, NotNegative, Positive, Share
from configs.policy import unused

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


class Exposure(Frozen):
    """A commitment that may become a claim: a feature in currency, and the share of it that will be drawn.

    `factor` is the credit conversion factor (CCF): 1 for what was ordered and not yet invoiced, less for guarantees.
    """

    name: _Name
    feature: _Name
    factor: Share = 1.0


class Event(Frozen):
    """Rows of a table that put their customer on the next review: any, or those whose text `column` says a word."""

    name: _Name
    table: _Name
    column: Annotated[_Name | None, unused()] = None
    says: Annotated[str | None, unused(min_length=1)] = None

    @model_validator(mode="after")
    def _is_whole(self) -> Event:
        if (self.column is None) != (self.says is None):
            raise ValueError(f"{self.name}: column and says belong together: rows of a column that say a word")
        return self


class TradeRules(Frozen):
    """What a sale on credit earns and costs, shares of sales, `funding_rate` a year: when terms and limits pay.

    `sales_gain` is what a customer buys more with 30 days more, `late_days` how late is paid, whatever the terms.
    Where `purchases_feature` (currency a month) is named, a limit covers what the terms need, `headroom` times, for
    whom that pays, within the cap of the grade and the loss budget.
    """

    margin_share: Share
    funding_rate: NotNegative
    sales_gain: NotNegative
    late_days: NotNegative = 0.0
    purchases_feature: Annotated[_Name | None, unused()] = None
    headroom: Annotated[Positive, unused(1.25)] = 1.25


class ReviewRules(Frozen):
    """How grades and limits of customers move from one review to the next.

    A grade moves at once where the PD lies beyond the edge of its band by `margin_share` of that edge, or once it lay
    beyond it for `down_after` (worse) or `up_after` (better) reviews in a row. After a trigger no grade rises for
    `up_after` reviews without one. A limit stays where it would change by less than `limit_margin` of itself, and rises
    or falls by no more than a share of itself in one review; where the customer was declined or a trigger hit, it falls
    at once and whole. `exposure_feature` is what a customer has drawn, `exposures` are commitments beside it;
    `portfolio_cap` bounds drawn amounts and free limits of the whole book, `group_cap` those of each group of connected
    customers, best PD first. No run lifts a limit above `automatic_limit`: a person does. `cycle_months` says by grade
    how often a customer is reviewed where nothing happens, and `events` what puts one on the next review.
    """

    margin_share: Annotated[float, Field(ge=0, lt=1)] = 0.15
    up_after: Count = 3
    down_after: Count = 2
    limit_margin: Share = 0.2
    limit_rise: Positive = 0.5
    limit_fall: Share = 0.5
    exposure_feature: _Name | None = None
    exposures: Annotated[tuple[Exposure, ...], unused(strict=False)] = ()
    portfolio_cap: Positive | None = None
    group_cap: Annotated[Positive | None, unused()] = None
    automatic_limit: Annotated[Positive | None, unused()] = None
    cycle_months: Annotated[dict[str, Count], unused({})] = {}  # noqa: RUF012 - pydantic copies defaults
    events: Annotated[tuple[Event, ...], unused(strict=False)] = ()
    reasons: Count = 3
    triggers: Annotated[tuple[Trigger, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _cap_knows_what_is_drawn(self) -> ReviewRules:
        if self.exposure_feature is None:
            for name in ("portfolio_cap", "group_cap", "exposures"):
                if getattr(self, name):
                    raise ValueError(f"{name} needs exposure_feature: what customers have drawn already")
        return self

    def __hash__(self) -> int:  # the mapping has none of its own
        return hash((*sorted(self.cycle_months.items()), self.triggers, self.events))

    def reads(self) -> tuple[str, ...]:
        """The features that a review looks at beside those of the model, each once."""
        drawn = () if self.exposure_feature is None else (self.exposure_feature,)
        committed = (exposure.feature for exposure in self.exposures)
        return tuple(dict.fromkeys((*drawn, *committed, *(trigger.feature for trigger in self.triggers))))


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
    trade: Annotated[TradeRules | None, unused()] = None
    warnings: Annotated[tuple[Indicator, ...], Field(strict=False)] = ()
    four_eyes_from: Level = "critical"
    collections: CollectionRules = CollectionRules()


def customer_problems(rules: CustomerRules, grades: tuple[str, ...]) -> list[str]:
    """Why these rules do not fit the masterscale: every problem, each with its key."""
    names = [indicator.name for indicator in rules.warnings]
    twice = [f"customers.warnings.{name}: named twice" for name in sorted({n for n in names if names.count(n) > 1})]
    twice += _cycle_problems(rules.review.cycle_months, grades)
    return twice + [
        f"customers.review.triggers.{trigger.name}.grade: no grade {trigger.grade!r}; there are {', '.join(grades)}"
        for trigger in rules.review.triggers
        if trigger.grade not in grades
    ]


def _cycle_problems(cycle: dict[str, int], grades: tuple[str, ...]) -> list[str]:
    """A cycle names every grade, and no worse grade is looked at less often."""
    if not cycle:
        return []
    where = "customers.review.cycle_months"
    odd = [f"{where}.{name}: no grade {name!r}; there are {', '.join(grades)}" for name in cycle if name not in grades]
    odd += [f"{where}.{name}: missing; every grade has its cycle" for name in grades if name not in cycle]
    return odd or [
        f"{where}.{worse}: a worse grade may not be reviewed less often than {better}"
        for better, worse in pairwise(grades)
        if cycle[worse] > cycle[better]
    ]
