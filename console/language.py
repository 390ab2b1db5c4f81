"""The sentences of the console in the languages it speaks: English as written in the pages, Chinese beside it."""

from __future__ import annotations

from typing import Literal, cast

from console.chinese import SENTENCES

Language = Literal["en", "zh"]
NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}


def known(said: str | None, otherwise: Language) -> Language:
    """The language that was asked for, where the console speaks it."""
    return cast(Language, said) if said in NAMES else otherwise


def say(language: Language, sentence: str, **values: object) -> str:
    """A sentence in a language, with `values` in its places. What is not in the catalogue stays English."""
    told = SENTENCES.get(sentence, sentence) if language == "zh" else sentence
    return told.format(**values) if values else told
