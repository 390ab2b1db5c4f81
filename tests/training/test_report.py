"""The page: one file that needs no other and no network, and the same bytes for the same model."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.special import expit

from training import gate, report
from training.scaling import Scale
from training.validate import validate

EMPTY_GATE = {"passed": True, "checks": []}


Judged = tuple[np.ndarray, np.ndarray, dict[str, Any]]


def judged(scale: Scale, pds: np.ndarray | None = None) -> Judged:
    """PDs, what became of them, and their validation as told."""
    rng = np.random.default_rng(1)
    default_probability = expit(rng.normal(-2, 1, 400)) if pds is None else pds
    bad = (rng.random(len(default_probability)) < 0.2).astype(np.int8)
    return default_probability, bad, validate(default_probability, bad, scale).to_json()


def figures(judged_: Judged) -> dict[str, Figure]:
    return report.figures(*judged_, {"debt": 0.7, "income": 0.3}, [0.4, None, 0.3])


def text_of(scale: Scale, title: str = "made_up-1", pds: np.ndarray | None = None, gates: Any = EMPTY_GATE) -> str:
    """A page without its pictures, which take the longest."""
    return report.render(title, judged(scale, pds)[2], gates, {"trees": "12"}, {})


@pytest.fixture(scope="session")
def page(scale: Scale) -> str:
    told = judged(scale)
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


def test_all_six_pictures_are_there(page: str) -> None:
    assert len(pictures(page)) == 6


def test_the_same_figure_gives_the_same_bytes(scale: Scale) -> None:
    first, second = (report.inline_svg(figures(judged(scale))["roc"]) for _ in range(2))
    assert first == second


def test_a_name_cannot_become_markup(scale: Scale) -> None:
    assert "<b>" not in text_of(scale, title="<b>bold</b>")


@pytest.mark.parametrize(("passed", "said"), [(True, '"yes">passed<'), (False, '"no">not passed<')])
def test_the_page_says_what_the_gate_said(scale: Scale, passed: bool, said: str) -> None:
    verdict = gate.Verdict((gate.Check("auc", passed, 0.61, "at least 0.6"),))
    assert said in text_of(scale, gates=verdict.to_json())


def test_an_empty_grade_is_called_empty(scale: Scale) -> None:
    assert "<td>empty</td>" in text_of(scale, pds=np.linspace(0.001, 0.009, 100))


@pytest.mark.parametrize("value", [0.5, 0.2, 1e-9])
def test_a_model_that_says_the_same_of_all_can_still_be_drawn(scale: Scale, value: float) -> None:
    assert len(figures(judged(scale, np.full(60, value)))) == 6


def test_certain_pds_can_still_be_drawn(scale: Scale) -> None:
    assert len(figures(judged(scale, np.repeat([0.0, 1.0], [60, 20])))) == 6


def test_every_pd_is_in_the_picture_of_the_scores(scale: Scale) -> None:
    drawn = figures(judged(scale, np.geomspace(1e-8, 0.5, 200)))["scores"].axes[0]
    assert sum(patch.get_height() for patch in drawn.patches) == pytest.approx(2.0)  # all goods and all bads


def test_the_best_loss_so_far_passes_over_trials_without_one(scale: Scale) -> None:
    drawn = report.figures(*judged(scale), {"debt": 1.0}, [0.4, None, 0.5, 0.3])["tuning"].axes[0]
    assert drawn.lines[1].get_xydata().tolist() == [[0.0, 0.4], [2.0, 0.4], [3.0, 0.3]]
