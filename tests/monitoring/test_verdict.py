"""The ladder, rung by rung, on evidence made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.settings import Monitoring
from monitoring.checks import Finding
from monitoring.outcomes import Performance
from monitoring.stability import Stability
from monitoring.verdict import TOLD, Remedy, Verdict, judge
from training.validate import Interval

QUIET = Stability("default_probability", 0.01, 0.02, "green")
DRIFTED = Stability("default_probability", 0.9, 0.02, "red")
DEAD = Finding("inflow", "missing", "red", 1.0, 0.0, "a feed went silent")
REPEATED = Finding("decisions", "repeated", "amber", 3, 0, "somebody asks twice")


def performed(
    auc: float = 0.78,
    ratio: float = 1.0,
    defaults: int = 100,
    auc_half: float = 0.02,
    promised_half: float = 0.02,
    ratio_half: float = 0.1,
) -> Performance:
    """Known outcomes of a model that was promised an AUC of 0.80."""
    return Performance(
        rows=2000,
        defaults=defaults,
        auc=Interval(auc, auc - auc_half, auc + auc_half),
        promised_auc=Interval(0.80, 0.80 - promised_half, 0.80 + promised_half),
        observed_to_expected=Interval(ratio, ratio - ratio_half, ratio + ratio_half),
    )


@pytest.fixture
def verdict(bounds: Monitoring) -> Callable[..., Verdict]:
    """The verdict on evidence in which nothing is wrong but what is said."""

    def judged(
        rows: int = 1000,
        findings: tuple[Finding, ...] = (),
        score: Stability = QUIET,
        performance: Performance | None = None,
    ) -> Verdict:
        return judge(rows, findings, score, performance, bounds)

    return judged


def test_a_model_that_holds_needs_nothing(verdict) -> None:
    found = verdict(performance=performed())
    assert found.remedy == "nothing"
    assert found.evidence == (
        "AUC 0.780 (promised 0.800), observed over expected defaults 1.00, on 2,000 matured decisions",
    )


def test_before_outcomes_no_drift_needs_nothing(verdict) -> None:
    assert verdict().remedy == "nothing"


def test_before_outcomes_drift_waits(verdict) -> None:
    found = verdict(score=DRIFTED)
    assert found.remedy == "wait"
    assert found.evidence[0] == "the PDs are spread differently: PSI 0.900, chance alone gives up to 0.020"


def test_drift_without_worse_outcomes_never_retrains(verdict) -> None:
    found = verdict(score=DRIFTED, performance=performed())
    assert found.remedy == "nothing"
    assert "spread differently" in found.evidence[1]


@pytest.mark.parametrize(("rows", "remedy"), [(0, "wait"), (199, "wait"), (200, "retrain")])
def test_too_few_rows_wait_whatever_else_is_known(verdict, rows: int, remedy: str) -> None:
    assert verdict(rows=rows, performance=performed(auc=0.6)).remedy == remedy


@pytest.mark.parametrize(("defaults", "remedy"), [(29, "nothing"), (30, "retrain")])
def test_too_few_defaults_judge_no_model(verdict, defaults: int, remedy: str) -> None:
    assert verdict(performance=performed(auc=0.6, defaults=defaults)).remedy == remedy


def test_faulty_data_are_repaired_first(verdict) -> None:
    found = verdict(findings=(REPEATED, DEAD), score=DRIFTED, performance=performed(auc=0.5, ratio=3))
    assert (found.remedy, found.evidence) == ("fix_data", ("inflow: a feed went silent",))


def test_every_fault_is_told(verdict) -> None:
    stuck = Finding("outflow", "constant", "red", 0, 0.1, "a feed is stuck")
    assert len(verdict(findings=(DEAD, stuck)).evidence) == 2


def test_an_amber_finding_alone_stops_nothing(verdict) -> None:
    assert verdict(findings=(REPEATED,)).remedy == "nothing"


def test_lost_ranking_retrains(verdict) -> None:
    found = verdict(performance=performed(auc=0.70))
    assert found.remedy == "retrain"
    assert found.evidence == (
        "AUC on 2,000 matured decisions is 0.700 (0.680 to 0.720); validation promised 0.800 (0.780 to 0.820)",
    )


def test_lost_level_recalibrates(verdict) -> None:
    found = verdict(performance=performed(ratio=1.6))
    assert found.remedy == "recalibrate"
    assert found.evidence == ("100 defaults among matured decisions are 1.60 times what the PDs expect (1.50 to 1.70)",)


def test_ranking_and_level_both_lost_retrains_and_tells_both(verdict) -> None:
    found = verdict(performance=performed(auc=0.6, ratio=1.6))
    assert (found.remedy, len(found.evidence)) == ("retrain", 2)


def test_too_few_defaults_are_a_lost_level_too(verdict) -> None:
    assert verdict(performance=performed(ratio=0.5)).remedy == "recalibrate"


@pytest.mark.parametrize(("auc", "remedy"), [(0.771, "nothing"), (0.769, "retrain")])
def test_a_fall_smaller_than_the_policy_says_is_none(verdict, auc: float, remedy: str) -> None:
    assert verdict(performance=performed(auc=auc, auc_half=0.001, promised_half=0.001)).remedy == remedy


@pytest.mark.parametrize(("half", "remedy"), [(0.08, "nothing"), (0.06, "retrain")])
def test_a_fall_must_pass_the_doubt_about_both_numbers(verdict, half: float, remedy: str) -> None:
    # A fall of 0.10 and two half-widths of 0.08: together 0.113. Of 0.06: 0.085.
    assert verdict(performance=performed(auc=0.70, auc_half=half, promised_half=half)).remedy == remedy


def test_a_promise_made_on_few_defaults_binds_less(verdict) -> None:
    assert verdict(performance=performed(auc=0.70, promised_half=0.15)).remedy == "nothing"


def test_a_level_within_its_interval_of_one_is_none_lost(verdict) -> None:
    assert verdict(performance=performed(ratio=1.4, ratio_half=0.5)).remedy == "nothing"


def test_a_level_inside_the_band_is_none_lost(verdict) -> None:
    assert verdict(performance=performed(ratio=1.2, ratio_half=0.05)).remedy == "nothing"


def test_a_better_model_than_promised_needs_nothing(verdict) -> None:
    assert verdict(performance=performed(auc=0.95)).remedy == "nothing"


@given(
    rows=st.integers(0, 5000),
    auc=st.floats(0.4, 1),
    ratio=st.floats(0.1, 5),
    defaults=st.integers(1, 500),
    score=st.sampled_from([QUIET, DRIFTED]),
    known=st.booleans(),
)
def test_faulty_data_never_train_a_model(bounds: Monitoring, rows, auc, ratio, defaults, score, known) -> None:
    performance = performed(auc, ratio, defaults) if known else None
    assert judge(rows, [DEAD], score, performance, bounds).remedy in ("fix_data", "wait")


@given(rows=st.integers(0, 5000), auc=st.floats(0.4, 1), ratio=st.floats(0.1, 5), defaults=st.integers(1, 500))
def test_drift_changes_no_verdict_on_a_judged_model(bounds: Monitoring, rows, auc, ratio, defaults) -> None:
    performance = performed(auc, ratio, defaults)
    found = {judge(rows, [], score, performance, bounds).remedy for score in (QUIET, DRIFTED)}
    assert len(found) == 1 or found == {"nothing", "wait"}


@given(rows=st.integers(0, 5000), score=st.sampled_from([QUIET, DRIFTED]))
def test_a_verdict_always_has_its_evidence(bounds: Monitoring, rows: int, score: Stability) -> None:
    assert judge(rows, [], score, None, bounds).evidence


def test_every_remedy_is_told() -> None:
    assert set(TOLD) == set(get_args(Remedy))
