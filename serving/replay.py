"""Decide again what was decided, from the ledger alone, and compare every bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from configs.errors import CreditloopError
from configs.settings import Product
from serving import champion
from serving.decide import Question, decide, ledger_body
from serving.ledger import Ledger, Record
from serving.score import Scorer, make_scorer
from training import bundle as bundles
from training.signature import trusted_in


@dataclass(frozen=True, slots=True)
class Replayed:
    """One decision made again: whether it came out equal, bit for bit, and if not, why.

    `differs` names the fields of the answer that came out otherwise.
    """

    decision_id: str
    equal: bool
    detail: str
    differs: tuple[str, ...] = ()


def replay(ledger: Ledger, home: Path, product: str | None = None) -> Iterator[Replayed]:
    """Every decision in the ledger, replayed with the model version and the policy it names."""
    scorer_of = Scorers(ledger, home)
    for record in ledger.records("decision", product):
        yield replay_one(record, scorer_of)


def replay_one(record: Record, scorer_of: Callable[[str, str], Scorer]) -> Replayed:
    """Decide `record` again; `scorer_of` gives the scorer of a model version and a policy digest."""
    decision_id = record.entry.id
    try:
        body = record.body()
        scorer = scorer_of(body["answer"]["model"], body["answer"]["policy"])
        question = msgspec.convert(body["question"], Question)
        if body["evidence"].get("explained_by", "lightgbm") == "lightgbm":
            scorer = replace(scorer, explainer=None)
        answer, evidence = decide(scorer, question, decision_id)
    except (CreditloopError, msgspec.MsgspecError, KeyError, TypeError) as error:
        return Replayed(decision_id, False, f"cannot be decided again: {error}")
    again = ledger_body(question, answer, evidence)
    if again == record.entry.body:
        return Replayed(decision_id, True, "")
    made = msgspec.json.decode(again)
    differing = tuple(name for name in body["answer"] if body["answer"][name] != made["answer"].get(name))
    return Replayed(decision_id, False, f"differs in {', '.join(differing) or 'its evidence'}", differing)


class Scorers:
    """Scorers of past versions and policies; the last few are kept."""

    _KEPT = 8

    def __init__(self, ledger: Ledger, home: Path) -> None:
        self._ledger, self._home = ledger, home
        self._made: dict[tuple[str, str], Scorer] = {}

    def __call__(self, version: str, policy: str) -> Scorer:
        """The scorer of a version under the policy of a digest. Raises CreditloopError where either is not there."""
        if (version, policy) not in self._made:
            while len(self._made) >= self._KEPT:
                self._made.pop(next(iter(self._made)))
            self._made[version, policy] = self._load(version, policy)
        return self._made[version, policy]

    def _load(self, version: str, policy: str) -> Scorer:
        record = self._ledger.latest_about("policy", policy)
        if record is None:
            raise CreditloopError(f"the ledger does not hold the policy {policy[:12]}")
        product = Product.model_validate_json(msgspec.json.encode(record.body()))
        bundle = bundles.load(champion.bundle_folder(self._home, product.name, version), trusted_in(self._home))
        return make_scorer(bundle, product)
