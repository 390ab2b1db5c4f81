"""A level that is off is put right on the same trees: a challenger without a training, judged like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import Refusal
from features import load
from features.simulate import Scenario, simulate
from monitoring.retraining.retrain import retrain
from serving import champion
from serving.ledger import Entry, Ledger, canonical
from serving.live import utc_now
from training import verify
from training.calibrate import Calibration
from training.fit import raw_score

NAME = "consumer_platform"
KNOTS = ((-4.0, -5.0), (-1.0, -1.5), (2.0, 1.0))


@pytest.fixture(scope="module")
def ask(world, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Carry out a remedy for the champion on outcomes of a worse economy: all default twice as often."""
    portfolio = simulate(Scenario(3000, 21, months=24, base_hazard=-5.6))
    days = {month: portfolio.month_ends[month] for month in (9, 11)}

    def asked(remedy: str, home: Path, months: tuple[int, ...] = (9, 11)) -> Any:
        ledger = Ledger(f"sqlite:///{home}/ledger.db")
        champion.promote(ledger, world.bundle, None, "a test", "the first model", utc_now())
        body = {"model": world.bundle.version, "now": "2024-12-31", "remedy": remedy, "evidence": ["by hand"]}
        at = utc_now()
        ledger.append([Entry(f"verdict-{NAME}-{at}", "verdict", NAME, world.bundle.version, at, canonical(body))])
        outcomes = portfolio.outcomes(months).drop(columns="true_pd")
        tables = load.check_tables({**portfolio.tables, "outcomes": outcomes}, world.product, "simulation")
        for name in ("bundles", "signing"):
            (home / name).symlink_to(world.home / name)
        settings = world.settings.model_copy(update={"home": home})
        now = int(days[11].to_datetime64().astype("datetime64[D]").astype(int)) + 400
        made = retrain(world.product, tables, settings, ledger, now, utc_now(), _no_trial, lambda _: None)
        return made, ledger

    return asked


def _no_trial(*_: object) -> None:
    raise AssertionError("nothing may be tuned")


@pytest.fixture(scope="module")
def shifted(ask, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The challenger of a verdict to shift the intercept, and the ledger that knows it."""
    return ask("shift_intercept", tmp_path_factory.mktemp("shifted"))


def test_the_trees_the_order_and_the_reasons_stay(shifted, world) -> None:
    made = shifted[0].bundle
    assert made.booster.model_to_string() == world.bundle.booster.model_to_string()
    assert made.training["reasons"] == world.bundle.training["reasons"]
    rows, scores = world.bundle.golden()
    np.testing.assert_array_equal(raw_score(made.booster, rows), scores)
    assert made.training["recalibrated_from"] == world.bundle.version


def test_every_log_odds_moves_by_the_same(shifted, world) -> None:
    scores = np.linspace(-5, 1, 50)
    moved = shifted[0].bundle.calibration.log_odds(scores) - world.bundle.calibration.log_odds(scores)
    assert np.ptp(moved) < 1e-12
    assert 0.3 < moved[0] < 1.2  # log(2) would be 0.69


def test_the_gate_judges_it_on_customers_that_did_not_set_the_level(shifted) -> None:
    checks = {check.name: check for check in shifted[0].verdict.checks}
    assert checks["observed_to_expected"].passed
    assert checks["not_worse_than_champion"].passed
    parts = shifted[0].bundle.training["parts"]
    assert parts["train"]["customers"] > 3 * parts["test"]["customers"]


def test_its_report_derives_from_what_it_holds(shifted) -> None:
    compared, differ = verify.verify(shifted[0].bundle)
    assert (compared > 300, differ) == (True, ())


def test_it_is_a_challenger_on_record_and_promotes_nothing(shifted, world) -> None:
    made, ledger = shifted
    body = ledger.latest("retraining", NAME).body()
    assert (body["remedy"], body["challenger"]) == ("shift_intercept", made.bundle.version)
    assert champion.current(ledger, NAME).version == world.bundle.version


def test_without_outcomes_since_the_champion_was_made_it_says_what_is_missing(ask, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"0 defaults and 0 goods asked about after .* teach; 30 of each are needed"):
        ask("recalibrate", tmp_path, (0, 2))


@given(st.floats(-2, 2), st.floats(0.1, 3), st.sampled_from([(), KNOTS]), st.floats(-0.5, 0.5))
def test_a_line_through_a_calibration_is_the_line_of_its_log_odds(
    intercept: float, slope: float, knots: Any, bend: float
) -> None:
    one = Calibration(-0.3, 1.2, bend, knots)
    scores = np.linspace(-6, 3, 20)
    expected = intercept + slope * one.log_odds(scores)
    np.testing.assert_allclose(one.through(intercept, slope).log_odds(scores), expected, atol=1e-12)
