"""The runner of the benchmarks, the goals held against results, and the page that is made of them."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import catalogue, common, environments, resumed, running
from benchmarks.catalogue import BENCHMARKS, Benchmark
from benchmarks.goals.every import COUNTED, GOALS
from benchmarks.goals.goal import Goal, judged
from benchmarks.goals.seen import Seen
from benchmarks.page import page
from benchmarks.page.plots import Dot, dots
from configs.errors import Refusal

RESULTS = common.ROOT / "benchmarks" / "results"


@pytest.fixture(scope="module")
def made() -> page.Page:
    return page.make(RESULTS)


def named(words: str) -> Goal:
    return next(goal for goal in GOALS if goal.words.startswith(words))


def rounds(*ratios: float) -> dict[str, Any]:
    return {"features": {"one_customer_us": {"creditloop": {}, "polars": {"times_ours": list(ratios)}}}}


def paired(mean: float, low: float, high: float) -> dict[str, Any]:
    profit = {"mean": mean, "low": low, "high": high}
    return {"customers": {"table": {"paired": {"managed - grade_only": {"profit": profit}}}}}


def test_a_goal_is_met_by_the_middle_of_the_rounds() -> None:
    one = judged(named("80 features of one customer"), rounds(60.0, 75.0, 90.0))
    assert (one.verdict, one.seen, one.by, one.is_doubtful) == ("met", Seen(75.0, 60.0, 90.0), "50 %", False)


def test_a_goal_is_missed_and_its_distance_told() -> None:
    one = judged(named("80 features of one customer"), rounds(10.0, 20.0, 55.0))
    assert (one.verdict, one.by, one.is_doubtful) == ("missed", "60 %", True)


def test_a_goal_that_no_result_answers_is_not_run() -> None:
    goal = named("80 features of one customer")
    for results in ({}, {"features": {}}, {"features": {"books": {}}}):
        assert judged(goal, results).verdict == "not run"


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((5.0, 1.0, 9.0), "met"),
        ((-5.0, -9.0, -1.0), "missed"),
        ((5.0, -1.0, 9.0), "undecided"),
        ((0.0, 0.0, 0.0), "met"),
    ],
)
def test_a_difference_is_judged_by_its_interval(interval: tuple[float, float, float], verdict: str) -> None:
    assert judged(named("profit over 36 months more than by grade"), paired(*interval)).verdict == verdict


def test_a_figure_that_should_be_small_is_missed_above_its_bound() -> None:
    pages = {"slow": {"first": 20.0, "p95": 301.0}, "quick": {"first": 299.0, "p95": 1.0}}
    one = judged(named("every page within 300 ms"), {"console": {"records": 7, "pages": pages}})
    assert (one.verdict, one.seen and one.seen.value) == ("missed", 301.0)


def test_a_rival_that_is_better_by_one_measure_is_named() -> None:
    is_ = {"auc": "level", "log_loss": "worse", "brier": "better"}
    contenders = {"creditloop": {}, "FLAML": {"ours_is": is_}}
    one = judged(named("German"), {"rivals": {"portfolios": {"german": {"contenders": contenders}}}})
    assert (one.verdict, one.seen) == ("missed", Seen(1, words="worse than FLAML by log-loss"))


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.words)
def test_a_goal_is_answered_by_a_benchmark_that_there_is_and_takes_a_result_without_its_figure(goal: Goal) -> None:
    assert goal.result in next(one.kept for one in BENCHMARKS if one.name == goal.benchmark)
    assert goal.look({"machine": {}}) is None


def test_every_result_is_of_a_benchmark() -> None:
    assert {path.stem for path in RESULTS.glob("*.json")} <= {name for one in BENCHMARKS for name in one.kept}


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda one: one.name)
def test_every_benchmark_tells_what_it_compares_and_what_it_does_not_show(benchmark: Benchmark) -> None:
    assert len(catalogue.told(benchmark)) > 100
    assert "**Not shown.**" in (page.NOTES / f"{benchmark.name}.md").read_text()
    assert benchmark.name in page.SHOWN


def test_the_page_is_what_the_results_make(made: page.Page) -> None:
    assert page.stale(made, common.ROOT / "docs") == [], "python -m benchmarks render writes it anew"


def test_a_page_without_results_says_of_each_benchmark_that_it_was_not_run(tmp_path: Path) -> None:
    bare = page.make(tmp_path)
    assert bare.text.count("**Not run**") == sum(len(one.kept) for one in BENCHMARKS)
    page.write(bare, tmp_path)
    assert page.stale(bare, tmp_path) == []
    (tmp_path / page.PICTURES / "old.svg").write_text("")
    (tmp_path / page.PAGE).write_text("by hand")
    assert page.stale(bare, tmp_path) == [page.PAGE, f"{page.PICTURES}/old.svg"]


def test_every_anchor_of_the_table_of_goals_is_a_heading(made: page.Page) -> None:
    titles = re.findall(r"^## (.+)$", made.text, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", made.text)) <= headings


def test_a_plot_is_the_same_bytes_twice() -> None:
    rows = [Dot("one", 2.0, 1.5, 3.0, True), Dot("another", 50.0)]
    first, second = (dots("x", "told", rows, "times", lines=((10, "goal"),)).svg for _ in range(2))
    assert first == second
    assert "goal" in first


def test_a_result_names_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(common.ELSEWHERE, str(tmp_path))
    program = (
        "import datetime as dt; from benchmarks.common import *;"
        "keep('x', {'value': 1}, begun(dt.datetime(2026, 1, 2, tzinfo=dt.UTC), (7,), 'one run'))"
    )
    subprocess.run([sys.executable, "-c", program], cwd=common.ROOT, check=True)
    kept = common.kept_as("x")
    assert kept["run"]["at"] == "2026-01-02T00:00:00+00:00"
    assert (kept["run"]["seeds"], kept["run"]["spread"], kept["value"]) == ([7], "one run", 1)
    assert kept["run"]["command"].startswith("python -c")
    assert kept["machine"]["libraries"]["lightgbm"]
    assert common.kept_as("y") == {}


def test_a_share_of_the_cores_is_busy() -> None:
    share = common.busy(0.05)
    assert share is None or 0 <= share <= 1


def test_a_study_does_only_the_seeds_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(common.ELSEWHERE, str(tmp_path / "results"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "a_study.py").write_text("import sys\nprint('{\"told\": %s}' % sys.argv[1].split('=')[1])\n")

    def told(seeds: int, size: int) -> list[int]:
        asked = argparse.Namespace(seeds=seeds, first=3, jobs=1, one=None, into=None, size=size)
        *_, last = resumed.runs("a_study", "study", asked, lambda found: {"seeds": len(found)})
        return [run["told"] for run in last]

    assert told(1, 10) == [3]
    (tmp_path / "a_study.py").write_text("import sys\nprint('{\"told\": -%s}' % sys.argv[1].split('=')[1])\n")
    assert told(2, 10) == [3, -4]
    kept = json.loads((tmp_path / "results" / "study.json").read_text())
    assert (kept["table"], kept["run"]["seeds"], kept["arguments"]) == ({"seeds": 2}, [3, 4], {"size": 10})
    assert told(2, 11) == [-3, -4], "other arguments begin anew"


def test_a_second_run_on_the_machine_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with running.alone(lock), pytest.raises(Refusal, match="already"), running.alone(lock):
        pass
    with running.alone(lock):
        pass


def test_a_benchmark_that_fails_is_told_and_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LOCK", tmp_path / "lock")
    wrong = (Benchmark("no_such_module", "", 0, ()), Benchmark("nor_this", "", 0, ()))
    said: list[str] = []
    ended = list(running.run_all(wrong, running.Plan(True, tmp_path, (), tmp_path), said.append))
    assert [(one.name, one.wrong) for one in ended] == [(one.name, "failed with code 1") for one in wrong]
    assert said[0].startswith("[1 of 2] no_such_module")


def test_a_run_anew_forgets_what_was_kept_and_no_other_does(tmp_path: Path) -> None:
    wrong, kept = Benchmark("no_such_module", "", 0, ()), tmp_path / "no_such_module.json"
    for anew in (False, True):
        kept.write_text("{}")
        running.run_one(wrong, running.Plan(True, tmp_path, (), tmp_path, anew), lambda _: None)
        assert kept.exists() is not anew


def test_places_of_a_command_line_are_filled_and_more_comes_last(tmp_path: Path) -> None:
    http = next(one for one in BENCHMARKS if one.name == "http")
    plan = running.Plan(False, tmp_path, ("--rounds", "9"), tmp_path)
    assert plan.commands(http, "/peers/python")[0][:2] == ["--rivals", "/peers/python"]
    assert plan.commands(http, "/peers/python")[0][-2:] == ["--rounds", "9"]


def test_the_environment_of_every_peer_is_known_and_names_its_packages() -> None:
    assert {one.peers for one in BENCHMARKS if one.peers} <= environments.ENVIRONMENTS.keys()
    assert all(environments.requirements(one) for one in environments.ENVIRONMENTS.values())


def test_a_goal_counted_elsewhere_has_its_issue() -> None:
    assert {issue for issue, _ in COUNTED} == set(range(2, 9))
