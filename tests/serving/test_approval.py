"""Four eyes: an approval is of these bytes and this policy, by somebody else, and the last word of each counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from configs.errors import InputError, Refusal
from serving import approval
from serving.ledger import Ledger
from training.bundle import Bundle

POLICY = "a" * 64


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield made
    made.close()


def say(ledger: Ledger, bundle: Bundle, word: approval.Word, by: str, day: int = 1, policy: str = POLICY) -> None:
    approval.record(ledger, bundle, policy, word, by, "read the report", f"2026-01-{day:02d}")


def test_a_version_nobody_spoke_of_needs_nobody_unless_the_house_says_so(ledger: Ledger, bundle: Bundle) -> None:
    approval.require(ledger, bundle, POLICY, 0, "Ada")
    with pytest.raises(Refusal, match=r"needs the approval of 1 beside Ada, .* has none: creditloop models approve"):
        approval.require(ledger, bundle, POLICY, 1, "Ada")


def test_who_promotes_is_not_the_second_pair_of_eyes(ledger: Ledger, bundle: Bundle) -> None:
    say(ledger, bundle, "approve", "Ada")
    with pytest.raises(Refusal, match="beside  ada "):
        approval.require(ledger, bundle, POLICY, 1, " ada ")
    say(ledger, bundle, "approve", "Ben")
    approval.require(ledger, bundle, POLICY, 1, "Ada")


def test_one_person_counts_once(ledger: Ledger, bundle: Bundle) -> None:
    say(ledger, bundle, "approve", "Ben", 1)
    say(ledger, bundle, "approve", "Ben", 2)
    with pytest.raises(Refusal, match="has Ben"):
        approval.require(ledger, bundle, POLICY, 2, "Ada")


def test_a_rejection_stops_a_promotion_until_it_is_taken_back(ledger: Ledger, bundle: Bundle) -> None:
    say(ledger, bundle, "approve", "Ben", 1)
    say(ledger, bundle, "reject", "Cyd", 2)
    with pytest.raises(Refusal, match=r"rejected \(Cyd: read the report\)"):
        approval.require(ledger, bundle, POLICY, 0, "Ada")
    say(ledger, bundle, "approve", "Cyd", 3)
    approval.require(ledger, bundle, POLICY, 2, "Ada")
    assert [one.by for one in approval.standing(ledger, bundle, POLICY)] == ["Ben", "Cyd"]


def test_an_approval_does_not_outlive_the_policy_or_the_bytes_it_was_of(
    ledger: Ledger, bundle: Bundle, successor: Bundle
) -> None:
    say(ledger, bundle, "approve", "Ben")
    with pytest.raises(Refusal, match="has none"):
        approval.require(ledger, bundle, "b" * 64, 1, "Ada")
    other = replace(successor, version=bundle.version)  # the same name, other bytes
    with pytest.raises(Refusal, match="has none"):
        approval.require(ledger, other, POLICY, 1, "Ada")


@pytest.mark.parametrize(("by", "reason"), [("", "why"), (" ", "why"), ("Ada", ""), ("Ada", " ")])
def test_a_word_without_name_or_reason_is_refused(ledger: Ledger, bundle: Bundle, by: str, reason: str) -> None:
    with pytest.raises(InputError, match="neither may be empty"):
        approval.record(ledger, bundle, POLICY, "approve", by, reason, "2026-01-01")
