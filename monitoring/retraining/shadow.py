"""The shadow period: another model decides again what the champion decided; recorded, compared, answered to nobody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy.stats import spearmanr

from configs.errors import CreditloopError, Refusal
from configs.settings import Decision
from serving.decide import Question, decide
from serving.ledger import Entry, Ledger, Record, canonical
from serving.score import Scorer

KIND = "shadow"
_BATCH = 500


class Shadowed(msgspec.Struct, frozen=True, array_like=True):
    """One decision as the shadow would have taken it: PD, grade, decision and limit under the policy in force."""

    decision_id: str
    default_probability: float
    grade: str
    decision: Decision
    limit: float


class Batch(msgspec.Struct, frozen=True):
    """What one record of the ledger holds: the shadow's answers to `model`'s decisions up to record `last`.

    `failed` decisions could not be taken by the shadow: it does not read their records.
    """

    shadow: str
    model: str
    last: int
    failed: int
    rows: tuple[Shadowed, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """A model's decisions and the shadow's beside them, since the shadow began.

    `swapped_in` only the shadow approves, `swapped_out` only the model does. Limits are sums in currency; a rank
    correlation of fewer than three decisions is missing.
    """

    model: str
    shadow: str
    decisions: int
    failed: int
    days: int
    swapped_in: int
    swapped_out: int
    regraded: int
    mean_pd: float
    shadow_mean_pd: float
    limit: float
    shadow_limit: float
    rank_correlation: float

    @property
    def swap_share(self) -> float:
        """The share of decisions that are swapped, either way."""
        return (self.swapped_in + self.swapped_out) / self.decisions

    @property
    def limit_change(self) -> float:
        """By which share the sum of limits would change."""
        return self.shadow_limit / self.limit - 1 if self.limit else float(self.shadow_limit > 0)


def follow(ledger: Ledger, model: str, shadow: Scorer, since: int, at: str) -> int:
    """Let `shadow` decide what `model` decided after record `since` and after what it has seen; how many were new.

    Each batch is one record, under a key that two at once cannot both write.
    """
    product, version = shadow.product.name, shadow.bundle.version
    seen = max([since, *(batch.last for batch in _batches(ledger, product, model, version))])
    waiting = [
        record for record in ledger.records("decision", product, seen) if record.body()["answer"]["model"] == model
    ]
    for first in range(0, len(waiting), _BATCH):
        taken = waiting[first : first + _BATCH]
        rows = [_again(shadow, record) for record in taken]
        kept = tuple(row for row in rows if row is not None)
        batch = Batch(version, model, taken[-1].seq, len(rows) - len(kept), kept)
        key = f"{KIND}-{version}-{model}-after-{seen}"
        (made,) = ledger.append([Entry(key, KIND, product, version, at, canonical(msgspec.to_builtins(batch)), key)])
        if not made.new:
            raise Refusal(f"{version}: another process lets it follow {model} already")
        seen = taken[-1].seq
    return len(waiting)


def _again(shadow: Scorer, record: Record) -> Shadowed | None:
    try:
        answer, _ = decide(shadow, msgspec.convert(record.body()["question"], Question), record.entry.id)
    except CreditloopError:
        return None
    return Shadowed(record.entry.id, answer.default_probability, answer.grade, answer.decision, answer.limit)


def _batches(ledger: Ledger, product: str, model: str, version: str) -> Iterator[Batch]:
    for record in ledger.records(KIND, product):
        batch = msgspec.json.decode(record.entry.body, type=Batch)
        if (batch.shadow, batch.model) == (version, model):
            yield batch


def compare(ledger: Ledger, product: str, model: str, shadow: str, since: int = 0) -> Compared | None:
    """What `model` decided after record `since` beside what `shadow` would have; None before it saw a decision."""
    batches = list(_batches(ledger, product, model, shadow))
    answers = {row.decision_id: row for batch in batches for row in batch.rows}
    pairs = [
        (record.entry.at, record.body()["answer"], answers[record.entry.id])
        for record in ledger.records("decision", product, since)
        if record.entry.id in answers
    ]
    if not pairs:
        return None
    made = [answer for _, answer, _ in pairs]
    shadowed = [row for _, _, row in pairs]
    pds = np.array([(a["default_probability"], row.default_probability) for a, row in zip(made, shadowed, strict=True)])
    approves = np.array([(a["decision"] == "approve", row.decision == "approve") for _, a, row in pairs])
    moments = [dt.datetime.fromisoformat(at) for at, _, _ in pairs]
    return Compared(
        model=model,
        shadow=shadow,
        decisions=len(pairs),
        failed=sum(batch.failed for batch in batches),
        days=(max(moments) - min(moments)).days + 1,
        swapped_in=int((~approves[:, 0] & approves[:, 1]).sum()),
        swapped_out=int((approves[:, 0] & ~approves[:, 1]).sum()),
        regraded=sum(a["grade"] != row.grade for a, row in zip(made, shadowed, strict=True)),
        mean_pd=float(pds[:, 0].mean()),
        shadow_mean_pd=float(pds[:, 1].mean()),
        limit=float(sum(a["limit"] for a in made)),
        shadow_limit=float(sum(row.limit for row in shadowed)),
        rank_correlation=_ranks(pds),
    )


def _ranks(pds: np.ndarray) -> float:
    if len(pds) < 3 or not np.ptp(pds, axis=0).all():
        return float("nan")
    return float(spearmanr(pds[:, 0], pds[:, 1]).statistic)
