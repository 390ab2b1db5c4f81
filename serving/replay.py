"""Decide again what was decided, from the ledger alone, and compare every bit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Lock

import msgspec

from configs.errors import CreditloopError
from configs.settings import Product
from serving import champion
from serving.decide import Question, ledger_body
from serving.ledger import Ledger, Record
from serving.loading import fallback_scorer
from serving.score import Scorer, make_scorer
from serving.together import Decided, decide_together
from training import bundle as bundles
from training.fallback import SUFFIX
from training.signature import trusted_in

_TOGETHER = 128
_NOT_AGAIN = (CreditloopError, msgspec.MsgspecError, KeyError, TypeError)
ScorerOf = Callable[[str, str], Scorer]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision made again: whether it came out equal, bit for bit, and if not, why.

    `differs` names the fields of the answer that came out otherwise.
    """

    decision_id: str
    equal: bool
    detail: str
    differs: tuple[str, ...] = ()


def replay(
    ledger: Ledger, home: Path, product: str | None = None, since: dt.datetime | None = None
) -> Iterator[Replayed]:
    """Every decision in the ledger, or those made `since` a moment with its time zone, replayed with the model version
    and the policy each names; the same bits came together or alone.
    """
    scorer_of = Scorers(ledger, home)
    wanted = (
        record
        for record in ledger.records("decision", product)
        if since is None or dt.datetime.fromisoformat(record.entry.at) >= since
    )
    while records := list(islice(wanted, _TOGETHER)):
        yield from replay_all(records, scorer_of)


def replay_one(record: Record, scorer_of: ScorerOf) -> Replayed:
    """Decide `record` again; `scorer_of` gives the scorer of a model version and a policy digest."""
    return replay_all([record], scorer_of)[0]


def replay_all(records: Sequence[Record], scorer_of: ScorerOf) -> list[Replayed]:
    """Decide `records` again, those of one scorer together, and say of each what came of it, in order."""
    found: dict[int, Replayed] = {}
    asked: dict[tuple[str, ...], list[tuple[int, Scorer, Question]]] = {}
    for place, record in enumerate(records):
        try:
            versions, scorer, question = _asked(record, scorer_of)
            asked.setdefault(versions, []).append((place, scorer, question))
        except _NOT_AGAIN as error:
            found[place] = _cannot(record, error)
    for group in asked.values():
        questions = [(question, records[place].entry.id) for place, _, question in group]
        made = _decided(group[0][1], questions)
        for (place, _, question), again in zip(group, made, strict=True):
            found[place] = _held_against(records[place], question, again)
    return [found[place] for place in range(len(records))]


def _asked(record: Record, scorer_of: ScorerOf) -> tuple[tuple[str, ...], Scorer, Question]:
    """What was asked, the scorer it was asked of, and what names that."""
    body = record.body()
    model, policy = body["answer"]["model"], body["answer"]["policy"]
    explained_by = body["evidence"].get("explained_by", "lightgbm")
    scorer = scorer_of(model, policy)
    if explained_by == "lightgbm":  # for want of our own trees, which the adviser reads too
        scorer = replace(scorer, explainer=None, adviser=None)
    return (model, policy, explained_by), scorer, msgspec.convert(body["question"], Question)


def _decided(scorer: Scorer, asked: Sequence[tuple[Question, str]]) -> list[Decided | Exception]:
    """Decided together; where one of them hinders that, each alone."""
    try:
        return list(decide_together(scorer, asked))
    except _NOT_AGAIN as error:
        return [error] if len(asked) == 1 else [made for one in asked for made in _decided(scorer, [one])]


def _held_against(record: Record, question: Question, made: Decided | Exception) -> Replayed:
    if isinstance(made, Exception):
        return _cannot(record, made)
    again = ledger_body(question, *made)
    if again == record.entry.body:
        return Replayed(record.entry.id, True, "")
    then, now = record.body()["answer"], msgspec.json.decode(again)["answer"]
    differing = tuple(name for name in then if then[name] != now.get(name))
    return Replayed(record.entry.id, False, f"differs in {', '.join(differing) or 'its evidence'}", differing)


def _cannot(record: Record, error: Exception) -> Replayed:
    return Replayed(record.entry.id, False, f"cannot be decided again: {error}")


class Scorers:
    """Scorers of past versions and policies, for any thread; the last few are kept."""

    _KEPT = 8

    def __init__(self, ledger: Ledger, home: Path) -> None:
        self._ledger, self._home = ledger, home
        self._made: dict[tuple[str, str], Scorer] = {}
        self._changing = Lock()

    def __call__(self, version: str, policy: str) -> Scorer:
        """The scorer of a version under the policy of a digest. Raises CreditloopError where either is not there."""
        found = self._made.get((version, policy))
        if found is None:
            found = self._load(version, policy)
            with self._changing:
                self._made[version, policy] = found
                while len(self._made) > self._KEPT:
                    self._made.pop(next(iter(self._made)))
        return found

    def _load(self, version: str, policy: str) -> Scorer:
        record = self._ledger.latest_about("policy", policy)
        if record is None:
            raise CreditloopError(f"the ledger does not hold the policy {policy[:12]}")
        product = Product.model_validate_json(msgspec.json.encode(record.body()))
        if version.endswith(SUFFIX):
            return fallback_scorer(self._home, product, version)
        bundle = bundles.load(champion.bundle_folder(self._home, product.name, version), trusted_in(self._home))
        return make_scorer(bundle, product)
