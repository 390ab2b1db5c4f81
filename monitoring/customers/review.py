"""A whole book scored anew: which grades move, which limits, and why; one range of customers in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from configs.customers import ReviewRules
from features import matrix, portfolio
from features.book import all_customers
from features.catalogue import Program
from features.contracts import Columns
from features.sources import Source
from monitoring.customers import limits, migration, reviewed
from monitoring.customers.migration import CAUSES, NEW
from monitoring.customers.reviewed import DECISIONS, Before, Reviewed
from monitoring.customers.rules import COMPARES, program_of, values_of
from serving.batch import grant_all
from serving.reasons import principal_reasons
from serving.score import Scorer, Scores


@dataclass(frozen=True, slots=True)
class Previous:
    """The review that this one follows: its day (days since 1970) and the file of what it said."""

    as_of: int
    path: Path


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every part of a book: by which scorer and rules, at which day, after which review."""

    scorer: Scorer
    rules: ReviewRules
    reads: Program
    as_of: int
    previous: Previous | None


def review(
    scorer: Scorer,
    source: Source,
    as_of: int,
    previous: Previous | None,
    tally: portfolio.Tally,
    progress: Callable[[int, int], None],
    customers_each: int = portfolio.CUSTOMERS_EACH,
) -> Reviewed:
    """Every customer of a source at `as_of` (days since 1970), under the product's rules.

    Memory holds the tables of two ranges of customers and some 150 bytes of result for each customer. `progress`
    hears of (customers done, customers). Raises DataError as `load` does, ConfigError for a rule on no feature.
    """
    rules = scorer.product.customers.review
    asked = Question(scorer, rules, program_of(scorer, rules.reads(), "customers.review"), as_of, previous)
    customers = all_customers(source, scorer.product)
    tables = tuple(dict.fromkeys((*scorer.bundle.program.tables, *asked.reads.tables)))
    parts, done = [_nobody()], 0
    for part, loaded in portfolio.walk(tables, source, scorer.product, customers, tally, customers_each):
        ids = customers[part.rows]
        ids = ids[known_by(loaded.tables, ids, as_of)]
        path = None if previous is None else previous.path
        before = reviewed.before(path, scorer.grades, ids, part.customers)
        parts.append(review_part(asked, loaded.tables, ids, before))
        done += len(part.rows)
        progress(done, len(customers))
    return capped(reviewed.joined(parts), rules)


def review_part(asked: Question, tables: Mapping[str, Columns], ids: np.ndarray, before: Before) -> Reviewed:
    """These customers, before the cap on the whole book."""
    scorer, rules = asked.scorer, asked.rules
    days = np.full(len(ids), asked.as_of, np.int32)
    scores = scorer.score(tables, ids, days)
    facts = values_of(asked.reads, tables, ids, days)
    forced = triggered(rules, facts, [grade.name for grade in scorer.grades], len(ids))
    upper = np.array([grade.pd_below for grade in scorer.grades if grade.pd_below is not None])
    by_pd = scores.grade.astype(np.int8)
    standing, cause = migration.move(scores.default_probability, by_pd, before.standing, forced, upper, rules)
    grants = grant_all(scorer, scores, standing.grade)
    decision = np.array([DECISIONS.index(granted.decision) for granted in grants], np.int8)
    earned = np.array([granted.limit for granted in grants], np.float64)
    at_once = (decision == DECISIONS.index("decline")) | (forced != NEW)
    limit, held_by = limits.step(earned, before.limit, at_once, decision == DECISIONS.index("refer"), rules)
    drawn = np.full(len(ids), np.nan) if rules.exposure_feature is None else facts[rules.exposure_feature]
    return Reviewed(
        customer_id=ids,
        default_probability=scores.default_probability,
        points=np.round(scores.points, 2),
        by_pd=by_pd,
        grade_before=before.standing.grade,
        grade=standing.grade,
        cause=cause,
        beyond=standing.beyond,
        held=standing.held,
        decision=decision,
        drawn=drawn,
        earned=earned,
        limit_before=before.limit,
        limit=limit,
        held_by=held_by,
        terms_before=before.terms_days,
        terms_days=np.array([granted.terms_days for granted in grants], np.int16),
        why=_why(asked, tables, ids, scores, before.standing.grade, standing.grade, cause, facts),
    )


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


def capped(book: Reviewed, rules: ReviewRules) -> Reviewed:
    """The book with the limits that its cap allows."""
    if rules.portfolio_cap is None or not len(book):
        return book
    limit, cut = limits.within_portfolio(book.limit, book.drawn, book.default_probability, rules.portfolio_cap)
    held_by = np.where(cut, limits.HOLDS.index("portfolio"), book.held_by).astype(np.int8)
    return replace(book, limit=limit, held_by=held_by)


def _why(
    asked: Question,
    tables: Mapping[str, Columns],
    ids: np.ndarray,
    scores: Scores,
    before: np.ndarray,
    after: np.ndarray,
    cause: np.ndarray,
    facts: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Why a grade moved, in words; empty where it did not.

    The same model sees the facts of the day before and of today: what differs between the two explanations is what
    changed with the customer, not with the model.
    """
    why = np.full(len(ids), "", object)
    moved = np.flatnonzero((after != before) & (before != NEW))
    if asked.previous is None or not len(moved):
        return why
    scorer = asked.scorer
    days = np.full(len(moved), asked.previous.as_of, np.int32)
    then = scorer.contributions(matrix.build(scorer.bundle.program, tables, ids[moved], days))
    now = scorer.contributions(scores.values[moved])
    for place, row in enumerate(moved.tolist()):
        worse = bool(after[row] > before[row])
        told = _told(asked, now[place], now[place] - then[place], worse)
        if CAUSES[cause[row]] == "trigger":
            told = [*_triggers_told(asked.rules, facts, row), *told]
        why[row] = "; ".join(told)
    return why


def _told(asked: Question, now: np.ndarray, change: np.ndarray, worse: bool) -> list[str]:
    scorer = asked.scorer
    sign = 1.0 if worse else -1.0
    factor = scorer.points_factor(now)
    reasons = principal_reasons(sign * change[:-1], scorer.bundle.program.features, factor, asked.rules.reasons, "en")
    lead = "" if worse else "less weight: "
    return [f"{lead}{reason.reason} ({-sign * reason.points:+.1f} points)" for reason in reasons]


def _triggers_told(rules: ReviewRules, facts: Mapping[str, np.ndarray], row: int) -> list[str]:
    return [
        f"{trigger.name}: {trigger.feature} is {facts[trigger.feature][row]:g}"
        for trigger in rules.triggers
        if COMPARES[trigger.operator](facts[trigger.feature][row], trigger.bound)
    ]


def _nobody() -> Reviewed:
    texts, numbers = np.empty(0, object), np.empty(0)
    places, counts = np.empty(0, np.int8), np.empty(0, np.int16)
    return Reviewed(
        customer_id=texts,
        default_probability=numbers,
        points=numbers,
        by_pd=places,
        grade_before=places,
        grade=places,
        cause=places,
        beyond=counts,
        held=counts,
        decision=places,
        drawn=numbers,
        earned=numbers,
        limit_before=numbers,
        limit=numbers,
        held_by=places,
        terms_before=counts,
        terms_days=counts,
        why=texts,
    )
