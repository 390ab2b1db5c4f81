"""Attacks on a promotion: by its author, alone, past the gate, past a finding, with an approval of other bytes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from configs.errors import InputError, Refusal
from configs.settings import Product, Settings
from serving import approval, authorship, champion, finding, promoting, waiver
from serving.ledger import Ledger
from training.bundle import Bundle

AT, LATER, TODAY = "2026-01-05T09:00:00+00:00", "2026-03-05T09:00:00+00:00", dt.date(2026, 1, 5)


@pytest.fixture
def product(shipped: Callable[[str], Product]) -> Product:
    return shipped("consumer_platform")


@pytest.fixture
def promote(ledger: Ledger, rules: Callable[..., Settings], product: Product) -> Callable[..., champion.Promotion]:
    """Promotes a version under four eyes, by Ada unless told otherwise."""

    def done(bundle: Bundle, by: str = "Ada", at: str = AT, despite: str | None = None, approvals: int = 1):
        return promoting.promote(ledger, rules(approvals=approvals), bundle, product, by, "better", at, despite)

    return done


def approve(ledger: Ledger, bundle: Bundle, product: Product, by: str, word: approval.Word = "approve") -> None:
    approval.record(ledger, bundle, product.digest(), word, by, "read the report", AT)


def waive(ledger: Ledger, bundle: Bundle, product: Product, by: str, days: int = 30) -> waiver.Waiver:
    until = TODAY + dt.timedelta(days)
    return waiver.record(ledger, bundle, product.digest(), by, "the sample is small", until, 90, AT)


def test_three_persons_bring_a_version_to_the_top(ledger, version, product, promote) -> None:
    authorship.record(ledger, version(), "Dan", AT)
    approve(ledger, version(), product, "Ben")
    assert promote(version()).by == "Ada"


def test_the_author_does_not_approve(ledger, version, product, promote) -> None:
    authorship.record(ledger, version(), "Dan", AT)
    with pytest.raises(Refusal, match="was trained by Dan, who does not approve it"):
        approve(ledger, version(), product, " DAN")
    approve(ledger, version(), product, "Dan", "reject")  # a no is welcome from anybody
    with pytest.raises(Refusal, match="rejected"):
        promote(version())


def test_an_approval_given_before_its_giver_turned_out_the_author_does_not_count(
    ledger, version, product, promote
) -> None:
    approve(ledger, version(), product, "Dan")
    authorship.record(ledger, version(), "dan", AT)
    with pytest.raises(Refusal, match="has none"):
        promote(version())


def test_who_trains_the_same_bytes_again_does_not_take_them_over(ledger, version) -> None:
    authorship.record(ledger, version(), "Dan", AT)
    authorship.record(ledger, version(), "Eve", LATER)
    assert authorship.author(ledger, version().version) == "Dan"


def test_a_version_of_nobody_is_not_promoted_where_four_eyes_are_wanted(ledger, version, product, promote) -> None:
    approve(ledger, version(), product, "Ben")
    with pytest.raises(Refusal, match="trained is not on record"):
        promote(version())
    assert promote(version(), approvals=0).version == version().version


def test_an_approval_of_other_bytes_or_another_policy_is_none(ledger, version, product, promote) -> None:
    authorship.record(ledger, version(), "Dan", AT)
    forged = version(digest="a" * 10 + "b" * 54)  # the same name, other bytes
    approve(ledger, forged, product, "Ben")
    approval.record(ledger, version(), "another policy", "approve", "Cyd", "read it", AT)
    with pytest.raises(Refusal, match="has none"):
        promote(version())


def test_the_gate_is_passed_over_only_by_a_second_name(ledger, version, product, promote) -> None:
    failed = version(passed=False)
    authorship.record(ledger, failed, "Dan", AT)
    approve(ledger, failed, product, "Ben")
    with pytest.raises(Refusal, match=r"did not pass the gate \(auc\), and no waiver by another than Ada stands"):
        promote(failed, despite="I say so")
    waive(ledger, failed, product, "ada")
    with pytest.raises(Refusal, match="by another than Ada"):
        promote(failed)
    waive(ledger, failed, product, "Rae")
    assert "gate waived until 2026-02-04 by Rae: the sample is small" in promote(failed).reason


def test_a_waiver_ends(ledger, version, product, promote) -> None:
    failed = version(passed=False)
    authorship.record(ledger, failed, "Dan", AT)
    approve(ledger, failed, product, "Ben")
    waive(ledger, failed, product, "Rae", days=30)
    with pytest.raises(Refusal, match="that of Rae ended on 2026-02-04"):
        promote(failed, at=LATER)


def test_a_waiver_of_other_bytes_or_of_other_checks_covers_nothing(ledger, version, product, promote) -> None:
    failed, forged = version(passed=False), version(passed=False, digest="a" * 10 + "b" * 54)
    authorship.record(ledger, failed, "Dan", AT)
    approve(ledger, failed, product, "Ben")
    waive(ledger, forged, product, "Rae")
    with pytest.raises(Refusal, match="or was of other bytes"):
        promote(failed)


@pytest.mark.parametrize(
    ("by", "days", "error", "told"),
    [
        ("Dan", 30, Refusal, "does not waive its gate"),
        ("Rae", -1, InputError, "ends between today and 90 days"),
        ("Rae", 91, InputError, "ends between today and 90 days"),
        (" ", 30, InputError, "neither may be empty"),
    ],
)
def test_a_waiver_that_is_none_is_refused(ledger, version, product, by, days, error, told) -> None:
    authorship.record(ledger, version(passed=False), "Dan", AT)
    with pytest.raises(error, match=told):
        waive(ledger, version(passed=False), product, by, days)


def test_what_passed_is_not_waived(ledger, version, product) -> None:
    with pytest.raises(Refusal, match="nothing to waive"):
        waive(ledger, version(), product, "Rae")


def found(ledger: Ledger, bundle: Bundle, severity: str, days: int = 30) -> finding.Finding:
    due = TODAY + dt.timedelta(days)
    return finding.add(ledger, bundle, severity, due, "no benchmark", "Val", AT)


def test_a_grave_finding_blocks_until_it_is_closed(ledger, version, product, promote) -> None:
    authorship.record(ledger, version(), "Dan", AT)
    approve(ledger, version(), product, "Ben")
    open_one = found(ledger, version(), "high")
    with pytest.raises(Refusal, match=f"open findings \\({open_one.id}, high, due 2026-02-04: no benchmark"):
        promote(version())
    finding.close(ledger, product.name, open_one.id, "scorecard added", "Val", AT)
    assert promote(version()).version == version().version


def test_a_slight_finding_blocks_once_it_is_overdue(ledger, version, promote) -> None:
    found(ledger, version(), "low", days=30)
    promote(version(), approvals=0)
    with pytest.raises(Refusal, match="open findings"):
        promote(version(), approvals=0, at=LATER)


def test_the_author_does_not_close_what_others_found(ledger, version, product) -> None:
    authorship.record(ledger, version(), "Dan", AT)
    open_one = found(ledger, version(), "high")
    with pytest.raises(Refusal, match="trained by Dan, who does not close"):
        finding.close(ledger, product.name, open_one.id, "never mind", "Dan", AT)
    with pytest.raises(InputError, match="has no finding"):
        finding.close(ledger, product.name, "finding-x", "never mind", "Val", AT)


def test_what_was_closed_is_not_found_again_in_the_same_words(ledger, version, product, promote) -> None:
    closed = found(ledger, version(), "high")
    assert found(ledger, version(), "high") == closed
    finding.close(ledger, product.name, closed.id, "scorecard added", "Val", AT)
    with pytest.raises(Refusal, match=f"{closed.id} was closed by Val at .*: say what is found now"):
        found(ledger, version(), "high")
    found(ledger, version(), "high", days=60)
    with pytest.raises(Refusal, match="open findings"):
        promote(version(), approvals=0)


def test_of_several_who_close_a_finding_one_is_on_record(ledger, version, product, race) -> None:
    open_one = found(ledger, version(), "high")
    won = race(
        [lambda by=by: finding.close(ledger, product.name, open_one.id, "done", by, AT) for by in ("A", "B", "C", "D")]
    )
    (state,) = finding.findings(ledger, product.name)
    assert (len(won), state.closed_by) == (1, won[0].closed_by)


def test_a_rejection_that_lands_while_a_promotion_is_weighed_stops_it(
    ledger, version, product, promote, monkeypatch
) -> None:
    weighed = promoting.require

    def interrupted(*words: object) -> str:
        said = weighed(*words)  # type: ignore[arg-type]
        approve(ledger, version(), product, "Eve", "reject")
        return said

    monkeypatch.setattr(promoting, "require", interrupted)
    with pytest.raises(Refusal, match=r"was said about .* while"):
        promote(version(), approvals=0)
    assert champion.current(ledger, product.name) is None


def test_who_promotes_at_once_replaces_what_they_saw_or_is_refused(ledger, version, product, promote, race) -> None:
    versions = [version(digest=letter * 64) for letter in "abcdef"]
    won = race([lambda one=one: promote(one, approvals=0) for one in versions])
    history = champion.history(ledger, product.name)
    assert 1 <= len(won) == len(history)
    assert [one.previous for one in history] == [None, *(one.version for one in history[:-1])]
    assert champion.current(ledger, product.name) == history[-1]
