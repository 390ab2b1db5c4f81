"""Papers: what is not on record is said to be so, the software is what is installed, nothing becomes markup."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from configs.governance import SUPPLIED_BY, Stated
from configs.settings import Explanation, load_product, load_settings
from features.declaration import Constant, Feature
from governance.annex import PARTS
from governance.artefact import Artefact, listed, recorded, stated, table
from governance.facts import gather
from governance.judged import measured_reasons
from governance.papers import missing
from governance.render import Page, html, markdown
from governance.use import names_of
from serving import approval
from serving.ledger import Ledger
from training.bundle import Bundle
from training.explain import reasons

AT = "2026-01-05T09:00:00+00:00"

EVIL = "<script>alert(1)</script> | **x**"


def paper(**changed) -> Artefact:
    said = {"number": 1, "key": "inventory_card", "title": "Inventory card", "told": "What it is."}
    return Artefact(**{**said, **changed})


def page_of(artefact: Artefact) -> Page:
    told = {"product": "p", "title": EVIL, "version": "v", "status": "champion", "written_at": "2026-01-05T09:00:00"}
    return Page({**told, "missing": [], "artefacts": [artefact.to_json()]}, artefact.to_json())


def test_what_a_person_must_say_and_did_not_is_told_with_whose_word_it_is() -> None:
    one = paper(fields=stated(Stated(owner="Ada"), "owner", "purpose"))
    assert [field.name for field in one.missing] == ["purpose"]
    assert "to be supplied by the model&#39;s owner" in html(page_of(one))
    assert "**to be supplied by the model's owner**" in markdown(page_of(one))


def test_words_of_blanks_are_none() -> None:
    assert stated(Stated(owner="  "), "owner")[0].supplied_by == SUPPLIED_BY["owner"]


def test_every_field_persons_supply_has_somebody_to_ask() -> None:
    assert set(SUPPLIED_BY) == set(Stated.model_fields)


def test_a_field_asked_for_twice_is_missing_once() -> None:
    asked = stated(Stated(), "purpose")
    (one,) = missing((paper(fields=asked), paper(number=8, fields=asked)))
    assert (one.field, one.asked_in) == ("purpose", (1, 8))


def test_a_fact_that_was_not_recorded_is_not_left_out() -> None:
    assert "not on record" in html(page_of(paper(fields=recorded("ledger", trained_by=None))))


def test_nothing_that_somebody_wrote_becomes_markup() -> None:
    one = paper(
        fields=recorded(EVIL, reason=EVIL),
        tables=(table(EVIL, EVIL, (EVIL,), [(EVIL,)]),),
        attached={"example": {EVIL: EVIL}},
    )
    assert "<script>" not in html(page_of(one))
    cells = [line for line in markdown(page_of(one)).splitlines() if line.startswith("| reason")]
    assert cells[0].replace("\\|", "").count("|") == 4
    assert "<script>" not in cells[0]


def test_a_table_of_records_shows_first_what_each_is_about_and_leaves_nested_ones_out() -> None:
    found = [{"told": "b", "bins": [{"x": 1}], "name": "a", "auc": {"value": 0.7, "low": 0.6, "high": 0.8}}]
    made = listed("c", "s", found)
    assert (made.columns, made.rows) == (("name", "auc", "told"), (("a", "0.7000 (0.6000 to 0.8000)", "b"),))


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part[0])
def test_annex_iv_points_at_papers_there_are(part) -> None:
    assert all(1 <= number <= 12 and number != 7 for number in part[2])
    assert [one[0] for one in PARTS] == [str(number) for number in range(1, 10)]


def test_who_is_told_as_approving_is_whose_last_word_on_these_bytes_and_this_policy_is_yes(
    ledger: Ledger, version: Callable[..., Bundle], tmp_path: Path
) -> None:
    bundle, product = version(), load_product("consumer_platform", tmp_path)
    for made, word, by in (
        (bundle, "approve", "Ada"),
        (bundle, "approve", "Ben"),
        (bundle, "reject", "Ben"),
        (bundle, "reject", "Cai"),
        (bundle, "approve", "cai"),
    ):
        approval.record(ledger, made, product.digest(), word, by, f"{word} by {by}", AT)
    stranger = dataclasses.replace(bundle, digest="b" * 64)  # the same name, other bytes
    approval.record(ledger, stranger, product.digest(), "approve", "Dee", "seen", AT)
    approval.record(ledger, bundle, "another policy", "approve", "Eve", "seen", AT)
    assert names_of(gather(bundle, product, load_settings(tmp_path), ledger, AT)) == "Ada, cai"


def test_whether_the_noise_of_reasons_was_measured_is_told_as_training_says_it() -> None:
    features = [Feature(name, "column", Constant(0), "", "", "unknown", name, name) for name in ("a", "b")]
    own = np.array([[1.0, 0.0], [-1.0, 0.5]])
    wanted = Explanation(pd_confidence=0.9, economy_spread=0.25, refits=2, noise_gate=1.0, together=0.7, rows=500)
    assert measured_reasons(reasons(own, [own + 0.1], features, wanted)) == (2, True)
    assert measured_reasons(reasons(own, [], features, wanted)) == (2, False)
    assert measured_reasons(None) == (None, False)
