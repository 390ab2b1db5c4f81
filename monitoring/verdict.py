"""From evidence to one verdict: the cheapest remedy that suffices, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from configs.settings import Monitoring
from monitoring.checks import Finding
from monitoring.outcomes import Performance
from monitoring.stability import Stability

Remedy = Literal["nothing", "wait", "fix_data", "recalibrate", "retrain"]
TOLD: dict[str, str] = {
    "nothing": "Nothing to do.",
    "wait": "Wait: there is not enough to judge by yet.",
    "fix_data": "Fix the data; a model trained on them now would learn the fault.",
    "recalibrate": "Recalibrate: the ranking holds, the level of PD does not.",
    "retrain": "Retrain: the model no longer ranks as it did.",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do and the evidence, in sentences."""

    remedy: Remedy
    evidence: tuple[str, ...]

    @property
    def told(self) -> str:
        """The remedy as a sentence."""
        return TOLD[self.remedy]


def judge(
    rows: int,
    findings: Sequence[Finding],
    score_stability: Stability,
    performance: Performance | None,
    settings: Monitoring,
) -> Verdict:
    """Data before models, outcomes before distributions: drift without worse outcomes never retrains."""
    if rows < settings.minimum_rows:
        return Verdict("wait", (f"{rows} decisions; {settings.minimum_rows} are needed for a verdict",))
    faults = [finding for finding in findings if finding.level == "red"]
    if faults:
        return Verdict("fix_data", tuple(f"{finding.subject}: {finding.told}" for finding in faults))
    moved = _moved(score_stability)
    if performance is None or performance.defaults < settings.minimum_defaults:
        known = performance.defaults if performance else 0
        short = f"{known} defaults have matured; {settings.minimum_defaults} are needed to judge the model"
        return Verdict("wait" if moved else "nothing", (*moved, short))
    decayed = _auc_fell(performance, settings)
    if decayed:
        return Verdict("retrain", (*decayed, *_level_off(performance, settings), *moved))
    level = _level_off(performance, settings)
    if level:
        return Verdict("recalibrate", (*level, *moved))
    return Verdict("nothing", (_holds(performance), *moved))


def _moved(score: Stability) -> tuple[str, ...]:
    if score.level == "green":
        return ()
    return (f"the PDs are spread differently: PSI {score.psi:.3f}, chance alone gives up to {score.bound:.3f}",)


def _auc_fell(performance: Performance, settings: Monitoring) -> tuple[str, ...]:
    auc, promised = performance.auc, performance.promised_auc
    fell = promised.value - auc.value
    # The promise is an estimate too, often from fewer defaults: two independent intervals, so their squares add.
    doubt = math.hypot(auc.high - auc.value, promised.value - promised.low)
    if fell < settings.auc_drop or fell <= doubt:
        return ()
    return (
        f"AUC on {performance.rows:,} matured decisions is {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}); "
        f"validation promised {promised.value:.3f} ({promised.low:.3f} to {promised.high:.3f})",
    )


def _level_off(performance: Performance, settings: Monitoring) -> tuple[str, ...]:
    ratio = performance.observed_to_expected
    if settings.calibration_ratio.holds(ratio.value) or ratio.low <= 1 <= ratio.high:
        return ()
    return (
        f"{performance.defaults} defaults among matured decisions are {ratio.value:.2f} times what the PDs expect "
        f"({ratio.low:.2f} to {ratio.high:.2f})",
    )


def _holds(performance: Performance) -> str:
    return (
        f"AUC {performance.auc.value:.3f} (promised {performance.promised_auc.value:.3f}), observed over expected "
        f"defaults {performance.observed_to_expected.value:.2f}, on {performance.rows:,} matured decisions"
    )
