"""What a decision was made under besides model and policy: a referral of all, a share of the traffic, adjustments.

It stands in the question on record, so that a replay is made under the same.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from serving.overlay import Overlay
from serving.policy import Grant

REFER_ALL = "refer_all"  # the flag, and the code of what bound the limit


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """A canary's record in the ledger, the place of the customer between 0 and 1, and who decided because of it."""

    canary: str
    place: float
    share: float
    challenger: bool


class Circumstances(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`referral` is the ledger's record by which everything goes to a person, `canary` where the customer stood,
    `overlays` the adjustments of the PD that were in force.
    """

    referral: str | None = None
    canary: Arm | None = None
    overlays: tuple[Overlay, ...] = ()


def referred(granted: Grant) -> Grant:
    """What is granted where everything goes to a person: nothing yet, whatever the policy would have said."""
    return replace(
        granted,
        decision="refer",
        limit=0.0,
        binding_constraint=REFER_ALL,
        flags=(*granted.flags, REFER_ALL),
        collateral=None,
        price=None,
    )
