"""A whole book scored anew: which grades move, which limits, and why; one range of customers in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from configs.customers import ReviewRules
from configs.settings import Product
from features import portfolio
from features.book import all_customers
from features.catalogue import Program
from features.contracts import Columns
from features.sources import Source
from monitoring.customers import explained, limits, migration, occasions, reviewed, trade
from monitoring.customers.explained import Moved
from monitoring.customers.migration import CAUSES, NEW
from monitoring.customers.reviewed import DECISIONS, Reviewed
from monitoring.customers.rules import COMPARES, program_of, values_of
from serving.batch import grant_all
from serving.score import Scorer, Scores

NO_CAUSE = CAUSES.index("none")


@dataclass(frozen=True, slots=True)
class Previous:
    """The review that this one follows: its day (days since 1970) and the file of what it said."""

    as_of: int
    path: Path


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every part of a book: by which scorer and rules, at which day, after which review.

    `called` are customers that a person or a warning puts on this review, `granted` the limits that persons granted
    and that still stand, by customer.
    """

    scorer: Scorer
    rules: ReviewRules
    reads: Program
    tables: tuple[str, ...]
    as_of: int
    previous: Previous | None
    called: frozenset[str] = frozenset()
    granted: Mapping[str, float] = field(default_factory=dict)


def make_question(
    scorer: Scorer,
    as_of: int,
    previous: Previous | None,
    called: frozenset[str] = frozenset(),
    granted: Mapping[str, float] | None = None,
) -> Question:
    """Raises ConfigError for a rule on a feature, table or column that the product has not."""
    rules = scorer.product.customers.review
    trading = scorer.product.customers.trade
    bought = () if trading is None or trading.purchases_feature is None else (trading.purchases_feature,)
    reads = program_of(scorer, (*rules.reads(), *bought), "customers.review")
    named = (*scorer.bundle.program.tables, *reads.tables, *occasions.check_events(rules, scorer.product))
    return Question(scorer, rules, reads, tuple(dict.fromkeys(named)), as_of, previous, called, granted or {})


def review(
    asked: Question,
    source: Source,
    tally: portfolio.Tally,
    progress: Callable[[int, int], None],
    customers_each: int = portfolio.CUSTOMERS_EACH,
) -> Iterator[Reviewed]:
    """Every customer of a source part by part, under the product's rules but for the caps on groups and book.

    Memory holds the tables of two ranges of customers and the ids of all. `progress` hears of (customers done,
    customers). Raises DataError as `load` does.
    """
    customers, done = all_customers(source, asked.scorer.product), 0
    path = None if asked.previous is None else asked.previous.path
    for part, loaded in portfolio.walk(asked.tables, source, asked.scorer.product, customers, tally, customers_each):
        ids = customers[part.rows]
        ids = ids[known_by(loaded.tables, ids, asked.as_of)]
        yield review_part(asked, loaded.tables, ids, reviewed.before(path, asked.scorer.grades, ids, part.customers))
        done += len(part.rows)
        progress(done, len(customers))


def review_part(asked: Question, tables: Mapping[str, Columns], ids: np.ndarray, before: Reviewed) -> Reviewed:
    """These customers, before the caps on groups and on the whole book; who is not due is carried over."""
    rules, names = asked.rules, [grade.name for grade in asked.scorer.grades]
    facts = values_of(asked.reads, tables, ids, np.full(len(ids), asked.as_of, np.int32))
    forced = triggered(rules, facts, names, len(ids))
    drawn = committed(rules, facts, len(ids))
    occasion = occasions.occasions(rules, names, tables, before, forced, drawn, asked.called, asked.as_of)
    due = np.flatnonzero(occasion != reviewed.CARRIED)
    carried = replace(
        before,
        occasion=occasion,
        grade_before=before.grade,
        cause=np.full(len(ids), NO_CAUSE, np.int8),
        drawn=drawn,
        limit_before=before.limit,
        terms_before=before.terms_days,
        why=np.full(len(ids), "", object),
        group_id=occasions.group_of(tables, ids, asked.as_of) if rules.group_cap is not None else before.group_id,
    )
    if not len(due):
        return carried
    due_facts = {name: values[due] for name, values in facts.items()}
    return reviewed.replaced(carried, due, _looked_at(asked, tables, carried.take(due), forced[due], due_facts))


def _looked_at(
    asked: Question,
    tables: Mapping[str, Columns],
    before: Reviewed,
    forced: np.ndarray,
    facts: Mapping[str, np.ndarray],
) -> Reviewed:
    """Customers scored anew; `before` holds what was carried over."""
    scorer, rules, ids = asked.scorer, asked.rules, before.customer_id
    days = np.full(len(ids), asked.as_of, np.int32)
    scores = scorer.score(tables, ids, days)
    upper = np.array([grade.pd_below for grade in scorer.grades if grade.pd_below is not None])
    by_pd = scores.grade.astype(np.int8)
    standing, cause = migration.move(scores.default_probability, by_pd, before.standing(), forced, upper, rules)
    grants = grant_all(scorer, scores, standing.grade, scorer.doubts(tables, ids, days, scores.values))
    decision = np.array([DECISIONS.index(granted.decision) for granted in grants], np.int8)
    at_once = (decision == DECISIONS.index("decline")) | (forced != NEW)
    terms_earned = np.array([granted.terms_days for granted in grants], np.int16)
    terms_days = _terms(scorer.product, terms_earned, before.terms_days, scores.default_probability)
    earned = np.array([granted.limit for granted in grants], np.float64)
    needed = _needed(scorer, facts, standing.grade, terms_days, scores.default_probability)
    earned = np.where(at_once, earned, np.maximum(earned, needed))
    limit, held_by = _limit(asked, before, earned, at_once, decision == DECISIONS.index("refer"))
    return replace(
        before,
        reviewed_on=np.full(len(ids), asked.as_of, np.int32),
        default_probability=scores.default_probability,
        points=np.round(scores.points, 2),
        by_pd=by_pd,
        grade=standing.grade,
        cause=cause,
        beyond=standing.beyond,
        held=standing.held,
        decision=decision,
        earned=earned,
        limit=limit,
        held_by=held_by,
        terms_earned=terms_earned,
        terms_days=terms_days,
        why=_why(asked, tables, before, scores, Moved(standing.grade, cause, facts)),
    )


