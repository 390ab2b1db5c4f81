"""From a verdict to a challenger: one retraining at a time, never on faulty data, promoted only by a named person."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from configs.errors import Refusal
from configs.settings import Product, Settings
from features.contracts import Columns, iso
from monitoring.verdict import TOLD
from serving import champion
from serving.ledger import Entry, Ledger, Record, canonical
from training import pipeline
from training.tune import Progress

CALLS_FOR_RETRAINING = ("recalibrate", "retrain")


def retrain(
    product: Product,
    tables: Mapping[str, Columns],
    settings: Settings,
    ledger: Ledger,
    now: int,
    at: str,
    progress: Progress,
    stage: Callable[[str], None],
    anyway: str | None = None,
) -> pipeline.Outcome:
    """Train a challenger if the latest verdict on the champion calls for one, or `anyway` says why without.

    The ledger keeps what called for it and what came out. Raises Refusal where the verdict calls for nothing or
    for a repair of the data, or where another retraining of the product is running.
    """
    with _only_one(settings.home, product.name):
        called_by = _called_by(ledger, product.name, anyway)
        current = champion.load_champion(ledger, settings.home, product.name)
        outcome = pipeline.train(product, tables, settings, now, current, progress, stage)
        body = {
            "called_by": called_by,
            "champion": current.version,
            "challenger": outcome.bundle.version,
            "gate": outcome.verdict.to_json(),
            "now": iso(now),
        }
        ledger.append(
            [
                Entry(
                    f"retraining-{product.name}-{at}",
                    "retraining",
                    product.name,
                    outcome.bundle.version,
                    at,
                    canonical(body),
                )
            ]
        )
        return outcome


def _called_by(ledger: Ledger, product: str, anyway: str | None) -> str:
    if anyway is not None:
        return f"a person: {anyway}"
    verdict: Record | None = ledger.latest("verdict", product)
    if verdict is None:
        raise Refusal(f"{product}: no verdict yet; run creditloop monitor first, or say why without: --anyway REASON")
    body = verdict.body()
    pointer = champion.current(ledger, product)
    if pointer is not None and body["model"] != pointer.version:
        raise Refusal(f"{product}: the latest verdict is on {body['model']}, not on the champion {pointer.version}")
    if body["remedy"] not in CALLS_FOR_RETRAINING:
        raise Refusal(f"{product}: the verdict of {body['now']} is: {TOLD[body['remedy']]}")
    return f"{verdict.entry.id}: {'; '.join(body['evidence'])}"


@contextmanager
def _only_one(home: Path, product: str) -> Iterator[None]:
    """A lock that the system lets go of when the process ends, however it ends."""
    path = home / f"retraining-{product}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal(f"{product}: a retraining is running already") from None
        yield
