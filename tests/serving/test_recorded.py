"""Decisions out of the ledger, as a policy looks at them again."""

from __future__ import annotations

from configs.settings import Product
from serving.compare import compare
from serving.ledger import Entry, Record, canonical
from serving.recorded import cases

AT = "2026-01-31T10:00:00+00:00"


def decision(name: str, *flags: str) -> Record:
    body = {
        "question": {"requested_amount": 100.0, "records": {"invoices": 3}},
        "answer": {"as_of": "2026-01-31", "model": "1", "default_probability": 1e-4, "flags": list(flags)},
        "evidence": {"features": []},
    }
    return Record(1, Entry(name, "decision", "flat", "c", AT, canonical(body), None), "", new=False)


def test_what_was_referred_because_its_data_were_in_doubt_is_so_again(product: Product) -> None:
    plain = product.policy.model_copy(update={"capacity_feature": None, "knock_outs": (), "referral_band": None})
    asked = product.model_copy(update={"policy": plain})
    some = [
        decision("a"),
        decision("b", "degraded:invoices", "degraded:model", "no_records"),
        decision("c", "stale:bureau"),
    ]
    found = list(cases(some, [asked], lambda version: ()))
    assert [one.applicant.doubts for one in found] == [(), ("degraded:invoices",), ("stale:bureau",)]
    assert compare(asked, asked, found).before.decisions == {"approve": 1, "refer": 2, "decline": 0}
