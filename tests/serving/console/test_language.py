"""The catalogue: every sentence of the pages is in it, with the same places."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import get_args

import pandas as pd

from configs.customers import LEVELS
from console.chinese import SENTENCES
from console.models import MEASURES
from console.pages import DONE, NAVIGATION
from features.check import check_frame
from features.contracts import TABLES, to_day
from monitoring.customers import kpi
from monitoring.verdict import TOLD
from serving.access import PERSONS
from training import gate
from training.lights import Light

ROOM = Path(__file__).parents[3] / "console"
DAY = to_day(dt.date(2026, 1, 31))
INVOICE = {
    "customer_id": "C",
    "invoice_id": "1",
    "issued": "2026-01-01",
    "due": "2026-01-15",
    "paid": None,
    "amount": 9.0,
}
BOOK = {"invoices": check_frame(TABLES["invoices"], pd.DataFrame([INVOICE]), "test")}
_TEXT = r"""(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')"""


def said() -> set[str]:
    """Every sentence that a template or a module asks the catalogue for, as it stands in the source."""
    sources = [path.read_text(encoding="utf-8") for path in (*ROOM.glob("pages/*.html"), *ROOM.glob("*.py"))]
    found = [match for text in sources for match in re.findall(rf"\b(?:t|say)\(\s*{_TEXT}", text)]
    listed = {told for told, _ in MEASURES} | {told for _, told in NAVIGATION} | set(DONE.values())
    return {one or other for one, other in found} | listed


def places(sentence: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", sentence))


def test_every_sentence_of_a_page_is_in_the_catalogue() -> None:
    assert said() - SENTENCES.keys() == set()


def test_a_sentence_in_chinese_has_the_places_of_the_english_one() -> None:
    assert [one for one, other in SENTENCES.items() if places(one) != places(other)] == []


def test_words_of_records_are_in_the_catalogue() -> None:
    remedies = {sentence for name, sentence in TOLD.items()} | set(TOLD)
    assert ({*remedies, *LEVELS, *PERSONS, *get_args(Light)} - SENTENCES.keys()) == set()


def test_what_the_gate_checks_and_what_monthly_figures_mean_is_in_the_catalogue() -> None:
    checks = set(re.findall(r'(?:Check|_at_most|_meets)\(\s*"(\w+)"', Path(gate.__file__).read_text(encoding="utf-8")))
    figures = [*kpi.of_decisions([], ["2026-01"]), *kpi.of_tables(BOOK, [DAY])]
    assert {"auc", "monotone"} <= checks
    assert "DSO" in {one.name for one in figures}
    told = {text for one in figures for text in (one.name, one.definition)}
    assert (checks | told) - SENTENCES.keys() == set()
