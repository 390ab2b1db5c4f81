"""What a long command says meanwhile, where nobody looks at a terminal."""

from __future__ import annotations

import pytest

from configs.console import Console


def test_in_a_log_tuning_tells_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console("trade_credit: ", every_seconds=0)
    for done in (1, 2):
        console.trial(done, 30, 0.25)
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("] trade_credit: tuning: 1 of 30 trials, best log-loss 0.25000")
    assert second.endswith("tuning: 2 of 30 trials, best log-loss 0.25000")


def test_a_log_is_not_filled_with_every_trial(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.stage("tune")
    for done in range(1, 31):
        console.trial(done, 30, 0.25)
    assert len(capsys.readouterr().err.splitlines()) == 1
