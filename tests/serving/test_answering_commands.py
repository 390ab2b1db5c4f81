"""models refer, resume and canary at the command line: who may, what is refused, what is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import creditloop
from configs.settings import Settings
from serving import canary, referral
from serving.ledger import open_ledger
from training.bundle import Bundle

NAME = "consumer_platform"
DECIDER = ("--by", "Ada", "--reason", "why")
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def settings(tmp_path: Path, furnish: Callable[[Path], Settings]) -> Settings:
    (tmp_path / "creditloop.toml").write_text('[governance]\nidentity = "named"\n')
    return furnish(tmp_path)


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `creditloop models WORD --product NAME ...`: its exit code, and what it said."""
    monkeypatch.setenv("CREDITLOOP_HOME", str(settings.home))

    def ran(*words: str) -> tuple[int, str]:
        try:
            code = creditloop.main(["models", words[0], "--product", NAME, *words[1:]])
        except SystemExit as ended:
            code = int(str(ended.code))
        told = capsys.readouterr()
        return code, told.out + told.err

    return ran


def test_everything_is_referred_and_the_model_resumes_on_record(run: Run, settings: Settings) -> None:
    code, told = run("refer", *DECIDER)
    assert (code, told) == (0, f"{NAME}: from now on every decision is referred to a person\n")
    assert run("refer", *DECIDER)[0] == 1
    assert run("resume", "--by", "Bob", "--reason", "it was the feed")[0] == 0
    assert run("resume", *DECIDER)[0] == 1
    ledger = open_ledger(settings)
    said = [record.body() for record in ledger.records(referral.KIND, NAME)]
    assert [(one["on"], one["by"]) for one in said] == [(True, "Ada"), (False, "Bob")]
    ledger.close()


def test_a_file_is_not_scored_around_the_kill_switch(
    run: Run, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    run("refer", *DECIDER)
    out = settings.home / "scores.csv"
    assert creditloop.main(["score", "--product", NAME, "--data", str(settings.home), "--out", str(out)]) == 1
    assert "every decision is referred to a person" in capsys.readouterr().err
    assert not out.exists()


def test_a_canary_begins_is_shown_and_stops(run: Run, settings: Settings, successor: Bundle) -> None:
    assert "decides about everybody" in run("canary")[1]
    assert run("canary", successor.version, "--share", "0.1", *DECIDER)[0] == 0
    code, told = run("canary", "--json")
    shown = json.loads(told)
    assert (code, shown["canary"]["version"], shown["challenger"]["decisions"]) == (0, successor.version, 0)
    assert "has decided nothing" in run("canary")[1]
    assert run("canary", "--stop", *DECIDER)[0] == 0
    assert run("canary", "--stop", *DECIDER)[0] == 1
    ledger = open_ledger(settings)
    assert len(list(ledger.records(canary.KIND, NAME))) == 2
    ledger.close()


def test_without_the_approvals_that_are_due_nobody_meets_it(run: Run, settings: Settings, successor: Bundle) -> None:
    (settings.home / "creditloop.toml").write_text('[governance]\nidentity = "named"\napprovals = 1\n')
    code, told = run("canary", successor.version, "--share", "0.1", *DECIDER)
    assert code == 1
    assert "needs the approval of 1 beside Ada" in told


def test_the_champion_is_no_canary_of_itself(run: Run, bundle: Bundle) -> None:
    assert run("canary", bundle.version, "--share", "0.1", *DECIDER)[0] == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--share", "0.1", *DECIDER),
        ("v", *DECIDER),
        ("v", "--share", "0.1", "--stop", *DECIDER),
        ("--stop", "--by", "Ada"),
        ("--stop", "--reason", "why"),
        ("v", "--share", "0.1", *DECIDER),
    ],
)
def test_words_that_do_not_go_together_are_wrong_usage(run: Run, words: tuple[str, ...]) -> None:
    assert run("canary", *words)[0] == 2
