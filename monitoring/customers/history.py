"""What was decided about a customer and done since, in time order, out of the ledger and the files of reviews."""

from __future__ import annotations

from typing import Any

from features.parquet import read_parquet
from features.ranges import Range
from monitoring.customers import contacts, requests, review_report, watchlist
from serving.ledger import Ledger, Record


def events(ledger: Ledger, product: str, customer_id: str, day: str) -> list[dict[str, Any]]:
    """Every event about a customer up to `day` (ISO), oldest first: when, what, told in words, and its record's id.

    Decisions, reviews, warnings and collection steps stand at the day they are about; what persons did, and outcomes,
    at the day they did it or it was so.
    """
    own = [record for record in ledger.about([customer_id]) if record.entry.product == product]
    later = ledger.about(
        [record.entry.id for record in own if record.entry.kind in ("decision", watchlist.KIND, requests.KIND)]
    )
    found = [_event(record) for record in (*own, *later)]
    found += _reviews(ledger, product, customer_id, day)
    return sorted((one for one in found if one["day"] <= day), key=lambda one: (one["day"], one["at"]))


def _event(record: Record) -> dict[str, Any]:
    body, entry = record.body(), record.entry
    when, told = _TOLD.get(entry.kind, _other)(body)
    return {"day": when or entry.at[:10], "at": entry.at, "kind": entry.kind, "told": told, "record": entry.id}


def _decision(body: dict[str, Any]) -> tuple[str, str]:
    answer = body["answer"]
    told = f"{answer['decision']}, grade {answer['grade']}, PD {answer['default_probability']:.4f}"
    return answer["as_of"], f"{told}, limit {answer['limit']:,.0f}, by {answer['model']}"


def _override(body: dict[str, Any]) -> tuple[str, str]:
    return (
        "",
        f"{body['decision']} with limit {body['limit']:,.0f} by {body['by']} ({body['authority']}): {body['reason']}",
    )


def _outcome(body: dict[str, Any]) -> tuple[str, str]:
    again = f"; corrected: {body['reason']}" if body["corrects"] else ""
    return body["on"], ("default" if body["defaulted"] else "no default") + again


def _warning(body: dict[str, Any]) -> tuple[str, str]:
    return body["as_of"], f"{body['level']}: {body['told']}; {body['owner']} by {body['due']}: {body['action']}"


def _warning_step(body: dict[str, Any]) -> tuple[str, str]:
    found = f" ({body['finding']})" if body["finding"] else ""
    return "", f"warning {body['act']}d by {body['by']}{found}: {body['reason']}"


def _collection(body: dict[str, Any]) -> tuple[str, str]:
    amount = f" of {body['amount']:,.2f}" if body["amount"] is not None else ""
    due = f" due {body['due']}" if body["due"] is not None else ""
    return body["on"], f"{body['what']}{amount}{due} by {body['by']}: {body['note']}"


def _request(body: dict[str, Any]) -> tuple[str, str]:
    return "", f"limit of {body['limit']:,.0f} until {body['until']} asked for by {body['by']}: {body['reason']}"


def _request_decided(body: dict[str, Any]) -> tuple[str, str]:
    return "", f"request {body['word']}d by {body['by']} ({body['authority']}): {body['reason']}"


def _other(body: dict[str, Any]) -> tuple[str, str]:
    return "", "on record"


_TOLD = {
    "decision": _decision,
    "override": _override,
    "outcome": _outcome,
    watchlist.KIND: _warning,
    watchlist.STEP: _warning_step,
    contacts.KIND: _collection,
    requests.KIND: _request,
    requests.STEP: _request_decided,
}


def _reviews(ledger: Ledger, product: str, customer_id: str, day: str) -> list[dict[str, Any]]:
    found = []
    for record in ledger.records(review_report.KIND, product):
        if record.body()["as_of"] > day:
            continue
        rows = read_parquet(review_report.file_of(record), Range(customer_id, customer_id + "\0"))
        for row in rows.to_dict("records"):
            told = f"grade {row['grade']}, PD {row['default_probability']:.4f}, limit {row['limit']:,.0f}"
            why = f": {row['why']}" if row["why"] else ""
            found.append(
                {
                    "day": record.body()["as_of"],
                    "at": record.entry.at,
                    "kind": review_report.KIND,
                    "told": f"{told}, {row['terms_days']} days{why}",
                    "record": record.entry.id,
                }
            )
    return found
