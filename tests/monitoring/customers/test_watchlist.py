"""The watchlist: raised once, acknowledged, closed by another, and of two reviewers at once one is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from configs.customers import Indicator
from configs.errors import InputError, Refusal
from configs.settings import Product
from monitoring.customers import watchlist
from monitoring.customers.contacts import Step, record, steps_of
from monitoring.customers.watchlist import Finding, act, open_ones, raise_for, warnings_of
from serving.ledger import Ledger
from serving.vault import Vault

DAY = dt.date(2024, 12, 31)
AT = "2025-01-01T00:00:00.000000+00:00"
SIGN = Indicator(
    name="late", feature="x", operator=">=", bound=1.0, level="high", action="Call", owner="clerk", due_days=3
)
GRAVE = SIGN.model_copy(update={"name": "grave", "level": "critical"})


@pytest.fixture
def product(shipped: Callable[[str], Product]) -> Product:
    return shipped("trade_credit")


def warn(ledger: Ledger, product: Product, *hits: tuple[str, Indicator, float], day: dt.date = DAY) -> int:
    entries = raise_for(warnings_of(ledger, product.name), product.name, hits, day, AT)
    return sum(record.new for record in ledger.append(entries)) if entries else 0


@pytest.fixture
def raised(ledger: Ledger, product: Product) -> str:
    warn(ledger, product, ("a", SIGN, 2.0))
    return warnings_of(ledger, product.name)[0].id


def test_a_warning_says_who_has_to_do_what_by_when(ledger: Ledger, product: Product, raised: str) -> None:
    (warning,) = warnings_of(ledger, product.name)
    assert (warning.owner, warning.action, warning.due) == ("clerk", "Call", "2025-01-03")
    assert (warning.state, warning.told) == ("raised", "x is 2, bound >= 1")


def test_an_open_warning_is_not_raised_again(ledger: Ledger, product: Product, raised: str) -> None:
    assert warn(ledger, product, ("a", SIGN, 3.0), day=dt.date(2025, 1, 31)) == 0


def test_another_sign_or_customer_is_another_warning(ledger: Ledger, product: Product, raised: str) -> None:
    assert warn(ledger, product, ("a", GRAVE, 3.0), ("b", SIGN, 3.0)) == 2


def test_after_it_was_closed_a_later_hit_is_raised_anew(ledger: Ledger, product: Product, raised: str) -> None:
    act(ledger, product, raised, "acknowledge", "ann", "I call", AT)
    act(ledger, product, raised, "close", "ann", "paid", AT, "false_alarm")
    assert warn(ledger, product, ("a", SIGN, 3.0)) == 0
    assert warn(ledger, product, ("a", SIGN, 3.0), day=dt.date(2025, 1, 31)) == 1
    assert [warning.state for warning in warnings_of(ledger, product.name)] == ["closed", "raised"]


def test_of_two_runs_at_once_one_alone_leaves_its_warnings(ledger: Ledger, product: Product) -> None:
    entries = [raise_for([], product.name, [("a", SIGN, 2.0)], day, AT) for day in (DAY, DAY + dt.timedelta(1))]
    for made in entries:
        ledger.append(made)
    assert len(warnings_of(ledger, product.name)) == 1


def test_it_is_acknowledged_before_it_is_closed(ledger: Ledger, product: Product, raised: str) -> None:
    with pytest.raises(Refusal, match="not acknowledged yet"):
        act(ledger, product, raised, "close", "ann", "paid", AT, "justified")


def test_steps_are_kept_with_name_reason_and_finding(ledger: Ledger, product: Product, raised: str) -> None:
    act(ledger, product, raised, "acknowledge", "ann", "I call", AT)
    act(ledger, product, raised, "close", "bob", "limit frozen", AT, "justified")
    (warning,) = warnings_of(ledger, product.name)
    assert [(step.act, step.by, step.finding) for step in warning.steps] == [
        ("acknowledge", "ann", None),
        ("close", "bob", "justified"),
    ]
    assert open_ones([warning]) == []
    with pytest.raises(Refusal, match="was closed by bob"):
        act(ledger, product, raised, "acknowledge", "ann", "again", AT)


def test_a_critical_one_is_closed_by_another_person(ledger: Ledger, product: Product) -> None:
    warn(ledger, product, ("a", GRAVE, 2.0))
    (warning,) = warnings_of(ledger, product.name)
    act(ledger, product, warning.id, "acknowledge", "ann", "I call", AT)
    for spelled in ("ann", "Ann", " ANN "):
        with pytest.raises(Refusal, match=f"another person than {spelled}"):
            act(ledger, product, warning.id, "close", spelled, "paid", AT, "justified")
    assert act(ledger, product, warning.id, "close", "bob", "paid", AT, "justified").new


def test_the_same_step_again_gives_the_first_record(ledger: Ledger, product: Product, raised: str) -> None:
    first = act(ledger, product, raised, "acknowledge", "ann", "I call", AT)
    again = act(ledger, product, raised, "acknowledge", "ann", "I call", "2026-01-01T00:00:00.000000+00:00")
    assert (again.new, again.entry.id) == (False, first.entry.id)


def test_of_two_reviewers_at_once_one_is_refused(
    ledger: Ledger, product: Product, raised: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = watchlist._found(ledger, product, raised)
    monkeypatch.setattr(watchlist, "_found", lambda *_: both)  # both saw it unacknowledged

    def acknowledged(by: str) -> str:
        try:
            act(ledger, product, raised, "acknowledge", by, "mine", AT)
        except Refusal as refusal:
            return str(refusal)
        return by

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(acknowledged, ["ann", "bob"]))
    steps = list(ledger.records(watchlist.STEP, product.name))
    assert len(steps) == 1
    winner = steps[0].body()["by"]
    assert winner in answers
    assert f"{winner} was faster: {raised} is acknowledged already; look again" in answers


def test_without_a_name_a_reason_or_a_finding_nothing_is_recorded(
    ledger: Ledger, product: Product, raised: str
) -> None:
    for by, reason in ((" ", "why"), ("ann", "")):
        with pytest.raises(InputError, match="neither may be empty"):
            act(ledger, product, raised, "acknowledge", by, reason, AT)
    with pytest.raises(InputError, match="justified or false_alarm"):
        act(ledger, product, raised, "close", "ann", "paid", AT)
    with pytest.raises(InputError, match="justified or false_alarm"):
        act(ledger, product, raised, "close", "ann", "paid", AT, cast(Finding, "perhaps"))
    with pytest.raises(InputError, match="no warning 'w'"):
        act(ledger, product, "w", "acknowledge", "ann", "why", AT)


def test_of_an_erased_customer_no_warning_is_left_to_read_and_the_others_stay(tmp_path: Path, product: Product) -> None:
    sealed = Ledger(f"sqlite:///{tmp_path}/sealed.db", Vault(tmp_path / "master.key"))
    warn(sealed, product, ("a", SIGN, 2.0), ("b", SIGN, 2.0))
    record(sealed, product.name, Step("a", "hold", "ann", "why", "2025-01-01"), product.customers.collections, AT)
    for warning in warnings_of(sealed, product.name):
        act(sealed, product, warning.id, "acknowledge", "ann", "I call", AT)
    assert sealed.erase("a", "dpo", "their wish", AT) == 2
    assert [warning.customer_id for warning in warnings_of(sealed, product.name)] == ["b"]
    assert steps_of(sealed, product.name) == []
    sealed.verify()


def test_the_worst_and_the_first_due_stand_first(ledger: Ledger, product: Product) -> None:
    warn(ledger, product, ("a", SIGN, 2.0))
    warn(ledger, product, ("b", SIGN, 2.0), ("c", GRAVE, 2.0), day=DAY - dt.timedelta(9))
    assert [warning.customer_id for warning in open_ones(warnings_of(ledger, product.name))] == ["c", "b", "a"]
