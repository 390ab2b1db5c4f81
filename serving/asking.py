"""Decisions asked for: one, or a batch that shares one evaluator call and one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import msgspec

from configs.errors import DataError
from features.records import RecordsError
from serving import metrics, problems
from serving.advice import Advised
from serving.api import BatchAnswer, DecideRequest, DecisionAnswer
from serving.call import Call, Reply
from serving.decide import Question
from serving.decide import advise as advised
from serving.ledger import Entry, Record
from serving.live import Live, answer_of, entry_of, new_id
from serving.problems import FieldProblem, Refused, refused, retry_after
from serving.refusals import read_strictly, refusal_of
from serving.score import Scorer
from serving.stored import stored_records
from serving.together import decide_together

NDJSON = "application/x-ndjson"
_SLICE = 32  # questions of a batch worked off in one turn, so that nobody else waits long
_one = msgspec.json.Decoder(DecideRequest)
_array = msgspec.json.Decoder(list[msgspec.Raw])
_encoder = msgspec.json.Encoder()


async def decide(call: Call) -> DecisionAnswer:
    """One question: decided in its turn, answered once its record is durable."""
    request: DecideRequest = call.asked
    stored = await _stored(call.live, request)
    await call.turnstile.turn()
    scorer, question = _question(call.live, request, stored)
    answer, recorded = call.live.ask(scorer, question, request.idempotency_key)
    return _answer(await asyncio.wrap_future(recorded), request, answer)


async def advise(call: Call) -> Advised:
    """What the customer of a question could do; nothing is decided and nothing recorded."""
    request: DecideRequest = call.asked
    stored = await _stored(call.live, request)
    await call.turnstile.turn()
    return advised(*_question(call.live, request, stored))


def _question(live: Live, request: DecideRequest, stored: Any) -> tuple[Scorer, Question]:
    with read_strictly():
        question = live.question(request, stored)
    scorer, question = live.answering(scorer_of(live, request.product), question)
    return scorer, live.adjusted(scorer, question)


def scorer_of(live: Live, product: str | None) -> Scorer:
    """The scorer of a product served here, of the only one where none is named."""
    scorer = live.scorer_for(product)
    if scorer is None:
        served = ", ".join(live.scorers)
        raise refused(problems.NO_SUCH_PRODUCT, f"product {product!r} is not served here; there are: {served}")
    return scorer


async def _stored(live: Live, request: DecideRequest) -> Any:
    """The rows of a customer asked about without any, read from the product's source; None where it brings them."""
    if request.has_records():
        return None
    scorer = scorer_of(live, request.product)
    source = live.sources.get(scorer.product.name)
    if source is None:
        raise _no_records(f"{scorer.product.name} has no source here (setting serving.sources): send the records")
    try:
        found = await asyncio.to_thread(stored_records, source, scorer, request.customer_id)
    except DataError as error:
        raise refused(problems.NOT_READ, str(error), retry_after(1)) from None
    if not any(found.values()):
        raise _no_records("the source has no row of this customer: send the records, or {} where there are none")
    return found


def _no_records(told: str) -> Refused:
    return refused(problems.NO_RECORDS, told, errors=[FieldProblem(pointer="#/records", detail="left out")])


def _answer(record: Record, request: DecideRequest, made: DecisionAnswer) -> DecisionAnswer:
    """What was made now, once it is the record; else what was answered the first time."""
    if record.new:
        metrics.decided(made)
        return made
    answer = answer_of(record, request)
    if answer is None:
        fields = [FieldProblem(pointer="#/idempotency_key", detail="used for another question")]
        raise refused(problems.KEY_USED_BEFORE, "this idempotency key was used for another question", errors=fields)
    return answer


@dataclass(slots=True)
class _Item:
    """A question of a batch on its way: what it asks, the entry it became, or why it did not."""

    request: DecideRequest | None = None
    made: DecisionAnswer | None = None
    entry: Entry | None = None
    refused: Refused | None = None


async def decide_batch(call: Call) -> list[BatchAnswer] | Reply:
    """Many questions in one body: all entries in one transaction, the answers in order."""
    bodies = _bodies(call)
    call.pay(len(bodies) - 1)
    items: list[_Item] = []
    for low in range(0, len(bodies), _SLICE):
        items += await _decided(call, bodies[low : low + _SLICE])
    waiting = call.live.writer.submit_all([item.entry for item in items if item.entry is not None])
    if waiting:
        await asyncio.wrap_future(waiting[-1])  # of one transaction; the last one hears of it last
    answers = _answers(items, waiting)
    if call.media != NDJSON:
        return answers
    return Reply(b"".join(_encoder.encode(answer) + b"\n" for answer in answers), NDJSON)


def _bodies(call: Call) -> Sequence[msgspec.Raw | bytes]:
    limit = call.live.settings.serving.batch_limit
    if call.media == NDJSON:
        bodies: Sequence[msgspec.Raw | bytes] = [line for line in call.asked.split(b"\n") if line.strip()]
    else:
        with read_strictly():
            bodies = _array.decode(call.asked)
    if not 1 <= len(bodies) <= limit:
        raise refused(problems.NOT_A_REQUEST, f"expected 1 to {limit} questions, got {len(bodies)}")
    return bodies


async def _decided(call: Call, bodies: Sequence[msgspec.Raw | bytes]) -> list[_Item]:
    """A slice of a batch: read and decided in one turn."""
    await call.turnstile.turn()
    items = [_read(body) for body in bodies]
    stored = [await _stored_for(call.live, item) for item in items]
    asked: dict[str, tuple[Scorer, list[tuple[_Item, Question]]]] = {}
    for item, rows in zip(items, stored, strict=True):
        if item.request is None or item.refused is not None:
            continue
        try:
            scorer, question = _question(call.live, item.request, rows)
            asked.setdefault(scorer.bundle.version, (scorer, []))[1].append((item, question))
        except Refused as error:
            item.refused = error
    for scorer, questions in asked.values():
        _decide_slice(scorer, questions)
    return items


def _read(body: msgspec.Raw | bytes) -> _Item:
    try:
        with read_strictly(DecideRequest):
            return _Item(_one.decode(body))
    except Refused as error:
        return _Item(refused=error)


async def _stored_for(live: Live, item: _Item) -> Any:
    try:
        return None if item.request is None else await _stored(live, item.request)
    except Refused as error:
        item.refused = error
        return None


def _decide_slice(scorer: Scorer, asked: Sequence[tuple[_Item, Question]]) -> None:
    made = decide_together(scorer, [(question, new_id()) for _, question in asked])
    for (item, question), made_now in zip(asked, made, strict=True):
        if isinstance(made_now, RecordsError):
            item.refused = refusal_of(made_now)
        else:
            assert item.request is not None
            item.made = made_now[0]
            item.entry = entry_of(scorer, question, item.request.idempotency_key, *made_now)


def _answers(items: Sequence[_Item], waiting: Sequence[Future[Record]]) -> list[BatchAnswer]:
    records = iter(waiting)
    answers = []
    for item in items:
        try:
            if item.request is None or item.made is None:
                raise item.refused or AssertionError("what was not made was refused")
            answer = _answer(next(records).result(), item.request, item.made)
            answers.append(BatchAnswer(status=200, answer=answer))
        except Refused as error:
            answers.append(BatchAnswer(status=error.problem.status, problem=error.problem))
    return answers
