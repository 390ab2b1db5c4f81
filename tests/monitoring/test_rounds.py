"""One round over decisions: outcomes gathered, early ones bridged, remedies valued, what followed told and kept."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.errors import Refusal
from configs.settings import load_settings
from features import load
from features.contracts import to_day
from features.simulate import Scenario, simulate
from monitoring.rounds import Asked, Round, go
from monitoring.telling import told
from monitoring.telling.gauges import exposition
from monitoring.telling.notify import undelivered
from serving import champion
from serving.ledger import Entry, Ledger, canonical
from serving.outcomes import record_outcome

NAME, AT = "consumer_platform", "2025-01-01T05:00:00+00:00"
TOLD = "2024-11-30T05:00:00+00:00"
DEAD = "http://127.0.0.1:9/hook"  # the discard port: nobody listens


@pytest.fixture(scope="module")
def round_of(world, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Decisions about strangers in a ledger of their own; what came of them is told twice, and once wrongly."""
    folder = tmp_path_factory.mktemp("round")
    ledger = Ledger(f"sqlite:///{folder}/ledger.db")
    champion.promote(ledger, world.bundle, None, "a test", "the first", "2023-01-01T00:00:00+00:00")
    portfolio = simulate(Scenario(1500, 31, months=24))
    months = (3, 6, 9, 18)
    outcomes = portfolio.outcomes(months).drop(columns="true_pd")
    tables = load.check_tables({**portfolio.tables, "outcomes": outcomes}, world.product, "simulation")
    customers = outcomes["customer_id"].to_numpy(object)
    as_of = np.array([to_day(day.date()) for day in outcomes["as_of"]], np.int32)
    scores = world.scorer.score(tables, customers, as_of)
    entries = []
    for place, (customer, day) in enumerate(zip(customers, outcomes["as_of"], strict=True)):
        body = {
            "question": {"requested_amount": None, "records": {"statements": [{}]}},
            "evidence": {"features": [None if np.isnan(v) else float(v) for v in scores.values[place]]},
            "answer": {
                "as_of": day.date().isoformat(),
                "model": world.bundle.version,
                "customer_id": customer,
                "default_probability": float(scores.default_probability[place]),
                "decision": "approve",
                "limit": 100.0,
            },
        }
        at = f"{day.date()}T10:00:00+00:00"
        entries.append(Entry(f"d-{place}", "decision", NAME, customer, at, canonical(body)))
    ledger.append(entries)
    bads, goods = (
        np.flatnonzero((outcomes["defaulted"] == bad) & (outcomes["as_of"] == outcomes["as_of"].iloc[0]))
        for bad in (1, 0)
    )
    first = outcomes["as_of"].iloc[0].date()
    record_outcome(ledger, f"d-{bads[0]}", True, first + dt.timedelta(60), TOLD)  # as the table says
    record_outcome(ledger, f"d-{goods[0]}", True, first + dt.timedelta(60), TOLD)  # the table says otherwise
    hooks = {
        "notices": {
            "webhooks": [DEAD],
            "attempts": 1,
            "remedies": ["nothing", "wait", "fix_data", "shift_intercept", "recalibrate", "retrain"],
        }
    }
    settings = load_settings(folder, {**hooks, "worth": {"draws": 200}, "early": {"draws": 200}})
    settings = settings.model_copy(update={"home": folder})
    (folder / "bundles").symlink_to(world.home / "bundles")
    (folder / "signing").symlink_to(world.home / "signing")
    now = to_day(portfolio.month_ends[23].date())
    asked = Asked(True, -(2**31), now, now, to_day(dt.date(2025, 1, 1)), False)
    made = go(world.product, tables, settings, ledger, asked, AT, lambda _: None)
    return {"made": made, "ledger": ledger, "folder": folder, "outcomes": outcomes, "customers": customers}


@pytest.fixture
def made(round_of: dict[str, Any]) -> Round:
    """What the round found."""
    return round_of["made"]


def test_what_is_known_and_what_is_estimated_stand_apart(made: Round, round_of) -> None:
    assert made.report.performance is not None
    known = int((round_of["outcomes"]["as_of"] < "2023-12-01").sum())
    assert made.report.performance.rows == known - 1  # but for the contradiction
    assert made.early is not None
    assert [one.vintage for one in made.early.vintages] == ["2024-07"]
    came = round_of["outcomes"].query("as_of > '2024-01-01'")["defaulted"].mean()
    assert made.early.vintages[0].default_rate.low < came < made.early.vintages[0].default_rate.high


def test_what_was_told_twice_or_wrongly_is_counted_and_kept(made: Round, round_of) -> None:
    counts = made.arrivals.counts()
    assert (counts["contradiction"], counts["repeated"]) == (1, 1)
    kept = (round_of["folder"] / "quarantine" / f"{NAME}-outcomes.csv").read_text()
    assert "contradiction" in kept


def test_the_remedies_are_valued_on_the_decisions_whose_outcome_is_known(made: Round) -> None:
    assert made.preview is not None
    assert made.preview.refit is not None
    assert made.preview.refit.rows == len(made.arrivals.labels)
    assert not made.preview.refit.pays  # nothing changed in this world


def test_the_round_is_on_record_beside_its_verdict(round_of) -> None:
    ledger: Ledger = round_of["ledger"]
    verdict, evidence = ledger.latest("verdict", NAME), ledger.latest("evidence", NAME)
    assert verdict is not None
    assert evidence is not None
    assert evidence.body()["outcomes"]["contradiction"] == 1
    assert ledger.verify()[0] > 0


def test_a_verdict_nobody_could_be_told_of_is_not_lost(made: Round, round_of) -> None:
    assert [bool(one.error) for one in made.told] == [True]
    assert [one.notice.kind for one in undelivered(round_of["ledger"], NAME)] == [made.report.verdict.remedy]
    assert any(line.startswith("NOT told") for line in told.lines(made))


def test_gauges_and_json_tell_the_same(made: Round) -> None:
    text = exposition(told.measured(made, AT))
    assert f'creditloop_monitor_verdict{{product="{NAME}",remedy="{made.report.verdict.remedy}"}} 1.0' in text
    assert f'creditloop_monitor_outcomes{{product="{NAME}",state="contradiction"}} 1.0' in text
    assert json.loads(json.dumps(told.to_json(made)["outcomes"]))["contradiction"] == 1


def test_without_a_champion_there_is_no_round(world, tmp_path: Path, round_of: Callable[..., Any]) -> None:
    bare = Ledger(f"sqlite:///{tmp_path}/bare.db")
    with pytest.raises(Refusal, match="has no champion yet"):
        go(world.product, {}, world.settings, bare, Asked(True, 0, 1, 1, 1, False), AT, lambda _: None)
