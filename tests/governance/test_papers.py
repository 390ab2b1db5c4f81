"""Papers: what is not on record is said to be so, the software is what is installed, nothing becomes markup."""

from __future__ import annotations

import pytest

from configs.governance import SUPPLIED_BY, Stated
from governance.annex import PARTS
from governance.artefact import Artefact, listed, recorded, stated, table
from governance.papers import missing
from governance.render import Page, html, markdown

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
