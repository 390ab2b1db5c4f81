"""What stands over a product's champion in a serving process: a kill switch, and a canary with its challenger."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from serving.canary import Canary
from serving.circumstances import Circumstances
from serving.decide import Question
from serving.referral import Referral
from serving.score import Scorer


@dataclass(frozen=True, slots=True)
class Standing:
    """`challenger` is None until the canary's version is loaded; till then the champion decides about everybody."""

    referral: Referral | None = None
    canary: Canary | None = None
    challenger: Scorer | None = None

    @property
    def waits(self) -> bool:
        """Whether the canary's version is yet to be loaded."""
        return self.canary is not None and self.challenger is None

    @property
    def share(self) -> float:
        """The share of customers whom a challenger decides about."""
        return self.canary.share if self.canary is not None and self.challenger is not None else 0.0

    def followed(self, referral: Referral | None, canary: Canary | None) -> Standing:
        """What the ledger says now. A challenger whose share alone changed goes on."""
        same = canary is not None and self.canary is not None and canary.digest == self.canary.digest
        return Standing(referral, canary, self.challenger if same else None)

    def joined_by(self, challenger: Scorer) -> Standing:
        """With the canary's version loaded."""
        return replace(self, challenger=challenger)

    def answering(self, champion: Scorer, question: Question) -> tuple[Scorer, Question]:
        """Who decides a question, and the question with what it is decided under, where there is any such thing."""
        if self.referral is None and self.challenger is None:
            return champion, question
        arm = None if self.canary is None or self.challenger is None else self.canary.arm(question.customer_id)
        under = Circumstances(referral=self.referral.record_id if self.referral else None, canary=arm)
        scorer = self.challenger if arm is not None and arm.challenger and self.challenger is not None else champion
        return scorer, msgspec.structs.replace(question, circumstances=under)