def _limit(
    asked: Question, before: Reviewed, earned: np.ndarray, at_once: np.ndarray, referred: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The limit after steps, and what held it; what a person granted stands, but for who is declined or triggered."""
    by_person = np.array([asked.granted.get(one, 0.0) for one in before.customer_id.tolist()], np.float64)
    by_person = np.where(at_once, 0.0, by_person)
    limit, held_by = limits.step(earned, before.limit, at_once, referred, asked.rules)
    most = np.inf if asked.rules.automatic_limit is None else asked.rules.automatic_limit
    allowed = np.maximum(most, np.nan_to_num(before.limit, nan=0.0))
    held_by = np.where(limit > allowed, limits.HOLDS.index("person"), held_by)
    limit = np.minimum(limit, allowed)
    held_by = np.where(by_person > limit, limits.HOLDS.index("person"), held_by)
    return np.maximum(limit, by_person), held_by.astype(np.int8)


def _terms(product: Product, earned: np.ndarray, before: np.ndarray, default_probability: np.ndarray) -> np.ndarray:
    """Payment days: those of the grade, extended only where that pays."""
    rules = product.customers.trade
    if rules is None:
        return earned
    offered = [grade.terms_days for grade in product.grades]
    return trade.extended(earned, before, _annual_loss_rate(product, default_probability), offered, rules)


def _annual_loss_rate(product: Product, default_probability: np.ndarray) -> np.ndarray:
    annual = 1.0 - (1.0 - default_probability) ** (12 / product.outcome.window_months)
    return np.asarray(annual * product.policy.loss_given_default)


def _needed(
    scorer: Scorer,
    facts: Mapping[str, np.ndarray],
    grade: np.ndarray,
    terms_days: np.ndarray,
    default_probability: np.ndarray,
) -> np.ndarray:
    """The limit that a customer's purchases need and pay for, within the grade's cap and the loss budget, (rows,)."""
    product, rules = scorer.product, scorer.product.customers.trade
    if rules is None or rules.purchases_feature is None:
        return np.zeros(len(grade))
    loss_rate = default_probability * product.policy.loss_given_default
    cap = np.array([one.limit_cap for one in scorer.grades])[grade]
    appetite = np.divide(product.policy.loss_budget, loss_rate, out=np.full(len(grade), np.inf), where=loss_rate > 0)
    annual = _annual_loss_rate(product, default_probability)
    offered = [one.terms_days for one in scorer.grades]
    needed = trade.needed(facts[rules.purchases_feature], terms_days, annual, offered, rules)
    return np.floor(np.minimum(np.minimum(needed, cap), appetite))


def committed(rules: ReviewRules, facts: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
    """What customers have drawn and what may yet be, (rows,): open items and each commitment times its CCF.

    Missing where the product does not say what is drawn, or nothing is known of it.
    """
    if rules.exposure_feature is None:
        return np.full(rows, np.nan)
    parts = [facts[rules.exposure_feature], *(one.factor * facts[one.feature] for one in rules.exposures)]
    whole = np.sum([limits.owed(part) for part in parts], axis=0)
    return np.where(np.all([np.isnan(part) for part in parts], axis=0), np.nan, whole)


def known_by(tables: Mapping[str, Columns], ids: np.ndarray, as_of: int) -> np.ndarray:
    """Of whom the tables knew something at `as_of`, (rows,) bool: who came later is no customer yet."""
    known = [table["customer_id"].take(table["known_time"] <= as_of).distinct() for table in tables.values()]
    return np.isin(ids.astype(str), np.concatenate([np.empty(0, str), *(part.astype(str) for part in known)]))


def triggered(rules: ReviewRules, facts: Mapping[str, np.ndarray], grades: list[str], rows: int) -> np.ndarray:
    """The best grade that the triggers which hit leave each customer, NEW where none hit, (rows,)."""
    forced = np.full(rows, NEW, np.int8)
    for trigger in rules.triggers:
        hit = COMPARES[trigger.operator](facts[trigger.feature], trigger.bound)
        forced = np.where(hit, np.maximum(forced, grades.index(trigger.grade)), forced).astype(np.int8)
    return forced


def _why(asked: Question, tables: Mapping[str, Columns], before: Reviewed, scores: Scores, moved: Moved) -> np.ndarray:
    last = asked.previous
    if last is None:
        return np.full(len(before), "", object)
    return explained.why(asked.scorer, asked.rules, last.as_of, tables, before, scores, moved)
