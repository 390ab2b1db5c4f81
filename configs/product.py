"""A product file: one lending business with its tables, features, outcome, masterscale and policy."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from configs.customers import CustomerRules, customer_problems
from configs.frozen import Count, Frozen, Positive, Share
from configs.governance import Stated
from configs.policy import Grade, Policy, policy_problems, unused
from configs.toml_files import HERE, read_toml

Group = Literal["financial", "operating", "behavioral", "bureau", "management", "column"]
Jurisdiction = Literal["eu", "us", "cn", "uk"]
Risk = Literal["rises", "falls", "unknown"]
TableName = Literal[
    "customers",
    "statements",
    "financials",
    "invoices",
    "investigations",
    "questionnaires",
    "facts",
    "protected",
    "declined",
]


class Outcome(Frozen):
    """The definition of default: what counts as bad, and when we may know it.

    Past due by `days_past_due` or more is a default if the amount exceeds both thresholds of materiality. A default
    lasts until `probation_months` after its cure. Past due by `indeterminate_days_past_due` or more, but not in
    default, is neither good nor bad.
    """

    window_months: Count
    days_past_due: Count
    materiality_amount: Annotated[float, Field(ge=0)] = 0.0
    materiality_share: Share = 0.0
    probation_months: Annotated[int, Field(ge=0)] = 0
    indeterminate_days_past_due: Count | None = None

    @model_validator(mode="after")
    def _band_lies_below_default(self) -> Outcome:
        band = self.indeterminate_days_past_due
        if band is not None and band >= self.days_past_due:
            raise ValueError(f"indeterminate_days_past_due {band} must lie below days_past_due {self.days_past_due}")
        return self


class Calibration(Frozen):
    """The level of PDs: that of the rows which calibrate, or the long-run default rate where one is given."""

    long_run_default_rate: Annotated[float, Field(gt=0, lt=1)] | None = None


class Scaling(Frozen):
    """Points: `base_points` at odds of `base_odds` goods to one bad, `points_to_double_odds` more at twice that."""

    base_points: Positive
    base_odds: Positive
    points_to_double_odds: Positive


class ColumnSpec(Frozen):
    """A flat column of the `facts` table that becomes a feature of its own.

    `advice` (a sentence with {goal}) says that a customer can change it, in steps of `advice_step`.
    """

    name: str
    kind: Literal["number", "category"] = "number"
    risk: Risk = "unknown"
    unit: str = ""
    reason: str = ""
    reason_zh: str = ""
    advice: Annotated[str | None, unused()] = None
    advice_zh: Annotated[str | None, unused()] = None
    advice_step: Annotated[float, unused(1.0, gt=0)] = 1.0

    @model_validator(mode="after")
    def _advice_has_a_direction(self) -> ColumnSpec:
        if self.advice is None:
            return self
        if self.risk == "unknown" or self.kind == "category":
            raise ValueError(f"{self.name}: advice needs a number whose risk rises or falls")
        if any("{goal}" not in told for told in (self.advice, self.advice_zh or self.advice)):
            raise ValueError(f"{self.name}: advice is a sentence with {{goal}} where the number belongs")
        return self


class Freshness(Frozen):
    """The most days that may lie between the newest event of a table and the day it is checked at; absent: any."""

    statements: Count | None = None
    financials: Count | None = None
    invoices: Count | None = None
    investigations: Count | None = None
    questionnaires: Count | None = None
    facts: Count | None = None


class Product(Frozen):
    """One lending business: its tables, features, outcome, masterscale and policy."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    title: str
    currency: str
    reader: Literal["tables", "uci_default"] = "tables"
    tables: tuple[TableName, ...]
    groups: tuple[Group, ...]
    jurisdictions: tuple[Jurisdiction, ...] = ()
    deny: tuple[str, ...] = ()
    outcome: Outcome
    freshness: Freshness = Freshness()
    calibration: Calibration = Calibration()
    scaling: Scaling
    policy: Policy
    grades: tuple[Grade, ...]
    columns: tuple[ColumnSpec, ...] = ()
    customers: Annotated[CustomerRules, Field(exclude_if=lambda rules: rules == CustomerRules())] = CustomerRules()
    governance: Annotated[Stated, Field(exclude=True)] = Stated()  # decides nothing, so it is no part of the digest

    @model_validator(mode="before")
    @classmethod
    def _lists_to_tuples(cls, value: object) -> object:
        # TOML has lists only; strict mode wants the tuple that keeps a product hashable and frozen.
        if isinstance(value, dict):
            return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}
        return value

    @model_validator(mode="after")
    def _holds_together(self) -> Product:
        problems = policy_problems(self.policy, self.grades) + column_problems(self.columns)
        problems += customer_problems(self.customers, tuple(grade.name for grade in self.grades))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def denied(self) -> frozenset[str]:
        """Names that are never features: protected attributes of its jurisdictions, and what it denies itself."""
        protected = read_toml(HERE / "protected.toml")
        plain = filter(None, map(plain_name, self.deny))
        return frozenset(self.deny).union(plain, *(protected[place]["attributes"] for place in self.jurisdictions))

    def digest(self) -> str:
        """SHA-256 over everything the file says, so a decision can name the policy it was made under."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def plain_name(name: str) -> str:
    """Lower case letters and digits, joined by underscores."""
    return re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")


def column_problems(columns: tuple[ColumnSpec, ...]) -> list[str]:
    """Why these flat columns cannot stand in one table: each is named once, and not like a column it has anyway."""
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    reserved = [name for name in ("customer_id", "date", "known_time") if name in names]
    return [f"columns.{name}: named twice" for name in twice] + [
        f"columns.{name}: every facts table has this column; name the feature otherwise" for name in reserved
    ]
