"""The console in a real browser: every page, what persons may and may not do, and that everybody can use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PATHS = (
    "/",
    "/drift",
    "/models",
    "/models/{challenger}",
    "/models/compare",
    "/decisions",
    "/decisions/{decision}",
    "/customers",
    "/customers?customer={customer}&as_of={day}",
    "/watchlist",
    "/collections",
    "/policy?after=in-force&decisions=1",
    "/audit?at=2026-02-01",
)
Person = Callable[..., Any]


def address(site: Any, path: str) -> str:
    first = site.answers[0]
    named = {"challenger": site.challenger, "decision": first["decision_id"], "customer": first["customer_id"]}
    return site.root + path.format(**named, day=first["as_of"])


def serious(page: Any, *rules: str) -> list[str]:
    """The rules of axe that the page breaks, as far as they are serious or critical."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    options = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    found = axe.Axe().run(page, options=options).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_opens_and_everybody_can_use_it_light_and_dark(site: Any, as_person: Person, path: str) -> None:
    page, said = as_person("rita"), []
    page.on("console", lambda message: said.append(message.text))
    answer = page.goto(address(site, path))
    assert (answer.status, page.locator("h1").count()) == (200, 1)
    assert [text for text in said if "Content Security Policy" in text or "Refused" in text] == []
    assert serious(page) == []
    page.emulate_media(color_scheme="dark")
    in_the_dark = serious(page, "color-contrast")
    page.emulate_media(color_scheme="light")
    assert in_the_dark == []


def test_the_page_of_sign_in_can_be_used_by_everybody(site: Any, chromium: Any) -> None:
    page = chromium.new_page()
    page.goto(f"{site.root}/sign-in")
    assert serious(page) == []
    page.close()


def test_the_first_thing_a_keyboard_reaches_skips_the_navigation(site: Any, as_person: Person) -> None:
    page = as_person("rita")
    page.goto(f"{site.root}/models")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_page_fits_a_narrow_screen(site: Any, chromium: Any, as_person: Person) -> None:
    page = as_person("rita")
    page.set_viewport_size({"width": 400, "height": 800})
    wide = []
    for path in PATHS:
        page.goto(address(site, path))
        if page.evaluate("document.documentElement.scrollWidth") > 400:
            wide.append(path)
    page.set_viewport_size({"width": 1280, "height": 800})
    assert wide == []


def test_a_page_can_be_read_in_chinese(site: Any, as_person: Person) -> None:
    page = as_person("anna")
    page.goto(f"{site.root}/models")
    page.click("button[name=language]")
    assert (page.locator("h1").inner_text(), page.locator("html").get_attribute("lang")) == ("模型", "zh-Hans")
    page.click("button[name=language]")
    assert page.locator("h1").inner_text() == "Models"


def test_a_decision_is_replayed_equal_to_the_bit(site: Any, as_person: Person) -> None:
    page = as_person("anna")
    page.goto(address(site, "/decisions/{decision}"))
    page.click("text=Replay")
    assert "Equal, bit for bit" in page.locator("#replayed").inner_text()


def test_a_search_shows_the_decisions_of_a_grade_alone(site: Any, as_person: Person) -> None:
    page, wanted = as_person("rita"), site.answers[0]["grade"]
    page.goto(f"{site.root}/decisions")
    page.select_option("#grade", wanted)
    page.click("main button:has-text('Search')")
    rows = page.locator("tbody tr")
    expected = sum(answer["grade"] == wanted for answer in site.answers)
    assert rows.count() == min(expected, 20)
    assert set(page.locator("tbody tr td:nth-child(6)").all_inner_texts()) == {wanted}


def test_a_list_goes_on_where_the_page_before_ended(site: Any, as_person: Person) -> None:
    page = as_person("rita")
    page.goto(f"{site.root}/decisions")
    first = page.locator("tbody th").all_inner_texts()
    with page.expect_navigation():
        page.click("a[rel=next]")
    rest = page.locator("tbody th").all_inner_texts()
    assert (len(first), len(rest), set(first) & set(rest)) == (20, 10, set())


