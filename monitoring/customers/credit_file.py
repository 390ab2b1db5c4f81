"""The credit file of one customer at a day: who it is, what was known then, how it is scored and why, what was done."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from configs.errors import InputError
from configs.settings import Product
from features.contracts import EPOCH, NEVER, TABLES, Columns, Text, iso
from features.declaration import Feature
from features.load import load, table_contract
from features.matrix import window_starts
from features.ranges import Range
from features.sources import Source
from monitoring.customers.history import events
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
    facts = {name: known_facts(table, name, product, as_of) for name, table in tables.items()}
    if not any(facts.values()):
        raise InputError(f"{source.told()}: nothing was known of customer {customer_id!r} by {iso(as_of)}")
    days = _days(as_of)
    ids = np.full(len(days), customer_id, object)
    scores = scorer.score(tables, ids, days)
    granted = grant_all(scorer, scores, scores.grade)[-1]
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
        "limit_logic": _limit_logic(scorer, scores, granted),
        "groups": _groups(scorer, scores),
        "tables": [_table(name, rows, product, as_of) for name, rows in facts.items()],
        "events": events(ledger, product.name, customer_id, iso(as_of)),
        "facts": facts,
        "shown": FACTS_SHOWN,
    }


def _days(as_of: int) -> np.ndarray:
    back = window_starts(np.array([as_of], np.int32), tuple(range(MONTHS - 1, 0, -1)))[:, 0]
    return np.append(back, as_of).astype(np.int32)


def known_facts(table: Columns, name: str, product: Product, as_of: int) -> list[dict[str, Any]]:
    """The rows of a checked table that had happened and were known by `as_of`, newest first, as plain values."""
    event = TABLES[name].event if name in TABLES else table_contract(name, product).event
    there = np.flatnonzero((table[event] <= as_of) & (table["known_time"] <= as_of))
    order = there[np.lexsort((table["known_time"][there], table[event][there]))[::-1]]
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
            for one in principal_reasons(sign * contributions[:-1], features, factor, _MOST_REASONS, "en")
        ]
        for name, sign in (("lowering", 1.0), ("raising", -1.0))
    }


def _limit_logic(scorer: Scorer, scores: Scores, granted: Grant) -> list[dict[str, Any]]:
    """What the policy looked at for the limit: the smallest bound is the limit, where any is granted."""
    policy, grade = scorer.product.policy, scorer.grades[int(scores.grade[-1])]
    pd, where = float(scores.default_probability[-1]), scorer.policy_reads
    applicant = Applicant(features=read(where, scores.values[-1, list(where.values())].tolist()))
    bounds = bounds_of(policy, grade, pd, applicant)
    loss_rate = pd * policy.loss_given_default
    told = {
        "cap": f"the most that grade {grade.name} may have",
        "appetite": f"loss budget {policy.loss_budget:g} over PD x loss given default {loss_rate:.5f}",
    }
    if policy.capacity_feature is not None:
        told["capacity"] = f"{grade.capacity_multiple:g} x {policy.capacity_feature}"
    return [
        {"name": name, "amount": _finite(bounds.get(name)), "told": why, "binds": name == granted.binding_constraint}
        for name, why in told.items()
    ]


def _finite(amount: float | None) -> float | None:
    return None if amount is None or math.isinf(amount) else amount


def _groups(scorer: Scorer, scores: Scores) -> list[dict[str, Any]]:
    """The model's features by group: value, a year's trend, and the share of peers with a lower value.

    Peers are the reference rows that the model version keeps. How many features are known says how complete a group is.
    """
    reference = scorer.bundle.reference()
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for place, feature in enumerate(scorer.bundle.program.features):
        peers = reference[feature.name].to_numpy(np.float64)
        found[feature.group].append(_feature(feature, scores.values[:, place], peers[~np.isnan(peers)]))
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
