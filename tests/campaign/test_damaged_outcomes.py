"""Outcomes that come late, twice, contradicting, from the future, of nobody, flipped (R11): each counted, none used.

What a gate can not know by itself, that outcomes were wrong from the start, is tried too; the share it catches is told,
not promised.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from configs.errors import Refusal
from configs.settings import Gate, Outcome, Product, load_settings
from features.check import check_frame
from features.contracts import TABLES, to_day
from features.outcome import Labels
from monitoring.outcomes import restated
from monitoring.outcomes.arrivals import gather
from monitoring.outcomes.claims import Claim, Recorded
from tests.campaign.trials import Trials
from training import gate
from training.monotone import Certificate
from training.scaling import Scale, make_scale
from training.validate import auc_difference, validate

pytestmark = pytest.mark.campaign
DEFINITION = Outcome(window_months=12, days_past_due=90)
ASKED, CLOSED = to_day(dt.date(2024, 1, 31)), to_day(dt.date(2025, 1, 31))
NOW = to_day(dt.date(2025, 6, 30))


def iso(day: int) -> str:
    return str(np.datetime64(int(day), "D"))


@pytest.mark.campaign(daily=5)
def test_every_damaged_set_of_outcomes_is_counted_to_the_last_one(trials: Trials) -> None:
    for number in trials:
        rng = np.random.default_rng([trials.seed, number])
        many = int(rng.integers(50, 300))
        kinds = rng.choice(["sound", "late", "twice", "clash", "future", "unknown", "waiting"], many)
        bad = rng.random(many) < 0.1
        rows, claims, asked = [], [], set()
        for place, (kind, one) in enumerate(zip(kinds, bad, strict=True)):
            customer, told = f"c{place}", CLOSED + (100 if kind == "late" else 0)
            row = {"customer_id": customer, "as_of": iso(ASKED), "defaulted": int(one), "known_time": iso(told)}
            if kind != "unknown":
                asked.add((customer, ASKED))
            if kind == "future":
                row["known_time"] = iso(NOW + 30)
            if kind == "waiting":
                row["known_time"] = iso(ASKED + 30)
                row["observed_until"] = iso(ASKED + 30)
                row["defaulted"] = 0
            rows.append(row)
            if kind in ("twice", "clash"):
                says = bool(one) if kind == "twice" else not one
                claims.append(Claim(f"o{place}", f"d{place}", customer, ASKED, says, CLOSED, CLOSED))
        table = check_frame(TABLES["outcomes"], pd.DataFrame(rows), "test")
        found = Recorded(tuple(claims), frozenset(asked), ())
        counts = gather(found, table, frozenset(asked), DEFINITION, NOW, NOW).counts()
        count = {kind: int((kinds == kind).sum()) for kind in np.unique(kinds)}
        wanted = {
            "used": sum(count.get(kind, 0) for kind in ("sound", "late", "twice")),
            "late": count.get("late", 0),
            "repeated": count.get("twice", 0),
            "contradiction": count.get("clash", 0),
            "future": count.get("future", 0),
            "unknown": count.get("unknown", 0),
        }
        assert {name: counts[name] for name in wanted} == wanted, f"set {number}: {count}"


@pytest.mark.campaign(daily=5)
def test_outcomes_flipped_after_they_were_used_stop_a_retraining(tmp_path: Path, trials: Trials) -> None:
    caught = 0
    for number in trials:
        rng = np.random.default_rng([trials.seed, number])
        rows, share = int(rng.integers(1_000, 6_000)), rng.uniform(0.01, 0.10)
        before = (rng.random(rows) < 0.05).astype(np.int8)
        names = np.array([f"c{place}" for place in range(rows)], object)
        path = tmp_path / f"{number}.parquet"
        restated.remember(path, Labels(names, np.full(rows, ASKED, np.int32), before, 0))
        flipped = np.where(rng.random(rows) < share, 1 - before, before).astype(np.int8)
        try:
            restated.require_they_hold(path, Labels(names, np.full(rows, ASKED, np.int32), flipped, 0), 0.0001)
        except Refusal:
            caught += 1
        path.unlink()
    trials.found(stopped=caught)
    assert caught >= 0.95 * trials.count


def test_what_the_gate_catches_of_outcomes_that_were_poisoned_from_the_start(
    shipped: Callable[[str], Product], tmp_path: Path, trials: Trials
) -> None:
    """A challenger fitted to poisoned outcomes, beside a champion of sound ones, before the gate as shipped.

    Every other set is aimed at the best goods.
    """
    product, bounds = shipped("consumer_platform"), load_settings(tmp_path).gate
    scale = make_scale(product.scaling, product.grades)
    stopped = {False: 0, True: 0}
    for number in trials:
        targeted = number % 2 == 1
        stopped[targeted] += _stopped(np.random.default_rng([trials.seed, number]), targeted, bounds, scale)
    at_random = (trials.count + 1) // 2
    trials.found(
        stopped_of_random=f"{stopped[False]} of {at_random}", of_aimed=f"{stopped[True]} of {trials.count - at_random}"
    )


def _stopped(rng: np.random.Generator, targeted: bool, bounds: Gate, scale: Scale) -> bool:
    score = rng.normal(-3.2, 1.2, 6_000)
    share = rng.uniform(0.01, 0.10)
    chance = np.where(score < np.quantile(score, 2 * share), 0.5, 0.0) if targeted else share
    told = (rng.random(6_000) < expit(score)) | (rng.random(6_000) < chance)
    teach = np.arange(6_000) < 4_000
    bent = np.column_stack([score, np.maximum(score + 3.2, 0), np.minimum(score + 4.5, 0)])
    made = LogisticRegression(C=10.0, max_iter=1000).fit(bent[teach], told[teach])
    pds = made.predict_proba(bent)[:, 1]
    training_auc = float(roc_auc_score(told[teach], pds[teach]))
    against = auc_difference(pds[~teach], expit(score[~teach]), told[~teach])
    test = validate(pds[~teach], told[~teach], scale)
    return not gate.judge(test, training_auc, against, bounds, Certificate(0, ()), ()).passed
