"""The catalogue: every sentence of the pages is in it, with the same places."""

from __future__ import annotations

import re
from pathlib import Path

from configs.customers import LEVELS
from console.chinese import SENTENCES
from console.models import MEASURES
from console.pages import DONE, NAVIGATION
from monitoring.verdict import TOLD
from serving.access import PERSONS

ROOM = Path(__file__).parents[3] / "console"
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
    assert ({*remedies, *LEVELS, *PERSONS} - SENTENCES.keys()) == set()
