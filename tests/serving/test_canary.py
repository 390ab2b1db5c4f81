"""The canary: some customers meet the challenger, always the same ones, on record; it ends by promotion or by word."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import BundleError, InputError, Refusal
from configs.settings import Product, Settings
from serving import access, approval, canary, champion, events, live, loading, overlay, overlay_commands
from serving.api import DecideRequest
from serving.ledger import Ledger
from serving.live import Live
from serving.overlay import Overlay
from serving.replay import replay
from training.bundle import Bundle

NAME = "consumer_platform"
AT = "2026-01-31T00:00:00+00:00"


def promote(ledger: Ledger, bundle: Bundle) -> None:
    champion.promote(ledger, bundle, champion.current(ledger, NAME), "tests", "why", AT)


def start(ledger: Ledger, bundle: Bundle, share: float = 0.3, by: str = "Ada") -> canary.Canary:
    return canary.start(ledger, bundle, set(bundle.program.tables), share, by, "to see", AT)


def test_without_a_record_there_is_none(ledger: Ledger, bundle: Bundle) -> None:
    promote(ledger, bundle)
    assert canary.current(ledger, NAME) is None


def test_it_stands_until_it_is_stopped(ledger: Ledger, bundle: Bundle, successor: Bundle) -> None:
    promote(ledger, bundle)
    made = start(ledger, successor)
    assert canary.current(ledger, NAME) == made
    assert canary.stop(ledger, NAME, "Ada", "seen enough", AT).share == 0.0
    assert canary.current(ledger, NAME) is None


@pytest.mark.parametrize("promoted", ["the canary's", "the champion again"])
def test_any_promotion_ends_it(ledger: Ledger, bundle: Bundle, successor: Bundle, promoted: str) -> None:
    promote(ledger, bundle)
    start(ledger, successor)
    promote(ledger, successor if promoted == "the canary's" else bundle)
    assert canary.current(ledger, NAME) is None


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 5.0, float("nan")])
def test_a_share_that_is_none_is_refused(ledger: Ledger, bundle: Bundle, successor: Bundle, share: float) -> None:
    promote(ledger, bundle)
    with pytest.raises(InputError, match="between 0 and 1"):
        start(ledger, successor, share)


def test_who_stands_beside_nobody_is_refused(ledger: Ledger, bundle: Bundle) -> None:
    with pytest.raises(Refusal, match="beside no other champion"):
        start(ledger, bundle)
    promote(ledger, bundle)
    with pytest.raises(Refusal, match="beside no other champion"):
        start(ledger, bundle)


def test_one_that_reads_other_tables_is_refused(ledger: Ledger, bundle: Bundle, successor: Bundle) -> None:
    promote(ledger, bundle)
    with pytest.raises(Refusal, match="the same tables: facts"):
        canary.start(ledger, successor, {*successor.program.tables, "facts"}, 0.1, "Ada", "why", AT)


def test_what_was_retired_decides_about_nobody_and_what_decides_is_not_retired(
    ledger: Ledger, bundle: Bundle, successor: Bundle
) -> None:
    promote(ledger, bundle)
    start(ledger, successor)
    with pytest.raises(Refusal, match=f"{successor.version} is the canary of {NAME}: stop it"):
        events.record(ledger, NAME, successor.version, "retirement", "Rae", "old", AT)
    canary.stop(ledger, NAME, "Ada", "seen enough", AT)
    events.record(ledger, NAME, successor.version, "retirement", "Rae", "old", AT)
    with pytest.raises(Refusal, match="was retired by Rae: old"):
        start(ledger, successor)


def test_one_that_lacks_the_segment_of_an_overlay_is_refused(ledger: Ledger, bundle: Bundle, successor: Bundle) -> None:
    promote(ledger, bundle)
    terms = {"effect": "shift", "size": 0.5, "feature": "x", "operator": "<", "bound": 1.0}
    wanted = Overlay(id="", **terms, by="Rae", reason="rates rose", until=AT[:10])
    overlay.record(ledger, NAME, ("x",), wanted, 180, AT)
    with pytest.raises(Refusal, match=r"reads x.*end the overlay first"):
        start(ledger, successor)


def test_a_word_said_while_it_was_weighed_is_heard(ledger: Ledger, bundle: Bundle, successor: Bundle) -> None:
    promote(ledger, bundle)
    weighed_at, _ = ledger.head()
    approval.record(ledger, successor, "policy", "reject", "Vic", "thin test", AT)
    with pytest.raises(Refusal, match="approval was said about"):
        canary.start(ledger, successor, set(bundle.program.tables), 0.3, "Ada", "to see", AT, weighed_at)


def test_an_overlay_is_for_a_feature_that_the_canary_has_too(
    ledger: Ledger, bundle: Bundle, successor: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(ledger, bundle)
    names, product = bundle.program.names, SimpleNamespace(name=NAME)
    monkeypatch.setattr(champion, "load_champion", lambda *_: bundle)
    assert overlay_commands.features_of_all(ledger, Path(), product) == names
    start(ledger, successor)
    fewer = SimpleNamespace(bundle=SimpleNamespace(program=SimpleNamespace(names=names[1:])))
    monkeypatch.setattr(champion, "challenger_scorer", lambda *_: fewer)
    assert overlay_commands.features_of_all(ledger, Path(), product) == names[1:]


def test_it_needs_a_name(ledger: Ledger, bundle: Bundle, successor: Bundle) -> None:
    promote(ledger, bundle)
    with pytest.raises(InputError, match="neither may be empty"):
        start(ledger, successor, by=" ")


def test_stopping_where_there_is_none_is_refused(ledger: Ledger, bundle: Bundle) -> None:
    promote(ledger, bundle)
    with pytest.raises(Refusal, match="no canary to stop"):
        canary.stop(ledger, NAME, "Ada", "why", AT)


@settings(max_examples=30, deadline=None)
@given(customer=st.text(max_size=40), version=st.text(max_size=40))
def test_a_customer_stands_at_one_place(customer: str, version: str) -> None:
    place = canary.place(version, customer)
    assert 0 <= place < 1
    assert canary.place(version, customer) == place


def test_a_larger_share_holds_the_smaller_and_shares_are_what_they_say() -> None:
    places = [canary.place("v-1", f"C-{number}") for number in range(20_000)]
    for share in (0.01, 0.05, 0.5):
        assert abs(sum(place < share for place in places) / 20_000 - share) < 4 * (share * (1 - share) / 20_000) ** 0.5


def test_two_versions_do_not_meet_the_same_customers() -> None:
    both = sum(canary.place("v-1", f"C-{n}") < 0.2 and canary.place("v-2", f"C-{n}") < 0.2 for n in range(10_000))
    assert 300 < both < 500  # 0.04 of them, were they drawn apart


def test_a_version_with_other_bytes_is_not_loaded(
    tmp_path: Path, furnish: Callable[[Path], Settings], product: Product, successor: Bundle
) -> None:
    home = furnish(tmp_path).home
    with pytest.raises(BundleError, match="not the bytes"):
        champion.challenger_scorer(home, product, successor.version, "0" * 64)


def test_a_running_service_follows_and_what_it_decides_is_on_record_and_replays_equal(
    tmp_path: Path,
    furnish: Callable[[Path], Settings],
    bundle: Bundle,
    successor: Bundle,
    bodies: list[dict[str, Any]],
    passed: type,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[[Callable[[], bool]], bool],
) -> None:
    monkeypatch.setattr(live, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(loading, "trial", lambda *_: passed())
    home = furnish(tmp_path)
    access.create_key(home.home, "tests", "score")
    house = Live(home, (NAME,))

    def ask(body: dict[str, Any]) -> dict[str, Any]:
        request = msgspec.json.decode(json.dumps(body), type=DecideRequest)
        _, record = house.ask(*house.answering(house.scorers[NAME], house.question(request)), None)
        found: dict[str, Any] = record.result(timeout=30).body()
        return found

    made = start(house.ledger, successor, 0.4)
    assert eventually(lambda: house.standing[NAME].challenger is not None)
    found = [ask(body) for body in bodies[:30]]
    for one in found:
        arm = one["question"]["circumstances"]["canary"]
        assert arm["challenger"] == (arm["place"] < 0.4) == (one["answer"]["model"] == successor.version)
        assert arm["canary"] == made.record_id
    assert {one["answer"]["model"] for one in found} == {bundle.version, successor.version}
    again = [ask(body)["answer"]["model"] for body in bodies[:30]]
    assert again == [one["answer"]["model"] for one in found]
    challenger, beside = canary.decided(house.ledger, NAME, made)
    assert (challenger.model, beside.model) == (successor.version, bundle.version)
    assert challenger.decisions + beside.decisions == 60
    canary.stop(house.ledger, NAME, "Ada", "seen enough", AT)
    assert eventually(lambda: house.standing[NAME].challenger is None)
    assert "circumstances" not in ask(bodies[0])["question"]
    replayed = list(replay(house.ledger, home.home))
    house.close()
    assert [one.equal for one in replayed] == [True] * 61
