"""The credit file of one customer at a day: who it is, what was known then, how it is scored and why, what was done."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from configs.errors import InputError
from configs.settings import Grade, Policy, Product
from features.contracts import EPOCH, NEVER, Columns, Text, iso
from features.declaration import Feature
from features.load import load, table_contract
from features.matrix import window_starts
from features.ranges import Range
from features.sources import Source
from monitoring.customers import review_report, trace
from monitoring.customers.history import events
from serving import advice
from serving.batch import grant_all
from serving.knock_outs import Applicant, read
from serving.ledger import Ledger
from serving.policy import Grant, bounds_of
from serving.reasons import principal_reasons
from serving.score import Scorer, Scores

MONTHS = 12
FACTS_SHOWN = 12
_MOST_REASONS = 4


def credit_file(scorer: Scorer, source: Source, ledger: Ledger, customer_id: str, as_of: int) -> dict[str, Any]:
    """The whole file as plain values. Raises InputError where nothing was known of the customer by `as_of`."""
    product = scorer.product
    tables = load(source, product, 1.0, Range(customer_id, customer_id + "\0"), outcomes=False).tables
    orders = {name: newest_first(table, name, product, as_of) for name, table in tables.items()}
    facts = {name: known_facts(table, name, product, as_of, orders[name]) for name, table in tables.items()}
    if not any(facts.values()):
        raise InputError(f"{source.told()}: nothing was known of customer {customer_id!r} by {iso(as_of)}")
    days = _days(as_of)
    ids = np.full(len(days), customer_id, object)
    scores = scorer.score(tables, ids, days)
    last = scores.row(len(days) - 1)
    doubts = scorer.doubts(tables, ids[-1:], days[-1:], last.values)
    (granted,) = grant_all(scorer, last, last.grade, doubts)
    return {
        "customer_id": customer_id,
        "product": product.name,
        "title": product.title,
        "currency": product.currency,
        "as_of": iso(as_of),
        "model": scorer.bundle.version,
        "identity": facts.get("customers", [])[:1],
        "score": _score(scorer, scores, granted),
        "trend": {
            "days": [iso(day) for day in days.tolist()],
            "default_probability": scores.default_probability.tolist(),
            "points": scores.points.tolist(),
            "grade": [scorer.grades[place].name for place in scores.grade.tolist()],
        },
        "reasons": _reasons(scorer, scores),
        "limit_logic": _limit_logic(scorer, scores, granted.binding_constraint),
        "standing": review_report.standing_of(ledger, product, customer_id, as_of),
        "advice": msgspec.to_builtins(_advice(scorer, last, doubts)),
        "groups": _groups(scorer, scores, Facts(tables, _numbers(tables, orders), as_of)),
        "tables": [_table(name, rows, product, as_of) for name, rows in facts.items()],
        "events": events(ledger, product.name, customer_id, iso(as_of)),
        "facts": facts,
        "shown": FACTS_SHOWN,
    }


def _days(as_of: int) -> np.ndarray:
    back = window_starts(np.array([as_of], np.int32), tuple(range(MONTHS - 1, 0, -1)))[:, 0]
    return np.append(back, as_of).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Facts:
    """One customer's tables at a day; `numbers` gives each row its number on file, from 1, 0 where it has none."""

    tables: Mapping[str, Columns]
    numbers: Mapping[str, np.ndarray]
    as_of: int


def newest_first(table: Columns, name: str, product: Product, as_of: int) -> np.ndarray:
    """The rows that had happened and were known by `as_of`, newest first, positions in the table."""
    event = table_contract(name, product).event
    there = np.flatnonzero((table[event] <= as_of) & (table["known_time"] <= as_of))
    return there[np.lexsort((table["known_time"][there], table[event][there]))[::-1]]


