"""How the model did where the outcome is known: only matured decisions, against what validation promised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.outcome import Labels
from monitoring.drift.windows import Window
from training.validate import Interval, auc_interval, observed_to_expected


@dataclass(frozen=True, slots=True)
class Performance:
    """Matured decisions: AUC beside the promised one, defaults observed over expected, each with its interval."""

    rows: int
    defaults: int
    auc: Interval
    promised_auc: Interval
    observed_to_expected: Interval


def performance(window: Window, labels: Labels, promised_auc: Interval) -> Performance | None:
    """Join the window to matured outcomes by customer and as_of; None without a default and a good among them."""
    found = dict(zip(zip(labels.customer_id, labels.as_of.tolist(), strict=True), labels.defaulted, strict=True))
    pairs = zip(window.customer_id, window.as_of.tolist(), strict=True)
    known = np.array([found.get(pair, -1) for pair in pairs], np.int8)
    judged = known >= 0
    bad = known[judged] == 1
    if not bad.any() or bad.all():
        return None
    predicted = window.default_probability[judged]
    return Performance(
        rows=int(judged.sum()),
        defaults=int(bad.sum()),
        auc=auc_interval(predicted, bad),
        promised_auc=promised_auc,
        observed_to_expected=observed_to_expected(int(bad.sum()), len(bad), float(predicted.mean())),
    )
