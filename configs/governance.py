"""Who may act, and who must agree before a model version decides."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.frozen import Frozen


class Governance(Frozen):
    """`identity`: who acts is read from their key, or taken by the name they give. `approvals`: persons beside the
    promoter who must approve a version.
    """

    identity: Literal["keys", "named"]
    approvals: Annotated[int, Field(ge=0)]
