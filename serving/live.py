"""What a running service holds: the champion of each product, the ledger's writer, the keys; swapped while serving."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import msgspec

from configs.errors import InputError
from configs.settings import Product, Settings, load_product
from serving import access, canary, champion, metrics, overlay, referral
from serving.api import DecideRequest, DecisionAnswer
from serving.checkpoint import Checkpoints
from serving.circumstances import Circumstances
from serving.decide import Question, decide, ledger_body, question_of
from serving.doubts import DEGRADED
from serving.ledger import Entry, Record, canonical, open_ledger
from serving.loading import Loading
from serving.replay import Scorers
from serving.score import Scorer, warm
from serving.standing import Standing
from serving.stored import open_source
from serving.writer import Writer

log = logging.getLogger("creditloop.serving")
_POLL_SECONDS = 1.0


class Live:
    """The state of one serving process. Requests read `scorers`; a watcher replaces it when a pointer moved."""

    def __init__(self, settings: Settings, products: tuple[str, ...]) -> None:
        self.settings = settings
        self.keys = access.load_keys(settings.home)
        if not any(who.may("score") for who in self.keys.values()):
            raise InputError("no API key exists that may ask for decisions: creditloop keys create NAME --role score")
        self.ledger = open_ledger(settings)
        self.writer = Writer(self.ledger, settings.serving.ledger_batch, metrics.committed)
        self.loading = Loading(settings, utc_now)
        self.standing: dict[str, Standing] = {}
        self.scorers: dict[str, Scorer] = {name: self._first(name) for name in products}
        self.sources = {name: open_source(self.scorers[name].product, settings) for name in products}
        self.overlays = {name: overlay.overlays(self.ledger, name) for name in self.scorers}
        self.past = Scorers(self.ledger, settings.home)
        for scorer in self.scorers.values():
            warm(scorer)
            self._record_policy(scorer)
            self._look(scorer)
        self._checkpoints = Checkpoints(self.ledger, settings) if settings.serving.anchor else None
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="champion-watcher", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Record what waits and stop."""
        self._stop.set()
        self._watcher.join()
        self.loading.close()
        self.writer.close()
        if self._checkpoints is not None:
            with _last_good_stays("the checkpoint"):
                self._checkpoints.finish(time.monotonic(), utc_now())
        self.ledger.close()

    def _scorer(self, name: str) -> Scorer:
        home = self.settings.home
        return champion.champion_scorer(self.ledger, home, load_product(name, home))

    def _first(self, name: str) -> Scorer:
        scorer = self.loading.first(self.ledger, load_product(name, self.settings.home), time.monotonic())
        if (failed := self.loading.failed.get(name)) is not None:
            log.error("%s is answered by the scorecard of its champion: %s", name, failed.reason)
        return scorer

    def _record_policy(self, scorer: Scorer) -> None:
        """The policy in force goes into the ledger once, so that a decision can be replayed after the file changed."""
        body = scorer.product.model_dump(mode="json")
        key = f"policy-{scorer.policy_digest}"
        entry = Entry(key, "policy", scorer.product.name, scorer.policy_digest, utc_now(), canonical(body), key)
        self.ledger.append([entry])

    def _watch(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            with _last_good_stays("the API keys"):
                self.keys = access.load_keys(self.settings.home)
            for name in list(self.scorers):
                with _last_good_stays(f"who answers for {name}"):
                    self._look(self.scorers[name])
                with _last_good_stays(f"the overlays of {name}"):
                    self.overlays = {**self.overlays, name: overlay.overlays(self.ledger, name)}
                with _last_good_stays(f"the champion of {name}"):
                    self._follow(name)
            if self._checkpoints is not None:
                with _last_good_stays("the checkpoint"):
                    self._checkpoints.follow(time.monotonic(), utc_now())

    def _look(self, scorer: Scorer) -> None:
        """What the ledger says of a product beside its champion: a kill switch, a canary."""
        name = scorer.product.name
        before = self.standing.get(name, Standing())
        found = before.followed(referral.current(self.ledger, name), canary.current(self.ledger, name))
        self.standing = {**self.standing, name: found}
        if found.waits:
            self._load_challenger(scorer.product, found)
        elif found.canary is None:
            self.loading.forget(canary_slot(name))
        metrics.stands(name, found.referral is not None, found.share, DEGRADED in scorer.flags)

    def _load_challenger(self, product: Product, standing: Standing) -> None:
        wanted, name = standing.canary, product.name
        assert wanted is not None

        def load() -> Scorer:
            return champion.challenger_scorer(self.settings.home, product, wanted.version, wanted.digest)

        slot, now = canary_slot(name), time.monotonic()
        fresh = self.loading.fresh(slot, wanted.record_id, wanted.version, product, now, load)
        if fresh is not None:
            warm(fresh)
            self.standing = {**self.standing, name: standing.joined_by(fresh)}
            log.info("%s: %.1f %% of its customers are now decided by %s", name, 100 * wanted.share, wanted.version)

    def _follow(self, name: str) -> None:
        promotion = champion.current(self.ledger, name)
        if promotion is None or promotion.version == self.scorers[name].bundle.version:
            self.loading.forget(name)
            if promotion is not None:
                metrics.model_age(name, time.time() - dt.datetime.fromisoformat(promotion.at).timestamp())
            return

        def load() -> Scorer:
            loaded = self._scorer(name)
            warm(loaded)
            self._record_policy(loaded)
            return loaded

        product, now = load_product(name, self.settings.home), time.monotonic()
        fresh = self.loading.fresh(name, promotion.record_id, promotion.version, product, now, load)
        if fresh is not None:
            self.scorers = {**self.scorers, name: fresh}
            log.info("%s is now answered by %s", name, promotion.version)

    def answering(self, scorer: Scorer, question: Question) -> tuple[Scorer, Question]:
        """Who decides a question that was asked of `scorer`, and the question with the circumstances of that."""
        return self.standing[scorer.product.name].answering(scorer, question)

    def scorer_for(self, product: str | None) -> Scorer | None:
        """The scorer of a product; of the only one where none is named."""
        if product is None and len(self.scorers) == 1:
            return next(iter(self.scorers.values()))
        return self.scorers.get(product or "")

    def question(self, request: DecideRequest, stored: Any = None) -> Question:
        """The question of a request today, about its own records or, where it brings none, about those `stored`.

        Raises msgspec.DecodeError, UnicodeDecodeError or RecursionError.
        """
        serving = self.settings.serving
        return question_of(request, dt.datetime.now(dt.UTC).date(), serving.language, serving.reasons, stored)

    def adjusted(self, scorer: Scorer, question: Question) -> Question:
        """The question with the overlays that are in force today."""
        found = self.overlays.get(scorer.product.name)
        if not found:
            return question
        in_force = overlay.standing(found, dt.datetime.now(dt.UTC).date())
        if not in_force:
            return question
        under = msgspec.structs.replace(question.circumstances or Circumstances(), overlays=in_force)
        return msgspec.structs.replace(question, circumstances=under)

    def ask(self, scorer: Scorer, question: Question, key: str | None) -> tuple[DecisionAnswer, Future[Record]]:
        """Decide and queue the record; the answer may be given once the future holds it. Raises RecordsError.

        `key` is the caller's idempotency key: it counts for the product asked and cannot meet a key of our own.
        """
        answer, evidence = decide(scorer, question, new_id())
        return answer, self.writer.submit(entry_of(scorer, question, key, answer, evidence))


def canary_slot(product: str) -> str:
    """What the canary of a product is called while it is loaded."""
    return f"canary of {product}"


def new_id() -> str:
    """The id of a decision that is about to be made."""
    return f"d-{uuid.uuid4().hex}"


def entry_of(
    scorer: Scorer, question: Question, key: str | None, answer: DecisionAnswer, evidence: dict[str, Any]
) -> Entry:
    """The ledger's entry of a decision made now."""
    return Entry(
        id=answer.decision_id,
        kind="decision",
        product=scorer.product.name,
        subject=question.customer_id,
        at=utc_now(),
        body=ledger_body(question, answer, evidence),
        idempotency_key=None if key is None else f"{scorer.product.name} {key}",
        personal=True,
    )


def answer_of(record: Record, request: DecideRequest) -> DecisionAnswer | None:
    """The recorded answer; None where the idempotency key was used for another question.

    What a repeated request leaves open is what it was the first time: a retry after midnight asks the same, and so
    does one whose stored records have changed.
    """
    body = record.body()
    if not record.new:
        first = msgspec.convert(body["question"], Question)
        again = question_of(request, first.as_of, first.language, first.reasons, first.records)
        if again.digest() != body["question_sha256"]:
            return None
    return msgspec.convert(body["answer"], DecisionAnswer)


@contextmanager
def _last_good_stays(what: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # whatever is wrong with the new one, the watcher lives on and the old one answers
        log.error("%s: keeping the last good: %s: %s", what, error.__class__.__name__, error)


def utc_now() -> str:
    """The moment a record is made, UTC, to the microsecond."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")
