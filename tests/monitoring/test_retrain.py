"""From a verdict to a challenger: who may call for it, one at a time, and what stays on record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.errors import Refusal
from features import load
from features.simulate import Portfolio
from monitoring import watch
from monitoring.retrain import retrain
from monitoring.windows import from_tables
from serving import champion
from serving.ledger import Entry, Ledger, canonical
from serving.live import utc_now

NAME = "consumer_platform"
HOLD = """
import fcntl, pathlib, sys, time
handle = pathlib.Path(sys.argv[1]).open("w")
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(120)
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


@pytest.fixture
def holder(world) -> Iterator[subprocess.Popen[str]]:
    """Another process in the midst of a retraining."""
    lock = world.home / f"retraining-{NAME}.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True) as process:
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
    with pytest.raises(Refusal, match="no verdict yet; run creditloop monitor first, or say why without: --anyway"):
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


def test_a_killed_retraining_frees_the_way(ask, holder) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with pytest.raises(Refusal, match="no verdict yet"):
        ask()


def test_a_refused_retraining_leaves_no_record(ask, ledger: Ledger) -> None:
    with pytest.raises(Refusal):
        ask()
    assert ledger.latest("retraining", NAME) is None


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
    return {"outcome": outcome, "record": record, "meanwhile": set(meanwhile), "report": report}


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


def test_one_at_a_time_even_in_one_process(retrained) -> None:
    assert retrained["meanwhile"] == {f"{NAME}: a retraining is running already"}


def test_the_ledger_still_holds(retrained, world) -> None:
    assert world.ledger.verify()[0] >= 3
