"""The commands as a person calls them, one after the other, on the files of a book."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import creditloop
from features.contracts import iso
from serving import access

RULES = """
[customers.review]
exposure_feature = "balance_last"
[[customers.warnings]]
name = "late"
feature = "days_past_due_last"
operator = ">="
bound = 30
level = "critical"
action = "Call"
owner = "clerk"
due_days = 3
"""


@pytest.fixture
def run(
    world,
    repository: Path,
    book_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, Any]]:
    """Calls `creditloop customers ... --json` in a copy of the world's home; the exit code and answer, or error."""
    home = Path(shutil.copytree(world.home, tmp_path / "home"))
    monkeypatch.setenv("CREDITLOOP_HOME", str(home))
    monkeypatch.setenv("CREDITLOOP_KEY", access.create_key(home, "ann", "risk"))
    product = home / "products" / "consumer_platform.toml"
    product.parent.mkdir(exist_ok=True)
    shipped = (repository / "configs" / "products" / "consumer_platform.toml").read_text(encoding="utf-8")
    product.write_text(shipped + RULES, encoding="utf-8")

    def called(*words: str, data: bool = True) -> tuple[int, Any]:
        places = ["--data", str(book_folder)] if data else []
        code = creditloop.main(["customers", *words, "--product", "consumer_platform", *places, "--json"])
        out, err = capsys.readouterr()
        return code, json.loads(out) if out else err

    return called


def test_a_book_is_managed_from_review_to_file(run, day_of_month, reviewed_at) -> None:
    first, second = iso(day_of_month(9)), iso(day_of_month(12))
    assert run("review", "--as-of", first)[1]["previous"] is None
    code, review = run("review", "--as-of", second)
    assert (code, review["previous"]["as_of"]) == (0, first)
    assert Path(review["page"]).exists()

    code, warned = run("warn", "--as-of", second)
    assert (code, warned["new"] > 0) == (0, True)
    assert run("warn", "--as-of", second)[1]["new"] == 0
    code, watched = run("watchlist", data=False)
    assert (code, len(watched["warnings"])) == (1, warned["new"])
    warning = watched["warnings"][0]
    by_ann = ("--by", "ann", "--reason", "called")
    assert run("acknowledge", warning["id"], *by_ann, data=False)[1]["new"]
    code, told = run("close", warning["id"], *by_ann, "--finding", "justified", data=False)
    assert (code, "another person than ann closes it" in told) == (1, True)

    who = warning["customer_id"]
    step = ("--by", "ann", "--note", "said so", "--on", second)
    assert run("promise", who, *step, "--amount", "10", "--due", second, data=False)[0] == 0
    code, book = run("collections", "--as-of", second)
    assert next(row for row in book["queue"] if row["customer_id"] == who)["held"] == f"promised to pay by {second}"
    assert run("kpi", "--as-of", second)[1]["months"][-1] == second[:7]
    code, file = run("file", who, "--as-of", second)
    kinds = [one["kind"] for one in file["events"]]
    assert kinds == ["review", "review", "warning", "collection"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["acknowledge", "w", "--by", "ann", "--reason", "b"], "no warning 'w'"),
        (["contact", "a", "--by", "ann", "--note", " "], "neither may be empty"),
    ],
)
def test_what_cannot_be_recorded_is_told(run, words: list[str], told: str) -> None:
    code, error = run(*words, data=False)
    assert code == 2
    assert told in error


def test_a_customer_nobody_knows_has_no_file(run) -> None:
    code, error = run("file", "../nobody", "--as-of", "2024-01-31")
    assert code == 2
    assert "nothing was known of customer '../nobody'" in error
