"""From a verdict to a challenger: who may call for it, one at a time, and what stays on record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.errors import Refusal
from features import load
from features.outcome import Labels
from features.simulate import Portfolio
from monitoring import watch
from monitoring.drift.windows import from_tables
from monitoring.outcomes import restated
from monitoring.retraining import grounds
from monitoring.retraining.retrain import retrain
from serving import champion
from serving.ledger import Entry, Ledger, canonical
from serving.live import utc_now

NAME = "consumer_platform"
HOLD = """
import pathlib, sys, time
from configs.errors import Refusal
from configs.lock import only_one
try:
    with only_one(pathlib.Path(sys.argv[1]) / "retraining-consumer_platform.lock", "a retraining is running already"):
        print("held", flush=True)
        sys.stdin.read()
except Refusal as no:
    print(no, flush=True)
"""


@pytest.fixture
def ledger(world, tmp_path: Path) -> Ledger:
    """A ledger that knows the champion and nothing else."""
    own = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    champion.promote(own, world.bundle, None, "a test", "the first model", utc_now())
    return own


@pytest.fixture
def ask(world, ledger: Ledger) -> Callable[..., Any]:
    """Ask for a retraining that must be refused before it reads a table."""

    def asked(anyway: str | None = None) -> Any:
        return retrain(world.product, {}, world.settings, ledger, 0, utc_now(), _no_trial, _no_stage, anyway)

    return asked


def _process(home: Path) -> subprocess.Popen[str]:
    """Another process that takes its turn to retrain, and holds it until its standard input closes."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


@pytest.fixture
def holder(world) -> Iterator[subprocess.Popen[str]]:
    """Another process in the midst of a retraining."""
    with _process(world.home) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def _no_trial(*_: object) -> None:
    raise AssertionError("nothing may be tuned")


def _no_stage(_: str) -> None:
    raise AssertionError("nothing may begin")


def _verdict(ledger: Ledger, remedy: str, model: str) -> None:
    body = {"model": model, "now": "2024-10-31", "remedy": remedy, "evidence": ["made by hand"]}
    at = utc_now()
    ledger.append([Entry(f"verdict-{NAME}-{at}", "verdict", NAME, model, at, canonical(body))])


def test_without_a_verdict_nothing_is_trained(ask) -> None:
    with pytest.raises(Refusal, match="no verdict yet; run creditloop monitor run first, or say why without: --anyway"):
        ask()


def test_a_verdict_on_another_model_trains_nothing(ask, ledger: Ledger, world) -> None:
    _verdict(ledger, "retrain", "an older model")
    with pytest.raises(Refusal, match=f"is on an older model, not on the champion {world.bundle.version}"):
        ask()


@pytest.mark.parametrize(
    ("remedy", "told"), [("fix_data", "Fix the data"), ("wait", "Wait"), ("nothing", "Nothing to do")]
)
def test_a_verdict_that_calls_for_something_else_trains_nothing(
    ask, ledger: Ledger, world, remedy: str, told: str
) -> None:
    _verdict(ledger, remedy, world.bundle.version)
    with pytest.raises(Refusal, match=f"the verdict of 2024-10-31 is: {told}"):
        ask()


def test_only_the_latest_verdict_counts(ask, ledger: Ledger, world) -> None:
    _verdict(ledger, "retrain", world.bundle.version)
    _verdict(ledger, "fix_data", world.bundle.version)
    with pytest.raises(Refusal, match="Fix the data"):
        ask()


def test_without_a_champion_nothing_is_retrained(world, tmp_path: Path) -> None:
    bare = Ledger(f"sqlite:///{tmp_path}/bare.db")
    with pytest.raises(Refusal, match="has no champion yet"):
        retrain(world.product, {}, world.settings, bare, 0, utc_now(), _no_trial, _no_stage, "because")


def test_a_second_retraining_is_refused_while_one_runs(ask, holder) -> None:
    with pytest.raises(Refusal, match="a retraining is running already"):
        ask("because")


def test_of_four_processes_at_once_one_runs_and_the_others_say_so(tmp_path: Path) -> None:
    racers = [_process(tmp_path) for _ in range(4)]
    told = []
    for process in racers:
        assert process.stdout is not None
        told.append(process.stdout.readline())
    for process in racers:
        process.communicate("", timeout=30)
    assert sorted(told) == ["a retraining is running already\n"] * 3 + ["held\n"]


def test_a_killed_retraining_frees_the_way(ask, holder) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with pytest.raises(Refusal, match="no verdict yet"):
        ask()


def test_a_refused_retraining_leaves_no_record(ask, ledger: Ledger) -> None:
    with pytest.raises(Refusal):
        ask()
    assert ledger.latest("retraining", NAME) is None


def _retraining(ledger: Ledger, now: str, data: str = "") -> None:
    body = {"now": now, "data": data}
    ledger.append([Entry(f"retraining-{NAME}-{now}", "retraining", NAME, "a challenger", utc_now(), canonical(body))])


def test_soon_after_a_retraining_there_is_no_other(ask, ledger: Ledger, world) -> None:
    _verdict(ledger, "retrain", world.bundle.version)
    _retraining(ledger, "1969-12-20")
    with pytest.raises(Refusal, match=r"retrained 12 days ago .* may begin after 30"):
        ask()


def test_the_same_data_train_no_second_challenger_whoever_asks(ask, ledger: Ledger, world) -> None:
    data = grounds.fingerprint(world.product, {}, world.settings, 0)
    _retraining(ledger, "1960-01-01", data)
    with pytest.raises(Refusal, match="made of the same data and settings"):
        ask("because I say so")


