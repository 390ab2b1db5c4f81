"""What the tests of outcomes can see: how many defaults they need before their silence counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import norm

from configs.settings import Monitoring
from monitoring.drift.stability import Budget
from training.validate import Interval

_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Promise:
    """What validation promised: the AUC with its interval, from `defaults` defaults, at a default rate of `rate`."""

    auc: Interval
    defaults: int
    rate: float


@dataclass(frozen=True, slots=True)
class Power:
    """`defaults` are needed, of `known`; `outcomes` more must mature for them; then a fall of the AUC by
    `smallest_fall` is found with the stated power, and one by less may be missed.
    """

    defaults: int
    known: int
    outcomes: int
    smallest_fall: float

    @property
    def enough(self) -> bool:
        """Whether the silence of the test says something already."""
        return self.known >= self.defaults

    @property
    def told(self) -> str:
        """The need in a sentence."""
        if self.enough:
            return (
                f"{self.known} defaults have matured, {self.defaults} are needed: "
                f"a fall of the AUC by {self.smallest_fall:.3f} would have shown"
            )
        return (
            f"{self.known} defaults have matured; with {self.defaults}, after about {self.outcomes:,} more outcomes, "
            f"a fall of the AUC by {self.smallest_fall:.3f} would show"
        )


def standard_error(interval: Interval) -> float:
    """Of an estimate with a two-sided 95 % interval, the wider side: the other may have been cut at 0 or 1."""
    return max(interval.high - interval.value, interval.value - interval.low) / _95


def power_of(known: int, promise: Promise, budget: Budget, settings: Monitoring) -> Power:
    """The defaults at which a fall of `auc_drop` shows with the stated power, from DeLong's variance, v / defaults.

    Both AUCs are estimates: z_alpha + z_power standard errors of their difference must not exceed the fall
    (Obuchowski and McClish, 1997). Where the promise alone is too uncertain, no number of outcomes would do; then as
    many defaults as made the promise, beyond which it is the promise that limits the test.
    """
    promised = standard_error(promise.auc) ** 2
    one = promised * promise.defaults
    width = float(norm.isf(budget.ranking) + norm.ppf(settings.power))
    room = (settings.auc_drop / width) ** 2 - promised
    defaults = max(settings.minimum_defaults, math.ceil(one / room) if room > 0 else promise.defaults)
    missing = max(0, defaults - known)
    return Power(
        defaults=defaults,
        known=known,
        outcomes=math.ceil(missing / promise.rate) if promise.rate > 0 else 0,
        smallest_fall=width * math.sqrt(promised + one / max(1, defaults, known)),
    )
