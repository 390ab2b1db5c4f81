"""The monitor as a whole: a planted fault reads as what it is, and what it says is written whole."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from configs.settings import Settings
from features.contracts import Columns, Text
from monitoring import watch
from monitoring.drift.windows import Window, from_tables
from monitoring.telling import page
from monitoring.telling.page import Report
from serving.ledger import Ledger

NOBODY = {"customer_id": Text.of([]), "known_time": np.empty(0, np.int32)}


@pytest.fixture(scope="module")
def watched(world, unchanged, changed, tables_with, labels_of, watched_day: int) -> Callable[..., Report]:
    """The report on the stream `unchanged` or `changed`, a fault planted in it where one is named."""
    streams = {"unchanged": unchanged, "changed": changed}

    @cache
    def scored(stream: str, fault: str | None) -> tuple[dict[str, Columns], Window]:
        tables = tables_with(streams[stream], fault)
        return tables, from_tables(world.scorer, tables, watched_day)

    def report(stream: str, fault: str | None = None, judged: bool = True, home: Path | None = None) -> Report:
        tables, book = scored(stream, fault)
        settings = world.settings if home is None else replace_home(world.settings, home)
        labels = labels_of(tables) if judged else None
        return watch.run(book, world.bundle, labels, settings, watched_day, False, lambda _: None)

    return report


def replace_home(settings: Settings, home: Path) -> Settings:
    return settings.model_copy(update={"home": home})


def strictly(path: Path) -> dict:
    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.fixture(scope="module")
def calm(watched, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report on a stream in which nothing changed, its outcomes known."""
    return watched("unchanged", home=tmp_path_factory.mktemp("calm"))


