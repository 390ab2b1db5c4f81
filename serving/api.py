"""The words of the HTTP interface: what a request may say and what an answer says (errors: problems.py)."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec

from configs.settings import Decision
from serving.advice import Advised
from serving.knock_outs import KnockedOut
from serving.price import Price
from serving.problems import Problem
from serving.reasons import Reason
from training.interval import PDInterval

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]  # PostgreSQL holds no NUL


class DecideRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question: may this customer have credit, how much, on what terms?

    `records` are the raw tables' rows; left out, they are read from the source the service has for the product.
    `group_exposure` is the credit that connected customers have already: it takes from the appetite for this one.
    """

    customer_id: _Text
    records: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    product: _Text | None = None
    as_of: dt.date | None = None
    requested_amount: Annotated[float, msgspec.Meta(ge=0)] | None = None
    group_exposure: Annotated[float, msgspec.Meta(ge=0)] | None = None
    idempotency_key: _Text | None = None
    language: Literal["en", "zh"] | None = None
    advice: bool = False

    def has_records(self) -> bool:
        """Whether it brings the records itself; null is no way to leave them out."""
        return bool(memoryview(self.records))


class DecisionAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The decision, what it rests on, and the versions that make it repeatable.

    `collateral` (to be pledged, in currency), `price` and `knock_outs` are there where the policy has such a thing.
    """

    decision_id: str
    product: str
    customer_id: str
    as_of: dt.date
    default_probability: float
    points: float
    grade: str
    decision: Literal["approve", "refer", "decline"]
    limit: float
    currency: str
    binding_constraint: str
    terms_days: int
    reasons: tuple[Reason, ...]
    flags: tuple[str, ...]
    model: str
    policy: str
    program: str
    collateral: float | None = None
    price: Price | None = None
    knock_outs: tuple[KnockedOut, ...] = ()
    pd_interval: PDInterval | None = None
    advice: Advised | None = None


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of one question of a batch: the status it would have had alone, its answer or its problem."""

    status: int
    answer: DecisionAnswer | None = None
    problem: Problem | None = None


class ReplayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded decision made again: whether every bit is equal, and if not, which fields of the answer differ.

    `detail` says what hindered it where it could not be decided again, or that only the evidence differs.
    """

    decision_id: str
    equal: bool
    differs: tuple[str, ...]
    detail: str


class OutcomeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of a decision: whether its customer had defaulted by the day `on`.

    `correction` says why the outcome on record was wrong; without it another one is refused.
    """

    decision_id: _Text
    defaulted: bool
    on: dt.date
    correction: _Text | None = None


class OutcomeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome on record; `new` is false where this very outcome was there before."""

    outcome_id: str
    decision_id: str
    defaulted: bool
    on: dt.date
    corrects: str | None
    new: bool


class OverrideRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person decides otherwise: what, under which authority of the policy, who, and why."""

    decision: Decision
    limit: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    authority: _Text
    by: _Text
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class OverrideAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The override on record; `new` is false where this very override was there before."""

    override_id: str
    decision_id: str
    decision: Decision
    limit: float
    authority: str
    by: str
    reason: str
    new: bool


class ModelLine(msgspec.Struct, frozen=True, kw_only=True):
    """The versions that answer for a product, and the AUC of the model on the rows that judged it."""

    product: str
    model: str
    policy: str
    program: str
    auc: float


class GradeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A grade of the masterscale: PDs below `pd_below` have it unless a better grade takes them; null: all the rest."""

    name: str
    pd_below: float | None


class ReferralLine(msgspec.Struct, frozen=True, kw_only=True):
    """Every decision is referred to a person: since when, by whom, and why."""

    at: str
    by: str
    reason: str


class CanaryLine(msgspec.Struct, frozen=True, kw_only=True):
    """A version that decides about a share of the customers; `decides` is false until this process has loaded it."""

    model: str
    share: float
    decides: bool
    at: str
    by: str
    reason: str


class UnloadableLine(msgspec.Struct, frozen=True, kw_only=True):
    """A version that should answer and could not be loaded, when that was last tried, and why."""

    model: str
    at: str
    reason: str


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """What answers for a product: versions, since when and by whom, what it reads, its masterscale, its validation.

    `gate_passed` is null where the version says nothing of a gate. `degraded` is true where the scorecard answers in
    the place of its model: validation and AUC are then the scorecard's. `referral` and `canary` are null where there is
    none; `unloadable` are versions that should answer and do not.
    """

    product: str
    title: str
    model: str
    policy: str
    program: str
    promoted_by: str
    promoted_at: str
    gate_passed: bool | None
    explained_by: str
    tables: tuple[str, ...]
    features: tuple[str, ...]
    grades: tuple[GradeLine, ...]
    auc: float
    auc_low: float
    auc_high: float
    currency: str
    degraded: bool
    referral: ReferralLine | None
    canary: CanaryLine | None
    unloadable: tuple[UnloadableLine, ...]
