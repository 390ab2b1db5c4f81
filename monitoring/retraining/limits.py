"""What may happen without a person: promotion and rollback within limits that named persons approved, on record."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from configs.errors import Refusal
from configs.persons import different
from configs.watching import Automatic, Breach, Retraining
from monitoring.outcomes.early import Estimate
from monitoring.retraining.shadow import Compared
from serving.champion import Promotion
from serving.ledger import canonical
from training.gate import Check

PREFIX = "limits approved by"
Breached = Literal["swapped", "failed", "more_defaults", "fewer_defaults"]


def in_force(limits: Automatic, today: dt.date) -> bool:
    """Whether at least two persons approved these limits and their approval has not run out."""
    return different(limits.approved_by) >= 2 and today <= limits.approved_until


def signed(limits: Automatic) -> str:
    """Who decides, for the record of a promotion: the names, until when, and the digest of the limits as approved."""
    digest = hashlib.sha256(canonical(limits.model_dump(mode="json"))).hexdigest()[:12]
    return f"{PREFIX} {', '.join(limits.approved_by)} until {limits.approved_until} ({digest})"


def promotion_checks(
    retraining: Mapping[str, Any], shadow: Compared | None, settings: Retraining, today: dt.date
) -> tuple[Check, ...]:
    """Whether a challenger may be promoted without a person: every question, what was measured, what is asked for.

    `retraining` is the body of its record in the ledger; one that a person called for is for a person to promote.
    """
    limits, worth, remedy = settings.automatic, retraining.get("worth") or {}, retraining["remedy"]
    decisions, days = (0, 0) if shadow is None else (shadow.decisions, shadow.days)
    swap, limit = (1.0, 1.0) if shadow is None else (shadow.swap_share, abs(shadow.limit_change))
    low, cost = worth.get("low", float("-inf")), worth.get("cost", 0.0)
    wanted = f"two persons, not later than {limits.approved_until}"
    return (
        Check("approved", in_force(limits, today), float(len(limits.approved_by)), wanted),
        Check("remedy", remedy in limits.remedies, 0.0, f"{remedy} among {', '.join(limits.remedies) or 'none'}"),
        Check("gate", bool(retraining["gate"]["passed"]), 0.0, "every check of the gate passed"),
        Check("pays", low > cost, low, f"lower bound of what it is worth above its cost, {cost:,.0f}"),
        Check("shadow_decisions", decisions >= settings.shadow_decisions, decisions, f">= {settings.shadow_decisions}"),
        Check("shadow_days", days >= settings.shadow_days, days, f"at least {settings.shadow_days}"),
        Check("shadow_failed", shadow is not None and not shadow.failed, getattr(shadow, "failed", 0), "none"),
        Check("swap_share", swap <= limits.maximum_swap_share, swap, f"at most {limits.maximum_swap_share:g}"),
        Check("limit_change", limit <= limits.maximum_limit_change, limit, f"at most {limits.maximum_limit_change:g}"),
    )


def require(checks: tuple[Check, ...], version: str) -> None:
    """Raise Refusal that names every check that stands in the way, and how a person goes on."""
    failed = [f"{check.name}: {check.measured:g}, wanted {check.wanted}" for check in checks if not check.passed]
    if failed:
        raise Refusal(
            f"{version} is not promoted without a person: {'; '.join(failed)}. A person may: "
            f"creditloop models promote {version} --by NAME --reason WHY"
        )


def breaches(
    promoted: Promotion, former: Compared | None, outcomes: Estimate | None, breach: Breach, today: dt.date
) -> dict[Breached, str]:
    """What a new champion shows that it may not, each in a sentence; nothing once it has been watched long enough.

    `former` compares its decisions with what the former champion would have decided, `outcomes` is what its own
    decisions are estimated to come to.
    """
    age = (today - dt.datetime.fromisoformat(promoted.at).date()).days
    if promoted.previous is None or promoted.undoes is not None or age > breach.watch_days:
        return {}
    found: dict[Breached, str] = {}
    if former is not None and former.decisions >= breach.minimum_decisions:
        if former.swap_share > breach.maximum_swap_share:
            found["swapped"] = (
                f"{former.swapped_in + former.swapped_out} of {former.decisions} decisions are not what "
                f"{former.shadow} would have decided; at most {breach.maximum_swap_share:.0%} may be"
            )
        if former.failed:
            found["failed"] = f"{former.failed} of its decisions {former.shadow} could not have taken"
    if outcomes is not None and outcomes.rows >= breach.minimum_decisions:
        ratio, band = outcomes.observed_to_expected, breach.observed_to_expected
        if ratio.low > band.high or ratio.high < band.low:
            found["more_defaults" if ratio.low > band.high else "fewer_defaults"] = (
                f"defaults are {ratio.value:.2f} times what it foretells ({ratio.low:.2f} to {ratio.high:.2f}); "
                f"between {band.low:g} and {band.high:g} is allowed"
            )
    return found