def _numbers(tables: Mapping[str, Columns], orders: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = {}
    for name, table in tables.items():
        found[name] = np.zeros(len(table["known_time"]), np.int64)
        found[name][orders[name]] = np.arange(1, len(orders[name]) + 1)
    return found


def known_facts(table: Columns, name: str, product: Product, as_of: int, order: np.ndarray) -> list[dict[str, Any]]:
    """The rows `order` of a checked table as plain values, as they were known at `as_of`."""
    event = table_contract(name, product).event
    kinds = table_contract(name, product).all_columns()
    columns = {
        key: _plain(table[key], kinds[key].kind, order) for key in table if key in kinds and key != "customer_id"
    }
    # What is dated after as_of was not known then, though the row holds it by now: an invoice paid later was open.
    for key, values in columns.items():
        if kinds[key].kind == "date" and key not in (event, "due", "known_time"):
            columns[key] = [None if value is not None and value > iso(as_of) else value for value in values]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(values: Any, kind: str, rows: np.ndarray) -> list[Any]:
    if isinstance(values, Text):
        return [text or None for text in values.take(rows).to_objects().tolist()]
    if kind == "date":
        return [None if day == NEVER else iso(day) for day in values[rows].tolist()]
    return [None if value != value else value for value in values[rows].tolist()]


def _score(scorer: Scorer, scores: Scores, granted: Grant) -> dict[str, Any]:
    return {
        "default_probability": float(scores.default_probability[-1]),
        "points": round(float(scores.points[-1]), 2),
        "grade": scorer.grades[int(scores.grade[-1])].name,
        "decision": granted.decision,
        "limit": granted.limit,
        "terms_days": granted.terms_days,
        "binding_constraint": granted.binding_constraint,
        "flags": list(granted.flags),
        "knock_outs": [hit.rule.reason for hit in granted.knock_outs],
    }


def _reasons(scorer: Scorer, scores: Scores) -> dict[str, Any]:
    """What lowers and what raises the score against the average customer, in points."""
    contributions = scorer.contributions(scores.values[-1:])[0]
    features, factor = scorer.bundle.program.features, scorer.points_factor(contributions)
    return {
        name: [
            {"reason": one.reason, "points": -sign * one.points, "features": list(one.features)}
            for one in principal_reasons(
                sign * contributions[:-1], features, factor, _MOST_REASONS, "en", scorer.grouping
            )
        ]
        for name, sign in (("lowering", 1.0), ("raising", -1.0))
    }


def _limit_logic(scorer: Scorer, scores: Scores, binding: str) -> list[dict[str, Any]]:
    grade, where = scorer.grades[int(scores.grade[-1])], scorer.policy_reads
    applicant = Applicant(features=read(where, scores.values[-1, list(where.values())].tolist()))
    return limit_logic(scorer.product.policy, grade, float(scores.default_probability[-1]), applicant, binding)


def limit_logic(policy: Policy, grade: Grade, pd: float, applicant: Applicant, binding: str) -> list[dict[str, Any]]:
    """What the policy looked at for the limit: the smallest bound is the limit, where any is granted."""
    bounds = bounds_of(policy, grade, pd, applicant)
    loss_rate = pd * policy.loss_given_default
    told = {
        "cap": f"the most that grade {grade.name} may have",
        "appetite": f"loss budget {policy.loss_budget:g} over PD x loss given default {loss_rate:.5f}",
    }
    if policy.capacity_feature is not None:
        told["capacity"] = f"{grade.capacity_multiple:g} x {policy.capacity_feature}"
    return [
        {"name": name, "amount": _finite(bounds.get(name)), "told": why, "binds": name == binding}
        for name, why in told.items()
    ]


def _finite(amount: float | None) -> float | None:
    return None if amount is None or math.isinf(amount) else amount


def _advice(scorer: Scorer, scores: Scores, doubts: list[tuple[str, ...]]) -> advice.Advised:
    """What would raise the grade, each piece proven by scoring it."""

    def judge(row: np.ndarray) -> advice.Judged:
        then = scorer.scored(row[None])
        granted = grant_all(scorer, then, then.grade, doubts)[0]
        place = int(then.grade[0])
        pd, points = float(then.default_probability[0]), float(then.points[0])
        return advice.Judged(pd, points, scorer.grades[place].name, place, granted)

    features = scorer.bundle.program.features
    return advice.advise(scorer.adviser, scorer.product, features, scores.values[-1], judge, "en")


def _groups(scorer: Scorer, scores: Scores, facts: Facts) -> list[dict[str, Any]]:
    """The model's features by group: value, points, a year's trend, the share of peers with a lower value, source rows.

    Peers are the reference rows that the model version keeps. How many features are known says how complete a group is.
    """
    reference = scorer.bundle.reference()
    contributions = scorer.contributions(scores.values[-1:])[0]
    points = -contributions * scorer.points_factor(contributions)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for place, feature in enumerate(scorer.bundle.program.features):
        peers = reference[feature.name].to_numpy(np.float64)
        told = _feature(feature, scores.values[:, place], peers[~np.isnan(peers)])
        rows = trace.sources(feature, facts.tables, facts.numbers, facts.as_of)
        found[feature.group].append({**told, "points": float(points[place]), "sources": rows})
    return [
        {"name": name, "known": sum(one["value"] is not None for one in rows), "of": len(rows), "features": rows}
        for name, rows in found.items()
    ]


def _feature(feature: Feature, values: np.ndarray, peers: np.ndarray) -> dict[str, Any]:
    now = float(values[-1])
    known = now == now
    below = float((peers < now).mean() + (peers == now).mean() / 2) if known and len(peers) else None
    return {
        "name": feature.name,
        "meaning": feature.meaning,
        "unit": feature.unit,
        "risk": feature.risk,
        "value": now if known else None,
        "peers_below": below,
        "trend": [None if value != value else value for value in values.tolist()],
    }


def _table(name: str, rows: list[dict[str, Any]], product: Product, as_of: int) -> dict[str, Any]:
    """How many rows of a table are known, and how old the newest is, beside the age the product allows."""
    event = table_contract(name, product).event
    newest = rows[0][event] if rows else None
    age = None if newest is None else as_of - (dt.date.fromisoformat(newest).toordinal() - EPOCH)
    allowed: Mapping[str, int | None] = product.freshness.model_dump()
    most = allowed.get(name)
    stale = most is not None and age is not None and age > most
    return {"name": name, "rows": len(rows), "newest": newest, "age_days": age, "allowed_days": most, "stale": stale}
