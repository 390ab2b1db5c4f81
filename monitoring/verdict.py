"""From evidence to one verdict: the cheapest remedy that suffices, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from scipy.stats import norm

from configs.settings import Monitoring
from monitoring.drift.checks import Finding
from monitoring.drift.money import Money
from monitoring.drift.stability import Budget, Stability, budget_of
from monitoring.outcomes.level import Level
from monitoring.outcomes.performance import Performance
from monitoring.outcomes.power import Power, standard_error

Remedy = Literal["nothing", "wait", "fix_data", "shift_intercept", "recalibrate", "retrain"]
TOLD: dict[str, str] = {
    "nothing": "Nothing to do.",
    "wait": "Wait: there is not enough to judge by yet.",
    "fix_data": "Fix the data; a model trained on them now would learn the fault.",
    "shift_intercept": "Shift the intercept: ranking and shape hold, the level of PD does not.",
    "recalibrate": "Recalibrate: the ranking holds, the PDs do not.",
    "retrain": "Retrain: a new model would do what this one no longer does.",
}


class Worth(Protocol):
    """What a new model would be worth in the product's currency: `monitoring.retraining.worth.Worth` is one."""

    @property
    def value(self) -> float:
        """What it would gain over the horizon."""

    @property
    def low(self) -> float:
        """The lower bound of that."""

    @property
    def cost(self) -> float:
        """Of the change."""

    @property
    def pays(self) -> bool:
        """Whether the lower bound exceeds the cost."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a verdict rests on. What is not known (no outcomes, no policy to count money by) is None."""

    rows: int
    findings: Sequence[Finding]
    score: Stability
    performance: Performance | None = None
    level: Level | None = None
    power: Power | None = None
    money: Money | None = None
    worth: Worth | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do and the evidence, in sentences; `outcomes_needed` is how many more must mature where one waits."""

    remedy: Remedy
    evidence: tuple[str, ...]
    outcomes_needed: int | None = None

    @property
    def told(self) -> str:
        """The remedy as a sentence."""
        if self.remedy == "wait" and self.outcomes_needed:
            return f"Wait for about {self.outcomes_needed:,} more outcomes: there is not enough to judge by yet."
        return TOLD[self.remedy]


def judge(evidence: Evidence, settings: Monitoring) -> Verdict:
    """Data before models, outcomes before distributions, the cheapest remedy that suffices.

    Drift without worse outcomes never retrains. Where `worth` is known, only if it pays: then a lost level is reason
    enough to look, for a new model gains what moving the level alone does not.
    """
    if evidence.rows < settings.minimum_rows:
        return Verdict("wait", (f"{evidence.rows} decisions; {settings.minimum_rows} are needed for a verdict",))
    faults = [finding for finding in evidence.findings if finding.level == "red"]
    if faults:
        return Verdict("fix_data", _faults(faults, evidence.money))
    moved = (*_moved(evidence.score), *_costs(evidence.money))
    performance = evidence.performance
    if performance is None or performance.defaults < settings.minimum_defaults:
        return _unjudged(evidence, moved, performance.defaults if performance else 0, settings)
    budget = budget_of(settings)
    remedy, level = _level_off(evidence.level, budget, settings)
    decayed = _auc_fell(performance, budget, settings)
    worth = _worth(evidence.worth)
    pays = evidence.worth is not None and evidence.worth.pays
    if (decayed and evidence.worth is None) or (pays and (decayed or remedy != "nothing")):
        return Verdict("retrain", (*decayed, *level, *worth, *moved))
    if remedy != "nothing":
        return Verdict(remedy, (*level, *decayed, *worth, *moved))
    if decayed:
        return Verdict("nothing", (*worth, *decayed, *moved))
    return _held(evidence, performance, moved)


def _faults(faults: Sequence[Finding], money: Money | None) -> tuple[str, ...]:
    """What is at stake first."""
    effects = [money.of(finding.subject) if money else None for finding in faults]
    stakes = [effect.at_stake.value if effect else 0.0 for effect in effects]
    order = sorted(range(len(faults)), key=lambda place: -stakes[place])
    told = [f"{finding.subject}: {finding.told}" for finding in faults]
    if money is None:
        return tuple(told)
    return tuple(f"{told[at]}; expected loss at stake {stakes[at]:,.0f} {money.currency}" for at in order)


def _unjudged(evidence: Evidence, moved: tuple[str, ...], known: int, settings: Monitoring) -> Verdict:
    if evidence.power is None:
        short = f"{known} defaults have matured; {settings.minimum_defaults} are needed to judge the model"
        return Verdict("wait" if moved else "nothing", (*moved, short))
    needed = evidence.power.outcomes if moved else None
    return Verdict("wait" if moved else "nothing", (*moved, evidence.power.told), needed)


def _held(evidence: Evidence, performance: Performance, moved: tuple[str, ...]) -> Verdict:
    """No test of outcomes objects: nothing to do, unless money drifts and the tests are too weak for that to count."""
    power, holds = evidence.power, _holds(performance)
    if power is None or power.enough:
        return Verdict("nothing", (holds, *moved))
    if _costs(evidence.money):
        return Verdict("wait", (*moved, holds, power.told), power.outcomes)
    return Verdict("nothing", (holds, *moved, power.told))


def _moved(score: Stability) -> tuple[str, ...]:
    if score.level == "green":
        return ()
    return (f"the PDs are spread differently: PSI {score.psi:.3f}, chance alone gives up to {score.bound:.3f}",)


def _costs(money: Money | None) -> tuple[str, ...]:
    """The drift that matters most, in money."""
    if money is None or not money.material:
        return ()
    most = money.material[0]
    stake = most.at_stake
    return (
        f"{most.subject}: expected loss at stake {stake.value:,.0f} {money.currency} "
        f"({stake.low:,.0f} to {stake.high:,.0f}) of {money.expected_loss:,.0f}",
    )


def _auc_fell(performance: Performance, budget: Budget, settings: Monitoring) -> tuple[str, ...]:
    auc, promised = performance.auc, performance.promised_auc
    fell = promised.value - auc.value
    # The promise is an estimate too, often from fewer defaults: the variances of two independent estimates add.
    doubt = math.hypot(standard_error(auc), standard_error(promised))
    chance = float(norm.sf(fell / doubt)) if doubt > 0 else float(fell <= 0)
    if fell < settings.auc_drop or chance > budget.ranking:
        return ()
    return (
        f"AUC on {performance.rows:,} matured decisions is {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}); "
        f"validation promised {promised.value:.3f} ({promised.low:.3f} to {promised.high:.3f}); "
        f"by chance so low once in {1 / max(chance, 1e-6):,.0f} runs",
    )


def _worth(worth: Worth | None) -> tuple[str, ...]:
    if worth is None:
        return ()
    told = "more than" if worth.pays else "not more than"
    return (
        f"a new model would gain {worth.value:,.0f}, at least {worth.low:,.0f} beyond doubt: "
        f"{told} the {worth.cost:,.0f} that the change costs",
    )


def _level_off(level: Level | None, budget: Budget, settings: Monitoring) -> tuple[Remedy, tuple[str, ...]]:
    """The cheaper remedy that suffices: a new level, or a new line where the slope is off too."""
    if level is None:
        return "nothing", ()
    width = float(norm.isf(budget.level / 4))  # two tests share the level's budget, each two-sided
    ratio, slope = level.ratio, level.slope
    told = (
        f"{level.defaults} defaults among matured decisions are {ratio.value:.2f} times what the PDs expect "
        f"({ratio.low:.2f} to {ratio.high:.2f})",
    )
    off = (
        not settings.calibration_ratio.holds(ratio.value)
        # The level rests on the defaults that taught it; the variance of the log of a count is 1 over the count.
        and abs(math.log(ratio.value)) > width * math.sqrt(1 / level.defaults + 1 / max(1, level.taught_by))
    )
    doubt = math.hypot(standard_error(slope), standard_error(level.promised_slope))
    if not settings.calibration_slope.holds(slope.value) and abs(slope.value - 1) > width * doubt:
        line = f"the slope of logit(outcome) on logit(PD) is {slope.value:.2f} ({slope.low:.2f} to {slope.high:.2f})"
        return "recalibrate", (line, *(told if off else ()))
    if off:
        return "shift_intercept", (*told, f"add {level.shift:+.2f} to the log-odds of default; ranks and reasons stay")
    return "nothing", ()


def _holds(performance: Performance) -> str:
    return (
        f"AUC {performance.auc.value:.3f} (promised {performance.promised_auc.value:.3f}), observed over expected "
        f"defaults {performance.observed_to_expected.value:.2f}, on {performance.rows:,} matured decisions"
    )