def test_a_version_is_promoted_by_two_persons_of_whom_none_trained_it(site: Any, as_person: Person) -> None:
    """The validator approves; the approver promotes, having been refused before; the service then answers with it."""
    path = f"{site.root}/models/{site.challenger}"
    paul, vera = as_person("paul"), as_person("vera")
    paul.goto(path)
    paul.fill("#promote-reason", "better")
    paul.click("text=Make it the champion")
    refused = paul.locator("[role=alert]").inner_text()
    paul.fill("#word-reason", "I approve what I promote")
    paul.click("button:has-text('Approve')")
    paul.fill("#promote-reason", "better")
    paul.click("text=Make it the champion")
    again = paul.locator("[role=alert]").inner_text()
    vera.goto(path)
    vera.fill("#word-reason", "validated")
    vera.click("button:has-text('Approve')")
    paul.goto(path)
    paul.fill("#promote-reason", "better")
    paul.click("text=Make it the champion")
    assert "needs the approval of 1 beside paul" in refused
    assert "needs the approval of 1 beside paul" in again  # one's own word is not another's
    assert site.challenger in paul.locator("table").first.locator("tr", has_text="champion").last.inner_text()


def test_who_trained_a_version_is_not_even_shown_a_way_to_approve_it(site: Any, as_person: Person) -> None:
    page = as_person("dora")
    page.goto(f"{site.root}/models/{site.challenger}")
    assert page.locator("form[action*='/models/']").count() == 0


def test_a_critical_warning_is_closed_by_another_than_acknowledged_it(site: Any, as_person: Person) -> None:
    page = as_person("rita")
    page.goto(f"{site.root}/watchlist")
    row = page.locator("tbody tr").first
    customer = row.locator("th").inner_text()
    row.locator("summary").click()
    row.locator("textarea").fill("called")
    row.locator("button").click()
    row = page.locator("tbody tr", has_text=customer)
    row.locator("summary").click()
    row.locator("textarea").fill("paid")
    row.locator("button").click()
    assert "another person than rita closes it" in page.locator("[role=alert]").inner_text()


def test_a_promise_to_pay_takes_a_customer_from_those_to_call(site: Any, as_person: Person) -> None:
    page = as_person("rita")
    page.goto(f"{site.root}/collections")
    before = page.locator("text=left alone today").inner_text()
    page.fill("#s-customer", page.locator("tbody tr", has_text="to call").first.locator("th").inner_text())
    page.select_option("#s-what", "promise")
    page.fill("#s-amount", "10")
    page.fill("#s-due", "2999-12-31")
    page.fill("#s-note", "pays when the century ends")
    page.click("main button:has-text('Record')")
    assert (before, page.locator("text=left alone today").inner_text()) == ("0 left alone today", "1 left alone today")


def test_the_ledger_is_verified_while_one_looks_on(site: Any, as_person: Person) -> None:
    page = as_person("anna")
    page.goto(f"{site.root}/audit")
    page.click("text=Verify now")
    page.wait_for_selector("text=All holds", timeout=60_000)
    assert "every hash holds" in page.locator("#verify").inner_text()


def test_a_look_at_a_customer_is_on_the_page_of_audit(site: Any, as_person: Person) -> None:
    page, customer = as_person("anna"), site.answers[1]["customer_id"]
    page.goto(f"{site.root}/customers?customer={customer}&as_of={site.answers[1]['as_of']}")
    page.goto(f"{site.root}/audit")
    assert page.locator("tr", has_text=customer).first.inner_text().split("\t")[1:3] == ["anna", customer]


def test_keys_are_on_the_page_of_audit_and_one_that_no_record_made_is_pointed_at(site: Any, as_person: Person) -> None:
    page = as_person("anna")
    page.goto(f"{site.root}/audit")
    assert page.locator("tr", has=page.locator("th", has_text="paul")).first.inner_text().split("\t")[1:5] == [
        "made", "paul", "approver", "root"
    ]  # fmt: skip
    told = page.locator("p[role=alert]").all_inner_texts()
    assert any("machine holds a key (read) that no record made" in one for one in told)
    assert not any("paul" in one for one in told)


def test_who_signs_out_is_out(site: Any, as_person: Person, chromium: Any) -> None:
    """The cookie too, were it kept."""
    page = as_person("vera")
    kept = page.context.cookies()
    page.goto(f"{site.root}/")
    page.click("text=Sign out")
    other = chromium.new_context()
    other.add_cookies(kept)
    again = other.new_page()
    assert again.goto(f"{site.root}/").status == 401
    other.close()
