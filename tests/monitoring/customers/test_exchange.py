"""What a CRM is told and what is taken from one: each change once, each row once."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError, InputError
from configs.settings import load_settings
from features.check import check_frame
from features.contracts import TABLES, to_day
from monitoring.customers import contacts, news, reviewed
from monitoring.customers.exchange import export, take_in
from monitoring.customers.review import Previous
from monitoring.customers.review_totals import Totals
from serving.ledger import Ledger
from serving.vault import Vault
from tests.monitoring.customers.kept import joined, write

AT = "2026-01-31T00:00:00.000000+00:00"
HEAD = "key,customer_id,on,by,note,amount,due\n"


@pytest.fixture(scope="module")
def reviews(reviewed_at, scorer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Previous, Previous]:
    """A review and one after it, in which the first three customers changed: a limit, terms, and one is new."""
    folder, now = tmp_path_factory.mktemp("reviews"), reviewed_at(9)
    limit, terms = now.limit.copy(), now.terms_days.copy()
    limit[0], terms[1] = limit[0] + 100, terms[1] + 1
    write(now.take(np.arange(len(now)) != 2), scorer.grades, folder / "then.parquet")
    with reviewed.writing(scorer.grades, folder / "now.parquet") as keep:
        after = replace(now, limit=limit, terms_days=terms)
        keep(after.take(np.arange(50)))
        keep(after.take(np.arange(50, len(now))))
    return Previous(1, folder / "then.parquet"), Previous(2, folder / "now.parquet")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_export_since_a_day_holds_who_changed_and_no_one_else(reviews, scorer, tmp_path: Path, ending: str) -> None:
    out, (then, now) = tmp_path / f"crm.{ending}", reviews
    assert export(scorer.product, now, then, True, out) == 3
    frame = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
    whole = joined(reviewed.parts_in(now.path, scorer.grades))
    assert frame["customer_id"].tolist() == whole.customer_id[:3].tolist()
    assert frame["limit"].tolist() == whole.limit[:3].tolist()
    assert frame["limit_before"][0] == whole.limit[0] - 100
    assert frame[["grade_before", "limit_before", "terms_before"]].iloc[2].isna().all()


def test_an_export_without_a_day_holds_everybody(reviews, scorer, tmp_path: Path) -> None:
    whole = joined(reviewed.parts_in(reviews[1].path, scorer.grades))
    assert export(scorer.product, reviews[1], None, False, tmp_path / "all.parquet") == len(whole)
    assert pd.read_parquet(tmp_path / "all.parquet")["grade_before"].isna().all()
    with pytest.raises(InputError, match=r"ending in \.csv or \.parquet"):
        export(scorer.product, reviews[1], None, False, tmp_path / "all.xlsx")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path}/ledger.db", Vault(tmp_path / "vault.key"))


def csv_of(folder: Path, *rows: str) -> Path:
    path = folder / "rows.csv"
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


KEPT = "k1,a,2026-01-05,ann,by bank,100,2026-01-20"


def test_a_second_import_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    path = csv_of(tmp_path, KEPT, "k2,b,2026-01-06,bob,cash,50.5,2026-01-10")
    first = take_in(ledger, "p", "promises", path, AT)
    again = take_in(ledger, "p", "promises", path, "2027-01-01T00:00:00+00:00")
    assert (first.rows, first.new, again.rows, again.new) == (2, 2, 2, 0)
    assert [step.customer_id for step in contacts.steps_of(ledger, "p")] == ["a", "b"]


def test_an_import_does_not_bring_back_who_was_erased(ledger: Ledger, tmp_path: Path) -> None:
    path = csv_of(tmp_path, KEPT)
    take_in(ledger, "p", "promises", path, AT)
    ledger.erase("a", "ann", "asked for", AT)
    assert take_in(ledger, "p", "promises", path, AT).new == 0
    assert contacts.steps_of(ledger, "p") == []
    with pytest.raises(InputError, match="no sealed record"):
        ledger.erase("a", "ann", "asked for", AT)


def test_a_key_with_other_words_is_told_and_nothing_is_recorded(ledger: Ledger, tmp_path: Path) -> None:
    take_in(ledger, "p", "promises", csv_of(tmp_path, KEPT), AT)
    other = csv_of(tmp_path, "k9,c,2026-01-05,ann,new,1,2026-01-20", KEPT.replace("100", "200"))
    with pytest.raises(DataError, match=r"a: its key is on record since .* with other words"):
        take_in(ledger, "p", "promises", other, AT)
    assert len(contacts.steps_of(ledger, "p")) == 1


def test_every_bad_row_is_told_with_its_line_before_anything_is_recorded(ledger: Ledger, tmp_path: Path) -> None:
    rows = (KEPT, KEPT, "k3,a,5.1.2026,ann,x,1,2026-01-20", "k4,a,2026-01-05,ann,x,-1,2026-01-20", ",,,,,,")
    with pytest.raises(DataError) as told:
        take_in(ledger, "p", "promises", csv_of(tmp_path, *rows), AT)
    text = str(told.value)
    for line in ("line 3: key 'k1' stands in an earlier row", "line 4: on: expected a date", "line 5: a promise of -1"):
        assert line in text
    assert "line 6: key and customer_id may not be empty" in text
    assert contacts.steps_of(ledger, "p") == []


def test_columns_that_are_missing_are_told(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("key,customer_id\n", encoding="utf-8")
    with pytest.raises(
        DataError, match="contacts need the columns key, customer_id, on, by, note; on, by, note missing"
    ):
        take_in(ledger, "p", "contacts", path, AT)


def test_a_payment_on_record_keeps_a_promise_once(ledger: Ledger, tmp_path: Path) -> None:
    take_in(ledger, "p", "promises", csv_of(tmp_path, KEPT), AT)
    (tmp_path / "paid").mkdir()
    take_in(ledger, "p", "payments", csv_of(tmp_path / "paid", "b1,a,2026-01-15,bank,transfer,100,"), AT)
    nothing = pd.read_csv(io.StringIO("customer_id,invoice_id,issued,due,paid,amount\nz,1,2025-01-01,2025-02-01,,1"))
    dates = {name: pd.to_datetime(nothing[name]) for name in ("issued", "due", "paid")}
    table = check_frame(TABLES["invoices"], nothing.assign(**dates), "a test")
    day = to_day(pd.Timestamp("2026-01-31").date())
    (promise,) = contacts.promises(contacts.steps_of(ledger, "p"), {"invoices": table}, day)
    assert (promise.state, promise.paid) == ("kept", 100.0)


def test_other_systems_hear_that_something_changed_but_not_of_whom(
    reviewed_at, scorer, ledger: Ledger, tmp_path: Path
) -> None:
    totals = Totals(scorer.product)
    totals.add(replace(reviewed_at(9), grade_before=np.zeros(len(reviewed_at(9)), np.int8)))
    told = {"product": "p", "as_of": "2023-10-31", "model": "m", "file": "f", **totals.values([])}
    notice = news.of_review(told, "r-1", AT)
    assert notice is not None
    assert not any(str(one) in str(notice) for one in reviewed_at(9).customer_id)
    settings = load_settings(tmp_path, {"notices": {"webhooks": ["http://127.0.0.1:9/x"], "attempts": 1}}).notices
    (delivery,) = news.tell(ledger, notice, settings, AT)
    assert delivery.error == "ConnectError"
    assert news.of_review({**told, "changed": 0, "breaches": {"groups": []}}, "r-1", AT) is None
