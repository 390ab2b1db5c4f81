"""From a verdict to a challenger: one retraining at a time, on new and sound data, and what the challenger is worth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np

from configs.lock import only_one
from configs.settings import Product, Settings, Training
from features import matrix, outcome
from features.contracts import Columns, iso, to_day
from features.outcome import Labels
from monitoring.outcomes import restated
from monitoring.retraining import grounds, recalibrate
from monitoring.retraining.worth import Worth, compare, decided, policy_reads, yearly_volume
from serving import champion
from serving.ledger import Entry, Ledger, canonical
from training import dataset, pipeline
from training.bundle import Bundle
from training.tune import Progress

KIND = "retraining"


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
    """Make a challenger if the latest verdict on the champion calls for one, or `anyway` says why without.

    A verdict that only the level or the line is off moves these alone, on the same trees; else a model is trained.
    The ledger keeps what called for it, what came out, and what the challenger would have been worth on its test
    rows. Raises Refusal where the verdict calls for nothing or for a repair of the data, within the cooldown, where
    the same data were used before, where outcomes were restated in numbers, or where another retraining is running.
    """
    with only_one(
        settings.home / f"retraining-{product.name}.lock", f"{product.name}: a retraining is running already"
    ):
        called_by, remedy = grounds.called_by(ledger, product.name, anyway)
        current = champion.load_champion(ledger, settings.home, product.name)
        grounds.require_cooled_down(ledger, product.name, now, settings.retraining.cooldown_days, anyway)
        data = grounds.fingerprint(product, tables, settings, now)
        grounds.require_new_data(ledger, product.name, data)
        labels = _labels(product, tables, now)
        kept = restated.memory(settings.home, product.name)
        restated.require_they_hold(kept, labels, settings.retraining.restated_significance)
        if remedy in recalibrate.LINES:
            side = unseen(tables, labels, now, settings.training)
            made = recalibrate.recalibrate(remedy, product, tables, settings, current, labels, side, now, stage)
        else:
            made = pipeline.train(product, tables, settings, now, current, progress, stage)
        stage("value the challenger against the champion")
        worth = challenger_worth(product, tables, made.bundle, current, labels, now, settings)
        restated.remember(kept, labels)
        body = {
            "called_by": called_by,
            "remedy": remedy,
            "champion": current.version,
            "challenger": made.bundle.version,
            "gate": made.verdict.to_json(),
            "worth": None if worth is None else asdict(worth) | {"pays": worth.pays},
            "data": data,
            "now": iso(now),
        }
        record_id = f"{KIND}-{product.name}-{at}"
        ledger.append([Entry(record_id, KIND, product.name, made.bundle.version, at, canonical(body))])
        return made


def challenger_worth(
    product: Product,
    tables: Mapping[str, Columns],
    challenger: Bundle,
    current: Bundle,
    labels: Labels,
    now: int,
    settings: Settings,
) -> Worth | None:
    """The challenger's worth on the customers and days of its own test: rows that taught neither model.

    A customer's side depends on its id and the seed alone, so the champion was never taught by them either.
    """
    since = to_day(dt.date.fromisoformat(challenger.training["parts"]["test"]["from"]))
    test = unseen(tables, labels, now, settings.training) & (labels.as_of >= since)
    customer_id, as_of, bad = labels.customer_id[test], labels.as_of[test], labels.defaulted[test]
    reads = policy_reads(product, tables, customer_id, as_of)
    ours, theirs = (
        decided(product, _pds(model, tables, customer_id, as_of), reads, settings.worth)
        for model in (current, challenger)
    )
    yearly = yearly_volume(labels.as_of, len(labels))
    return compare(product, ours, theirs, bad, customer_id, yearly, settings.worth)


def unseen(tables: Mapping[str, Columns], labels: Labels, now: int, settings: Training) -> np.ndarray:
    """Whether the customer of each label stands, with its group, on the test side, (rows,)."""
    kin = labels.customer_id
    if "customers" in tables:
        group = dataset.groups(kin, tables["customers"], now)
        kin = np.where(group == "", kin, group)
    return dataset.customer_draw(kin, settings.seed) < settings.test_share


def _pds(model: Bundle, tables: Mapping[str, Columns], customer_id: np.ndarray, as_of: np.ndarray) -> np.ndarray:

    return model.default_probability(matrix.build(model.program, tables, customer_id, as_of))


def _labels(product: Product, tables: Mapping[str, Columns], now: int) -> Labels:
    if "outcomes" not in tables:
        return Labels(np.empty(0, object), np.empty(0, np.int32), np.empty(0, np.int8), 0)
    return outcome.matured(tables["outcomes"], product.outcome, now)
