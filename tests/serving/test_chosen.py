"""A choice among alternatives on record: by a named person, of these bytes; at a promotion the last word counts."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from configs.errors import InputError, Refusal
from serving import chosen
from serving.choice_commands import _refusal
from serving.ledger import Ledger
from training.alternatives import CHOSEN
from training.bundle import Bundle

FOUND = {"must_be_shown": ["trial 7"], "attributes": [{"models": [{"name": CHOSEN}, {"name": "trial 7"}]}]}
WHY = {"trial 7": "its grades move too much"}


@pytest.fixture
def searched(bundle: Bundle) -> Bundle:
    """The version with a search that found an alternative which must be shown."""
    return replace(bundle, training={**bundle.training, "alternatives": FOUND})


def test_the_last_choice_stands_and_says_who_and_why(ledger: Ledger, searched: Bundle) -> None:
    assert chosen.standing(ledger, searched) is None
    chosen.record(ledger, searched, "trial 7", "Ada", "nearer to equal approval", {}, "2026-01-01")
    kept = chosen.record(ledger, searched, CHOSEN, "Ben", "steadier", WHY, "2026-01-02")
    assert chosen.standing(ledger, searched) == kept
    assert (kept.model, kept.by, kept.reason, dict(kept.refusals)) == (CHOSEN, "Ben", "steadier", WHY)


def test_who_took_another_model_stops_the_promotion_until_the_version_is_taken(
    ledger: Ledger, searched: Bundle
) -> None:
    chosen.record(ledger, searched, "trial 7", "Ada", "nearer to equal approval", {}, "2026-01-01")
    with pytest.raises(Refusal, match=r"Ada chose 'trial 7' instead \(nearer to equal approval\)"):
        chosen.require(ledger, searched, required=False)
    chosen.record(ledger, searched, CHOSEN, "Ada", "steadier", WHY, "2026-01-02")
    chosen.require(ledger, searched, required=True)


def test_where_a_choice_is_required_silence_stops_a_promotion(ledger: Ledger, searched: Bundle, bundle: Bundle) -> None:
    chosen.require(ledger, searched, required=False)
    with pytest.raises(Refusal, match=r"more alike \(trial 7\), and nobody chose: creditloop models choose"):
        chosen.require(ledger, searched, required=True)
    chosen.require(ledger, bundle, required=True)  # no search, nothing to choose


def test_a_choice_is_of_these_bytes(ledger: Ledger, searched: Bundle) -> None:
    chosen.record(ledger, searched, CHOSEN, "Ada", "steadier", WHY, "2026-01-01")
    assert chosen.standing(ledger, replace(searched, digest="0" * 64)) is None


@pytest.mark.parametrize(("by", "refusals", "error", "told"), [
    (" ", WHY, InputError, "the name of who makes it"), ("Ada", {}, Refusal, "refused without a reason: trial 7"),
])  # fmt: skip
def test_nothing_is_recorded_without_a_name_or_of_a_silent_refusal(
    ledger: Ledger, searched: Bundle, by: str, refusals: dict[str, str], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        chosen.record(ledger, searched, CHOSEN, by, "steadier", refusals, "2026-01-01")
    assert chosen.standing(ledger, searched) is None


def test_a_version_without_a_search_has_nothing_to_choose(ledger: Ledger, bundle: Bundle) -> None:
    with pytest.raises(InputError, match="holds no search for alternatives"):
        chosen.record(ledger, bundle, CHOSEN, "Ada", "steadier", {}, "2026-01-01")


def test_a_refusal_on_the_command_line_is_a_model_and_why() -> None:
    assert _refusal("trial 7= its limits = lower ") == ("trial 7", "its limits = lower")
    for text in ("trial 7", "trial 7=", "=why"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected MODEL=WHY"):
            _refusal(text)
