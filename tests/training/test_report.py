"""The page: one file that needs no other and no network, and the same bytes for the same model."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.special import expit

from configs.settings import ValidationPolicy, load_settings
from training import examine, gate, report
from training.scaling import Scale
from training.validate import Interval

EMPTY_GATE = {"passed": True, "checks": []}
Judged = tuple[np.ndarray, np.ndarray, dict[str, Any]]


def judged(scale: Scale, policy: ValidationPolicy, pds: np.ndarray | None = None) -> Judged:
    """PDs, what became of them, and their validation as told."""
    rng = np.random.default_rng(1)
    default_probability = expit(rng.normal(-2, 1, 400)) if pds is None else pds
    size = len(default_probability)
    bad = (rng.random(size) < 0.2).astype(np.int8)
    rows = pd.DataFrame({"customer": np.arange(size), "as_of": 19_700, "default_probability": default_probability})
    rows = rows.assign(defaulted=bad)
    even = (100,) * len(scale.names)
    facts = examine.Facts(0.8, even, tuple(range(len(even))), 0.1, (), {})
    return default_probability, bad, examine.examine(rows, facts, (), scale, policy)


def figures(judged_: Judged) -> dict[str, Figure]:
    return report.figures(*judged_, {"debt": 0.7, "income": 0.3}, [0.4, None, 0.3])


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> ValidationPolicy:
    return load_settings(tmp_path_factory.mktemp("home"), {"validation": {"bootstrap_draws": 50}}).validation


@pytest.fixture(scope="session")
def text_of(scale: Scale, policy: ValidationPolicy) -> Callable[..., str]:
    """A page without its pictures, which take the longest."""

    def text(title: str = "made_up-1", pds: np.ndarray | None = None, gates: Any = EMPTY_GATE, **sections: Any) -> str:
        return report.render(title, judged(scale, policy, pds)[2], gates, {"trees": "12"}, {}, sections)

    return text


@pytest.fixture(scope="session")
def page(scale: Scale, policy: ValidationPolicy) -> str:
    told = judged(scale, policy)
    return report.render("made_up-1", told[2], EMPTY_GATE, {"trees": "12"}, figures(told))


def pictures(page: str) -> list[str]:
    return [base64.b64decode(text).decode() for text in re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)]


def test_the_page_asks_for_nothing_beyond_itself(page: str) -> None:
    assert re.findall(r"https?:|<script|<link|@import|url\(", page) == []
    assert set(re.findall(r'(?:src|href)="([^",]+)', page)) == {"data:image/svg+xml;base64"}


def test_its_pictures_ask_for_nothing_beyond_themselves(page: str) -> None:
    for picture in pictures(page):
        assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', picture))
        assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", picture))
        assert "<script" not in picture


def test_all_seven_pictures_are_there(page: str) -> None:
    assert len(pictures(page)) == 7


def test_the_same_figure_gives_the_same_bytes(scale: Scale, policy: ValidationPolicy) -> None:
    first, second = (report.inline_svg(figures(judged(scale, policy))["roc"]) for _ in range(2))
    assert first == second


def test_a_name_cannot_become_markup(text_of: Callable[..., str]) -> None:
    assert "<b>bold" not in text_of(title="<b>bold</b>")


@pytest.mark.parametrize(("passed", "said"), [(True, '"yes">passed<'), (False, '"no">not passed<')])
def test_the_page_says_what_the_gate_said(text_of: Callable[..., str], passed: bool, said: str) -> None:
    verdict = gate.Verdict((gate.Check("auc", passed, 0.61, "at least 0.6"),))
    assert said in text_of(gates=verdict.to_json())


def test_an_empty_grade_is_called_empty(text_of: Callable[..., str]) -> None:
    assert "<td>empty</td>" in text_of(pds=np.linspace(0.001, 0.009, 100))


@pytest.mark.parametrize("value", [0.5, 0.2, 1e-9])
def test_a_model_that_says_the_same_of_all_can_still_be_drawn(
    scale: Scale, policy: ValidationPolicy, value: float
) -> None:
    assert len(figures(judged(scale, policy, np.full(60, value)))) == 7


def test_certain_pds_can_still_be_drawn(scale: Scale, policy: ValidationPolicy) -> None:
    assert len(figures(judged(scale, policy, np.repeat([0.0, 1.0], [60, 20])))) == 7


def test_every_pd_is_in_the_picture_of_the_scores(scale: Scale, policy: ValidationPolicy) -> None:
    drawn = figures(judged(scale, policy, np.geomspace(1e-8, 0.5, 200)))["scores"].axes[0]
    assert sum(patch.get_height() for patch in drawn.patches) == pytest.approx(2.0)  # all goods and all bads


def test_the_best_loss_so_far_passes_over_trials_without_one(scale: Scale, policy: ValidationPolicy) -> None:
    drawn = report.figures(*judged(scale, policy), {"debt": 1.0}, [0.4, None, 0.5, 0.3])["tuning"].axes[0]
    assert drawn.lines[1].get_xydata().tolist() == [[0.0, 0.4], [2.0, 0.4], [3.0, 0.3]]


def first_page(text: str) -> str:
    return text[text.index('class="first"') : text.index("<h2>Plots</h2>")]


def test_what_is_red_is_on_the_first_page_with_its_reason(text_of: Callable[..., str]) -> None:
    text = first_page(text_of(pds=np.linspace(0.001, 0.009, 100)))  # 19 of 100 default
    assert "<strong>jeffreys portfolio</strong>: default rate 0.19" in text


def test_every_light_of_the_page_is_called_policy(text_of: Callable[..., str]) -> None:
    assert "policy, not regulation" in first_page(text_of())


BAND = Interval(0.75, 0.7, 0.8)


def test_a_model_no_better_than_the_scorecard_says_so_on_the_first_page(text_of: Callable[..., str]) -> None:
    section = report.scorecard_section(BAND, BAND, Interval(0.004, -0.002, 0.010))
    assert "LightGBM is not significantly better than the WOE scorecard" in first_page(text_of(scorecard=section))


def test_a_model_that_beats_the_scorecard_needs_no_notice(text_of: Callable[..., str]) -> None:
    section = report.scorecard_section(BAND, BAND, Interval(0.02, 0.01, 0.03))
    text = text_of(scorecard=section)
    assert "scorecard" not in first_page(text)
    assert "LightGBM ranks better than the WOE scorecard" in text


def test_sections_come_in_their_settled_order_with_tables_and_plots(
    text_of: Callable[..., str], scale: Scale, policy: ValidationPolicy
) -> None:
    table = report.Table("ratios", ("group", "ratio"), (("a", 0.81234), ("b", None)))
    roc = {"roc": figures(judged(scale, policy))["roc"]}
    sections = {name: report.Section(name.title(), "told", "green") for name in ("other", "leakage", "scorecard")}
    text = text_of(**sections, fairness=report.Section("Fairness", "told", "amber", tables=(table,), plots=roc))
    assert re.findall(r'<h2 id="(\w+)">', text) == ["scorecard", "leakage", "fairness", "other"]
    assert "<td>0.8123</td>" in text
    assert "<td>–</td>" in text
    assert 'alt="roc plot"' in text


def test_the_page_of_the_written_file_is_the_page_of_the_values_in_memory(
    scale: Scale, policy: ValidationPolicy
) -> None:
    values = judged(scale, policy)[2]
    plain = json.loads(json.dumps(values).replace("NaN", "null"))
    pages = {report.render("x", told, EMPTY_GATE, {}, {}) for told in (values, plain)}
    assert len(pages) == 1
