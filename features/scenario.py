"""What a simulated portfolio is made from."""

from __future__ import annotations

from dataclasses import dataclass

HISTORY_MONTHS = 12  # of behaviour before the first as_of


@dataclass(frozen=True, slots=True)
class Scenario:
    """What to simulate. Months count from 0, the first as_of; behaviour starts a year earlier.

    From `concept_change_month` on, the two hidden factors weigh what the `_after` fields say. `new_share` of the
    customers join after month 0.
    """

    customers: int
    seed: int
    months: int = 36
    window_months: int = 12
    first_month: str = "2023-01"
    companies: bool = False
    base_hazard: float = -6.4
    discipline_weight: float = 1.3
    income_weight: float = 0.2
    discipline_weight_after: float = 0.7
    income_weight_after: float = 1.3
    concept_change_month: int = 10_000
    new_share: float = 0.2
    first_customer: int = 0
