"""May a retraining begin? A verdict that calls for it, time since the last one, data that are new."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from configs.errors import Refusal
from configs.settings import Product, Settings
from features import outcome
from features.contracts import Columns
from monitoring.verdict import TOLD
from serving import champion
from serving.ledger import Ledger, Record, canonical
from training import dataset

# A shifted intercept is a new version too: the same trees under another level (recalibrate.py).
CALLS_FOR_RETRAINING = ("shift_intercept", "recalibrate", "retrain")


def called_by(ledger: Ledger, product: str, anyway: str | None) -> tuple[str, str]:
    """What calls for a retraining, in words, and the remedy that a verdict named, for the record.

    Raises Refusal where the latest verdict on the champion calls for none.
    """
    if anyway is not None:
        return f"a person: {anyway}", "person"
    verdict: Record | None = ledger.latest("verdict", product)
    if verdict is None:
        raise Refusal(
            f"{product}: no verdict yet; run creditloop monitor run first, or say why without: --anyway REASON"
        )
    body = verdict.body()
    pointer = champion.current(ledger, product)
    if pointer is not None and body["model"] != pointer.version:
        raise Refusal(f"{product}: the latest verdict is on {body['model']}, not on the champion {pointer.version}")
    if body["remedy"] not in CALLS_FOR_RETRAINING:
        raise Refusal(f"{product}: the verdict of {body['now']} is: {TOLD[body['remedy']]}")
    return f"{verdict.entry.id}: {'; '.join(body['evidence'])}", body["remedy"]


def require_cooled_down(ledger: Ledger, product: str, now: int, days: int, anyway: str | None) -> None:
    """Raise Refusal within `days` of the last retraining, unless a person said why `anyway`."""
    last = ledger.latest("retraining", product)
    if last is None or anyway is not None or not days:
        return
    since = now - int(np.datetime64(last.body()["now"]).astype("datetime64[D]").astype(int))
    if since < days:
        raise Refusal(
            f"{product}: retrained {since} days ago ({last.entry.subject}); the next may begin after "
            f"{days} (retraining.cooldown_days), or say why before: --anyway REASON"
        )


def fingerprint(product: Product, tables: Mapping[str, Columns], settings: Settings, now: int) -> str:
    """SHA-256 of all that decides the challenger: matured outcomes at `now`, tables, product, training settings."""
    labels = outcome.matured(tables["outcomes"], product.outcome, now) if "outcomes" in tables else None
    parts = [dataset.digest(tables), product.digest(), settings.training.model_dump_json()]
    matured = b"" if labels is None else labels.as_of.tobytes() + labels.defaulted.tobytes()
    return hashlib.sha256(canonical(parts) + matured).hexdigest()


def require_new_data(ledger: Ledger, product: str, data: str) -> None:
    """Raise Refusal where a retraining saw the same already: it would make the same bytes, whoever asks."""
    for record in ledger.records("retraining", product):
        if record.body().get("data") == data:
            raise Refusal(
                f"{product}: {record.entry.subject} was made of the same data and settings on "
                f"{record.body()['now']}; the same again would come out"
            )
