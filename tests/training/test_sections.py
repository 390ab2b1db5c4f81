"""The evidence of a version on its page: each part that is there has its section, and what must be seen comes first."""

from __future__ import annotations

import dataclasses
from typing import Any

from training.sections import sections


def test_every_part_of_the_evidence_has_its_section(trained: Any) -> None:
    assert list(sections(trained.outcome.bundle)) == [
        "scorecard",
        "certificate",
        "leakage",
        "outcomes",
        "training_window",
        "calibration",
        "pd_interval",
        "seed_stability",
    ]


def test_the_page_shows_them_in_that_order(trained: Any) -> None:
    page = trained.outcome.page.read_text(encoding="utf-8")
    titles = [section.title for section in sections(trained.outcome.bundle).values()]
    places = [page.index(f">{title}</h2>") for title in titles]
    assert places == sorted(places)


def test_every_cell_of_a_table_has_a_column(trained: Any) -> None:
    tables = [table for section in sections(trained.outcome.bundle).values() for table in section.tables]
    assert {len(row) - len(table.columns) for table in tables for row in table.rows} == {0}


def with_evidence(bundle: Any, **changes: Any) -> Any:
    return dataclasses.replace(bundle, training={**bundle.training, **changes})


def test_the_page_tells_intervals_with_the_economy_and_without(trained: Any) -> None:
    told = sections(trained.outcome.bundle)["pd_interval"]
    spread = trained.outcome.bundle.training["pd_interval"]["economy_spread"]
    assert f"the answers count with {spread:.3f}" in told.told
    for _, low, high, lower, higher in told.tables[0].rows:
        assert lower < low < high < higher


def test_a_version_whose_rows_told_no_interval_has_no_such_section(trained: Any) -> None:
    assert "pd_interval" not in sections(with_evidence(trained.outcome.bundle, pd_interval=None))


def test_every_way_to_look_back_is_told_and_which_was_taken(trained: Any) -> None:
    tried = [
        {
            "months": months,
            "since": since,
            "rows": 9,
            "defaults": 3,
            "log_loss": 0.2,
            "worse_by": 0.0,
            "standard_error": 0.1,
        }
        for months, since in ((None, "2023-01-31"), (12, "2025-01-31"))
    ]
    window = {"since": "2025-01-31", "tried": tried}
    told = sections(with_evidence(trained.outcome.bundle, training_window=window))["training_window"]
    assert "since 2025-01-31: the longest look back" in told.told
    assert [row[:3] for row in told.tables[0].rows] == [("all", "2023-01-31", ""), (12, "2025-01-31", "yes")]


def test_a_direction_that_is_not_proved_is_told_on_the_first_page(trained: Any) -> None:
    bundle = trained.outcome.bundle
    assert not sections(bundle)["certificate"].on_first_page
    refuted = {**bundle.training["monotone"], "holds": False}
    told = sections(with_evidence(bundle, monotone=refuted))["certificate"]
    assert (told.on_first_page, told.light) == (True, "red")


def test_a_red_finding_about_leakage_is_told_on_the_first_page(trained: Any) -> None:
    leak = {"check": "single_feature_auc", "severity": "red", "subject": "closed", "measured": 0.99, "bound": 0.9,
            "told": "closed alone foretells default"}  # fmt: skip
    told = sections(with_evidence(trained.outcome.bundle, leakage=[leak]))["leakage"]
    assert (told.on_first_page, told.light, told.told) == (True, "red", "1 suspicions, 1 of them red")


def test_no_finding_is_green(trained: Any) -> None:
    assert sections(with_evidence(trained.outcome.bundle, leakage=[]))["leakage"].light == "green"


def test_a_long_run_default_rate_is_told(trained: Any) -> None:
    calibration = {**trained.outcome.bundle.training["calibration"], "long_run_default_rate": 0.031}
    told = sections(with_evidence(trained.outcome.bundle, calibration=calibration))["calibration"].told
    assert told.endswith("moved to the long-run default rate 0.031")
