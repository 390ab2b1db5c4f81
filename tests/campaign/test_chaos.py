"""The campaign itself: every row of the plan is answered for, a result says the truth, the page is what was kept."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tests.campaign import __main__ as command
from tests.campaign import page
from tests.campaign.faults import FAULTS, OTHERWISE, named
from tests.campaign.runs import FOLDER, keep, runs_of, shown
from tests.campaign.trials import Trials

ROWS = [f"R{number}" for number in range(1, 21)]


def test_every_row_of_the_plan_is_tried_or_held_otherwise() -> None:
    assert sorted({fault.row for fault in FAULTS} | OTHERWISE.keys(), key=ROWS.index) == ROWS


def test_every_fault_has_a_name_of_its_own_and_a_test_that_is_there() -> None:
    assert len({fault.name for fault in FAULTS}) == len({fault.test for fault in FAULTS}) == len(FAULTS)
    for fault in FAULTS:
        file, _, function = fault.test.partition("::")
        tree = ast.parse((FOLDER / file).read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, fault.name


def test_the_page_is_what_was_kept() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "python -m tests.campaign.page writes it anew"


def test_every_result_is_of_a_fault_on_the_list() -> None:
    assert {path.stem for path in (FOLDER / "results").glob("*.json")} <= {fault.name for fault in FAULTS}


def test_a_fault_is_named_by_its_name_or_its_row() -> None:
    assert [fault.name for fault in named(["racers", "R2"])] == ["kill-service", "racers"]
    assert named([]) == list(FAULTS)
    with pytest.raises(KeyError, match="kill-nobody"):
        named(["racers", "kill-nobody"])


def test_trials_count_what_ended_and_the_one_that_failed(tmp_path: Path) -> None:
    followed = tmp_path / "followed.json"
    trials = Trials(10, 1, followed)
    for number in trials:
        if number == 3:
            break
    trials.found(seen=3)
    trials.failed("it was 3")
    told = json.loads(followed.read_text())
    assert told == {"wanted": 10, "tried": 4, "failed": 1, "facts": {"seen": 3}, "failure": "it was 3"}


def a_run(tried: int, failed: int = 0) -> dict[str, Any]:
    return {"tried": tried, "failed": failed}


def test_the_largest_run_is_shown_and_whatever_failed_after_it() -> None:
    earlier, largest, small, failing = a_run(5, 1), a_run(200), a_run(10), a_run(7, 1)
    assert shown([earlier, largest, small, failing]) == [largest, failing]
    assert shown([]) == []


def test_a_later_run_of_the_same_size_takes_the_place_of_the_earlier() -> None:
    first, second = a_run(200, 1), a_run(200)
    assert shown([first, second])[0] is second


def test_a_result_is_added_to_those_before_it(tmp_path: Path) -> None:
    for count in (3, 4):
        keep(FAULTS[0], a_run(count), tmp_path)
    assert runs_of(FAULTS[0], tmp_path) == [a_run(3), a_run(4)]


def test_the_command_lists_every_fault_with_its_promised_count(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    told = capsys.readouterr().out
    assert all(fault.name in told and f"{fault.count:,} {fault.of}" in told for fault in FAULTS)


def test_a_word_that_names_no_fault_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["kill-nobody"]) == 2
    assert "kill-nobody" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["0", "-1", "many"])
def test_a_share_is_a_number_above_nothing(share: str) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["racers", f"--share={share}"])
    assert ended.value.code == 2


def test_one_fault_is_run_followed_and_kept_however_long_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-o faulthandler_timeout=0.1")  # of the suite: 900 s, then it is ended
    assert command.main(["flipped-later", "--share", "0.003", "--seed", "5", "--into", str(tmp_path)]) == 0
    (run,) = runs_of(named(["flipped-later"])[0], tmp_path)
    assert (run["tried"], run["failed"], run["wanted"], run["promised"]) == (3, 0, 3, 1000)
    assert run["seed"] == 5
    assert run["command"].endswith(f"flipped-later --share 0.003 --seed 5 --into {tmp_path}")
    assert run["facts"] == {"stopped": 3}
    assert run["machine"]["cores"] >= 1
    assert "3 tried, 0 failed" in capsys.readouterr().out
