"""The ladder, rung by rung, on evidence made by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from configs.settings import Monitoring
from monitoring.drift.checks import Finding
from monitoring.drift.money import Effect, Money
from monitoring.drift.stability import Stability, budget_of
from monitoring.outcomes.level import Level
from monitoring.outcomes.performance import Performance
from monitoring.outcomes.power import Power, Promise, power_of
from monitoring.verdict import TOLD, Evidence, Remedy, Verdict, judge
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


def levelled(ratio: float = 1.0, slope: float = 1.0, defaults: int = 400, taught_by: int = 400) -> Level:
    """The level and shape of PDs on matured outcomes."""
    around = Interval(slope, slope - 0.1, slope + 0.1)
    return Level(
        defaults, Interval(ratio, ratio - 0.1, ratio + 0.1), around, Interval(1.0, 0.9, 1.1), math.log(ratio), taught_by
    )


def moneyed(subject: str, at_stake: float, material: bool = True) -> Money:
    """A book of which one feature moved."""
    stake, none = Interval(at_stake, at_stake * 0.9, at_stake * 1.1), Interval(0.0, 0.0, 0.0)
    effect = Effect(subject, "feature", (subject,), stake, none, none, none, material)
    return Money("EUR", 1000, 1000, 50_000.0, 800, 1e6, (effect,))


@dataclass(frozen=True)
class Gain:
    """What a new model would be worth."""

    value: float
    low: float
    cost: float = 10_000.0

    @property
    def pays(self) -> bool:
        """Whether the bound exceeds the cost."""
        return self.low > self.cost


WEAK = Power(defaults=500, known=100, outcomes=12_000, smallest_fall=0.03)
STRONG = Power(defaults=100, known=200, outcomes=0, smallest_fall=0.03)


@pytest.fixture
def verdict(bounds: Monitoring) -> Callable[..., Verdict]:
    """The verdict on evidence in which nothing is wrong but what is said."""

    def judged(
        rows: int = 1000,
        findings: tuple[Finding, ...] = (),
        score: Stability = QUIET,
        performance: Performance | None = None,
        **more: object,
    ) -> Verdict:
        return judge(Evidence(rows, findings, score, performance, **more), bounds)

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
    assert found.evidence[0].startswith(
        "AUC on 2,000 matured decisions is 0.700 (0.680 to 0.720); validation promised 0.800 (0.780 to 0.820)"
    )


def test_a_lost_level_shifts_the_intercept_and_says_by_how_much(verdict) -> None:
    found = verdict(performance=performed(), level=levelled(ratio=1.6))
    assert found.remedy == "shift_intercept"
    assert found.evidence == (
        "400 defaults among matured decisions are 1.60 times what the PDs expect (1.50 to 1.70)",
        "add +0.47 to the log-odds of default; ranks and reasons stay",
    )


def test_a_lost_slope_recalibrates(verdict) -> None:
    found = verdict(performance=performed(), level=levelled(slope=0.5))
    assert found.remedy == "recalibrate"
    assert found.evidence == ("the slope of logit(outcome) on logit(PD) is 0.50 (0.40 to 0.60)",)


def test_slope_and_level_both_lost_recalibrate_and_tell_both(verdict) -> None:
    found = verdict(performance=performed(), level=levelled(ratio=1.6, slope=0.5))
    assert (found.remedy, len(found.evidence)) == ("recalibrate", 2)


def test_ranking_and_level_both_lost_retrains_and_tells_both(verdict) -> None:
    found = verdict(performance=performed(auc=0.6), level=levelled(ratio=1.6))
    assert (found.remedy, len(found.evidence)) == ("retrain", 3)


def test_too_few_defaults_are_a_lost_level_too(verdict) -> None:
    assert verdict(performance=performed(), level=levelled(ratio=0.5)).remedy == "shift_intercept"


def test_a_level_that_few_defaults_taught_binds_less(verdict) -> None:
    assert verdict(performance=performed(), level=levelled(ratio=1.5, taught_by=20)).remedy == "nothing"


@pytest.mark.parametrize(("low", "remedy"), [(10_001.0, "retrain"), (10_000.0, "nothing"), (-5.0, "nothing")])
def test_lost_ranking_retrains_only_where_it_pays_beyond_doubt(verdict, low: float, remedy: str) -> None:
    found = verdict(performance=performed(auc=0.7), worth=Gain(50_000.0, low))
    assert found.remedy == remedy
    assert any("that the change costs" in line for line in found.evidence)


def test_where_retraining_does_not_pay_the_cheaper_remedy_is_taken(verdict) -> None:
    found = verdict(performance=performed(auc=0.7), level=levelled(ratio=1.6), worth=Gain(5000.0, 10.0))
    assert found.remedy == "shift_intercept"


@pytest.mark.parametrize(("low", "remedy"), [(10_001.0, "retrain"), (10_000.0, "shift_intercept")])
def test_a_lost_level_retrains_where_a_new_model_pays_beyond_doubt(verdict, low: float, remedy: str) -> None:
    found = verdict(performance=performed(), level=levelled(ratio=1.6), worth=Gain(50_000.0, low))
    assert found.remedy == remedy
    assert any("that the change costs" in line for line in found.evidence)


def test_a_gain_alone_never_retrains(verdict) -> None:
    assert verdict(performance=performed(), worth=Gain(1e6, 9e5)).remedy == "nothing"


def test_money_that_drifts_waits_for_as_many_outcomes_as_the_test_needs(verdict) -> None:
    found = verdict(performance=performed(), power=WEAK, money=moneyed("income", 9000.0))
    assert (found.remedy, found.outcomes_needed) == ("wait", 12_000)
    assert found.told.startswith("Wait for about 12,000 more outcomes")
    assert found.evidence[0] == "income: expected loss at stake 9,000 EUR (8,100 to 9,900) of 50,000"


def test_money_that_drifts_needs_nothing_where_the_test_could_have_seen_a_loss(verdict) -> None:
    assert verdict(performance=performed(), power=STRONG, money=moneyed("income", 9000.0)).remedy == "nothing"


def test_drift_that_costs_nothing_waits_for_nothing(verdict) -> None:
    assert verdict(power=WEAK, money=moneyed("shoe_size", 3.0, material=False)).remedy == "nothing"


def test_the_costliest_fault_is_told_first(verdict) -> None:
    cheap = Finding("outflow", "missing", "red", 1.0, 0.0, "a feed went silent")
    found = verdict(findings=(cheap, DEAD), money=moneyed("inflow", 700.0))
    assert found.evidence[0] == "inflow: a feed went silent; expected loss at stake 700 EUR"
    assert found.evidence[1].startswith("outflow: ")


def test_the_defaults_needed_give_the_test_its_power(bounds: Monitoring) -> None:
    promise = Promise(Interval(0.8, 0.78, 0.82), 2000, 0.04)
    budget = budget_of(bounds)
    power = power_of(0, promise, budget, bounds)
    # At exactly so many defaults, the fall asked for lies z_alpha + z_power standard errors away.
    error = math.hypot(0.02 / 1.959964, 0.02 / 1.959964 * math.sqrt(2000 / power.defaults))
    assert 0.03 / error == pytest.approx(norm.isf(budget.ranking) + norm.ppf(0.8), rel=2e-3)
    assert power.outcomes == math.ceil(power.defaults / 0.04)
    assert not power.enough


def test_a_promise_too_vague_for_any_number_asks_for_as_many_as_made_it(bounds: Monitoring) -> None:
    power = power_of(10, Promise(Interval(0.8, 0.7, 0.9), 40, 0.05), budget_of(bounds), bounds)
    assert (power.defaults, power.outcomes) == (40, 600)
    assert power.smallest_fall > 0.03


@pytest.mark.parametrize(("auc", "remedy"), [(0.771, "nothing"), (0.769, "retrain")])
def test_a_fall_smaller_than_the_policy_says_is_none(verdict, auc: float, remedy: str) -> None:
    assert verdict(performance=performed(auc=auc, auc_half=0.001, promised_half=0.001)).remedy == remedy


@pytest.mark.parametrize(("half", "remedy"), [(0.08, "nothing"), (0.06, "retrain")])
def test_a_fall_must_pass_the_doubt_about_both_numbers(verdict, half: float, remedy: str) -> None:
    # A fall of 0.10 and two standard errors of 0.08 / 1.96: 1.73 of them together; of 0.06 / 1.96: 2.31. Needed: 2.04.
    assert verdict(performance=performed(auc=0.70, auc_half=half, promised_half=half)).remedy == remedy


def test_a_promise_made_on_few_defaults_binds_less(verdict) -> None:
    assert verdict(performance=performed(auc=0.70, promised_half=0.15)).remedy == "nothing"


def test_a_level_that_chance_explains_is_none_lost(verdict) -> None:
    assert verdict(performance=performed(), level=levelled(ratio=1.4, defaults=40)).remedy == "nothing"


def test_a_level_inside_the_band_is_none_lost(verdict) -> None:
    assert verdict(performance=performed(), level=levelled(1.2, defaults=90_000, taught_by=90_000)).remedy == "nothing"


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
    assert judge(Evidence(rows, [DEAD], score, performance), bounds).remedy in ("fix_data", "wait")


@given(rows=st.integers(0, 5000), auc=st.floats(0.4, 1), ratio=st.floats(0.1, 5), defaults=st.integers(1, 500))
def test_drift_changes_no_verdict_on_a_judged_model(bounds: Monitoring, rows, auc, ratio, defaults) -> None:
    performance = performed(auc, ratio, defaults)
    found = {judge(Evidence(rows, [], score, performance), bounds).remedy for score in (QUIET, DRIFTED)}
    assert len(found) == 1 or found == {"nothing", "wait"}


@given(rows=st.integers(0, 5000), score=st.sampled_from([QUIET, DRIFTED]))
def test_a_verdict_always_has_its_evidence(bounds: Monitoring, rows: int, score: Stability) -> None:
    assert judge(Evidence(rows, [], score), bounds).evidence


def test_every_remedy_is_told() -> None:
    assert set(TOLD) == set(get_args(Remedy))