def test_other_outcomes_or_settings_are_other_data(world, tables_with, unchanged: Portfolio, watched_day: int) -> None:
    tables = tables_with(unchanged)
    later = world.settings.model_copy(update={"training": world.settings.training.model_copy(update={"seed": 1})})
    early, late = watched_day + 10, watched_day + 400
    made = [
        grounds.fingerprint(world.product, tables, settings, now)
        for settings, now in (
            (world.settings, early),
            (world.settings, late),
            (later, late),
            (world.settings, late + 1),
        )
    ]
    assert len(set(made[:3])) == 3
    assert made[3] == made[1]  # a day on which nothing matured brings nothing new


def _labels(*bad: int) -> Labels:
    ids = np.array([f"c{place}" for place in range(len(bad))], object)
    return Labels(ids, np.full(len(bad), 19_000, np.int32), np.array(bad, np.int8), 0)


def test_outcomes_that_hold_or_are_corrected_now_and_then_stop_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kept.parquet"
    restated.require_they_hold(path, _labels(0, 1), 0.0001)  # nothing is known yet
    restated.remember(path, _labels(*[0] * 950, *[1] * 50))
    restated.require_they_hold(path, _labels(*[0] * 949, *[1] * 51, 0, 1), 0.0001)
    assert restated.compare(path, _labels(*[0] * 949, *[1] * 51)) == restated.Restated(1000, 1, 0)


@pytest.mark.parametrize("share", [0.01, 0.03, 0.10])
def test_outcomes_restated_in_numbers_stop_a_retraining(tmp_path: Path, share: float) -> None:
    path = tmp_path / "kept.parquet"
    flipped = round(2000 * share)
    restated.remember(path, _labels(*[0] * 2000))
    with pytest.raises(Refusal, match=f"2,000 outcomes used before, {flipped} now say otherwise and 0 are gone"):
        restated.require_they_hold(path, _labels(*[1] * flipped, *[0] * (2000 - flipped)), 0.0001)


def test_outcomes_that_vanish_from_their_vintage_stop_a_retraining(tmp_path: Path) -> None:
    path = tmp_path / "kept.parquet"
    restated.remember(path, _labels(*[0] * 900, *[1] * 100))
    with pytest.raises(Refusal, match="100 are gone"):
        restated.require_they_hold(path, _labels(*[0] * 900), 0.0001)


@pytest.fixture(scope="module")
def retrained(world, tables_with, labels_of, changed: Portfolio, watched_day: int) -> dict[str, Any]:
    """The loop closed: a changed concept, watched, called for and retrained; a second one tried meanwhile."""
    tables = tables_with(changed)
    book = from_tables(world.scorer, tables, watched_day)
    report = watch.run(book, world.bundle, labels_of(tables), world.settings, watched_day, False, lambda _: None)
    watch.record(report, world.ledger, utc_now())
    meanwhile: list[str] = []

    def stage(_: str) -> None:
        with pytest.raises(Refusal) as refused:
            retrain(world.product, {}, world.settings, world.ledger, 0, utc_now(), _no_trial, _no_stage, "because")
        meanwhile.append(str(refused.value))

    late = {"outcomes": changed.outcomes(range(0, 10, 3)).drop(columns="true_pd")}
    taught = tables | load.check_tables(late, world.product, "simulation")
    now, at = watched_day + 400, utc_now()
    outcome = retrain(world.product, taught, world.settings, world.ledger, now, at, lambda *_: None, stage)
    record = world.ledger.latest("retraining", NAME)
    assert record is not None

    def again() -> Any:
        return retrain(world.product, taught, world.settings, world.ledger, now, utc_now(), _no_trial, _no_stage, "so")

    return {"outcome": outcome, "record": record, "meanwhile": set(meanwhile), "report": report, "again": again}


def test_a_verdict_that_calls_for_it_makes_a_challenger(retrained, world) -> None:
    made = retrained["outcome"].bundle
    assert made.version != world.bundle.version
    assert champion.bundle_folder(world.home, NAME, made.version) == made.folder


def test_the_challenger_is_held_against_the_champion_on_the_same_rows(retrained) -> None:
    assert retrained["outcome"].against_champion is not None
    assert "not_worse_than_champion" in [check.name for check in retrained["outcome"].verdict.checks]


def test_where_the_concept_changed_the_challenger_ranks_better(retrained) -> None:
    assert retrained["outcome"].against_champion.low > 0


def test_retraining_promotes_nothing(retrained, world) -> None:
    assert champion.current(world.ledger, NAME).version == world.bundle.version


def test_the_ledger_keeps_what_called_for_it_and_what_came_out(retrained, world) -> None:
    body = retrained["record"].body()
    verdict = world.ledger.latest("verdict", NAME)
    assert body["called_by"].startswith(f"{verdict.entry.id}: {retrained['report'].verdict.evidence[0]}")
    assert (body["champion"], body["challenger"]) == (world.bundle.version, retrained["outcome"].bundle.version)
    assert body["gate"]["passed"] == retrained["outcome"].verdict.passed


def test_the_ledger_keeps_what_the_challenger_would_have_been_worth(retrained, world) -> None:
    worth = retrained["record"].body()["worth"]
    assert worth["low"] < worth["value"] < worth["high"]
    assert worth["pays"] == (worth["low"] > world.settings.worth.cost_of_change)
    assert worth["pays"]  # the concept changed altogether, and what the champion knows is wrong


def test_the_same_again_is_refused_after_it_was_done(retrained, world) -> None:
    with pytest.raises(Refusal, match="made of the same data and settings"):
        retrained["again"]()


def test_one_at_a_time_even_in_one_process(retrained) -> None:
    assert retrained["meanwhile"] == {f"{NAME}: a retraining is running already"}


def test_the_ledger_still_holds(retrained, world) -> None:
    assert world.ledger.verify()[0] >= 3