@pytest.fixture(scope="module")
def empty(world, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report on a window without a row."""
    nobody = from_tables(world.scorer, {"customers": NOBODY}, 0)
    settings = replace_home(world.settings, tmp_path_factory.mktemp("nothing"))
    return watch.run(nobody, world.bundle, None, settings, 20_000, True, lambda _: None)


def test_where_nothing_changed_nothing_is_called_for(calm: Report) -> None:
    assert calm.verdict.remedy == "nothing"


def test_where_nothing_changed_no_check_fails(calm: Report) -> None:
    assert calm.findings == ()


def test_a_dead_feed_reads_fix_the_data(watched) -> None:
    found = watched("unchanged", "dead_feed")
    assert found.verdict.remedy == "fix_data"
    assert found.verdict.evidence[0].startswith("inflow_mean_6m: missing in 100% of decisions")


def test_a_dead_feed_shows_as_money_and_as_one_feed(watched) -> None:
    money = watched("unchanged", "dead_feed").money
    feed = next(effect for effect in money.effects if effect.subject == "statements.inflow")
    assert feed.material
    assert feed.at_stake.low > 0.1 * money.expected_loss
    assert "inflow_mean_6m" in feed.features
    assert feed.approvals.high < 0  # the policy measures capacity by it, and refers where it is unknown


def test_a_unit_error_reads_fix_the_data(watched) -> None:
    found = watched("unchanged", "unit_error")
    assert found.verdict.remedy == "fix_data"
    told = next(line for line in found.verdict.evidence if line.startswith("inflow_mean_6m"))
    assert "times what it was: has the unit changed?; expected loss at stake " in told
    assert found.money.of("inflow_mean_6m").material


def test_a_feed_stuck_at_zero_reads_fix_the_data(watched) -> None:
    found = watched("unchanged", "zero_feed")
    assert found.verdict.remedy == "fix_data"
    assert found.verdict.evidence[0].startswith(
        "inflow_mean_6m: always 0, where it used to vary: a feed is stuck; expected loss at stake "
    )


def test_a_changed_concept_calls_for_a_new_model(watched) -> None:
    assert watched("changed").verdict.remedy in ("retrain", "recalibrate")


def test_a_changed_concept_shows_in_no_input(watched) -> None:
    found = watched("changed", judged=False)
    assert (found.verdict.remedy, found.findings) == ("nothing", ())


def test_a_dead_feed_hides_a_changed_concept_on_purpose(watched) -> None:
    assert watched("changed", "dead_feed").verdict.remedy == "fix_data"


def test_page_and_json_are_written_whole(calm: Report) -> None:
    assert sorted(path.suffix for path in calm.page.parent.iterdir()) == [".html", ".json"]
    assert calm.page.read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_the_json_says_what_the_report_says(calm: Report) -> None:
    told = strictly(calm.page.with_suffix(".json"))
    assert told["verdict"] == {"remedy": "nothing", "evidence": list(calm.verdict.evidence), "outcomes_needed": None}
    assert told["performance"]["defaults"] == calm.performance.defaults
    assert len(told["features"]) == len(calm.features)


def test_the_page_needs_nothing_but_itself(calm: Report) -> None:
    sources = re.findall(r"(?:src|srcset|href)=\"([^\"]{0,30})", calm.page.read_text(encoding="utf-8"))
    assert {source.split(",")[0] for source in sources} <= {"data:image/svg+xml;base64"}


def test_the_page_opens_with_the_verdict_and_its_evidence(calm: Report) -> None:
    page = calm.page.read_text(encoding="utf-8")
    assert page.index(calm.verdict.told) < page.index(calm.verdict.evidence[0]) < page.index("Population stability")


def test_the_page_escapes_what_it_is_told(calm: Report, world, tmp_path: Path) -> None:
    wicked = replace(calm, window="<script>alert(1)</script>", page=tmp_path / "wicked.html")
    page.write(wicked, {}, watch.to_json(wicked))
    assert "<script>" not in wicked.page.read_text(encoding="utf-8")


def test_the_same_window_gives_the_same_page(watched, calm: Report, tmp_path: Path) -> None:
    again = watched("unchanged", home=tmp_path)
    assert again.page.read_bytes() == calm.page.read_bytes()


def test_the_verdict_is_in_the_ledger_with_the_numbers_it_rests_on(calm: Report, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    watch.record(calm, ledger, "2026-01-01T00:00:00.000000+00:00")
    record = ledger.latest("verdict", calm.product)
    assert record is not None
    assert record.body() == {
        "model": calm.model,
        "now": calm.now,
        "window": calm.window,
        "remedy": "nothing",
        "evidence": list(calm.verdict.evidence),
        "score_psi": calm.score.psi,
        "red_findings": 0,
        "at_stake": calm.money.effects[0].at_stake.value,
        "page_sha256": hashlib.sha256(calm.page.read_bytes()).hexdigest(),
        "memo_sha256": hashlib.sha256(calm.page.with_suffix(".json").read_bytes()).hexdigest(),
    }


def test_a_window_without_rows_waits_and_has_a_readable_page(empty: Report) -> None:
    assert empty.verdict.remedy == "wait"
    page = empty.page.read_text(encoding="utf-8")
    assert "no decisions" in page
    assert "0 decisions; 200 are needed for a verdict" in page


def test_a_window_without_rows_claims_no_passed_check_and_no_number(empty: Report) -> None:
    page = empty.page.read_text(encoding="utf-8")
    assert "Every check passed" not in page
    assert "inf" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S).replace("information", "")


def test_the_json_of_a_window_without_rows_is_json(empty: Report) -> None:
    assert strictly(empty.page.with_suffix(".json"))["score"]["bound"] is None


def test_evidently_is_not_asked_about_no_rows(empty: Report) -> None:
    assert empty.evidently_page is None


def test_the_stages_are_told(world, tmp_path: Path) -> None:
    told: list[str] = []
    empty_window = from_tables(world.scorer, {"customers": NOBODY}, 0)
    watch.run(empty_window, world.bundle, None, replace_home(world.settings, tmp_path), 20_000, True, told.append)
    assert told == [f"check 0 rows of {len(world.bundle.program.names)} features"]


def test_what_the_monitor_may_cry_wolf_is_told_on_the_page(calm: Report) -> None:
    assert "chance alarms in at most 1 of 12 runs a year" in calm.page.read_text(encoding="utf-8")


def test_the_page_shows_three_plots_for_light_and_dark(calm: Report) -> None:
    text = calm.page.read_text(encoding="utf-8")
    assert text.count("<picture>") == text.count('prefers-color-scheme: dark)"><img') == 3


def test_a_policy_that_does_not_fit_the_model_costs_no_verdict(
    world, unchanged, tables_with, watched_day, tmp_path
) -> None:
    book = from_tables(world.scorer, tables_with(unchanged), watched_day)
    policy = world.product.policy.model_copy(update={"capacity_feature": "no_such_feature"})
    product = world.product.model_copy(update={"policy": policy})
    settings = replace_home(world.settings, tmp_path)
    found = watch.run(book, world.bundle, None, settings, watched_day, False, lambda _: None, product=product)
    assert found.money is None
    assert found.verdict.evidence
