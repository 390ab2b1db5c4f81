"""One round of the monitor: outcomes gathered, decisions watched, early outcomes bridged, what follows, who is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from configs.errors import CreditloopError
from configs.settings import Product, Settings
from features.contracts import Columns
from monitoring import watch
from monitoring.drift import decisions, windows
from monitoring.drift.decisions import Decisions
from monitoring.drift.windows import Window
from monitoring.outcomes import arrivals, claims, early, vintages
from monitoring.outcomes.arrivals import Arrivals
from monitoring.outcomes.early import EarlyView
from monitoring.outcomes.roll import Questions
from monitoring.retraining import aftercare, preview, worth
from monitoring.retraining.aftercare import Standing, Watched
from monitoring.retraining.preview import Preview
from monitoring.telling import notify
from monitoring.telling.notify import Delivery, Notice
from monitoring.telling.page import Report
from serving import champion
from serving.ledger import Entry, Ledger, canonical
from serving.score import make_scorer
from training.bundle import Bundle
from training.registry import mirror_champion

KIND = "evidence"
_ALL_THE_PAST = -(2**31)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a round looks at: decisions of the ledger with as_of in [since, as_of], or the book of the tables then.

    Without `since` the outcomes of all decisions judge the model, and the decisions since the last run are held against
    the reference. `now` is the day of the label clock, `read_on` today; days since 1970.
    """

    from_ledger: bool
    since: int | None
    as_of: int
    now: int
    read_on: int
    evidently: bool


@dataclass(frozen=True, slots=True)
class Round:
    """What one round found and did; `happened` in sentences: a promotion, a rollback, or why there was none."""

    report: Report
    arrivals: Arrivals
    early: EarlyView | None
    preview: Preview | None
    standing: Standing | None
    watched: Watched | None
    happened: tuple[tuple[str, str], ...]
    told: tuple[Delivery, ...]


def go(
    product: Product,
    tables: Mapping[str, Columns],
    settings: Settings,
    ledger: Ledger,
    asked: Asked,
    at: str,
    stage: Callable[[str], None],
) -> Round:
    """Watch the champion of `product` once and record what was found. Raises Refusal without a champion."""
    bundle = champion.load_champion(ledger, settings.home, product.name)
    decided = decisions.read(ledger, bundle)
    found = claims.recorded(ledger, product.name, decided.about, asked.read_on)
    window, judged = _windows(bundle, product, tables, decided, asked, settings)
    keys = frozenset(zip(judged.customer_id.tolist(), judged.as_of.tolist(), strict=True))
    came = arrivals.gather(found, tables.get("outcomes"), keys, product.outcome, asked.now, asked.read_on)
    if came.set_aside:
        arrivals.write(came, settings.home / "quarantine" / f"{product.name}-outcomes.csv")
    came = replace(came, labels=vintages.whole(came.labels, judged.as_of, settings.monitoring.vintage_coverage))
    labels = came.labels if len(came.labels) else None
    stage("bridge early outcomes, value the remedies")
    view = _early(judged, bundle, came, product, tables, settings, asked.now)
    gains = _preview(judged, bundle, came, product, settings)
    refit = None if gains is None else gains.refit
    report = watch.run(window, bundle, labels, settings, asked.as_of, asked.evidently, stage, refit, product, judged)
    watch.record(report, ledger, at)
    _record(ledger, product.name, bundle.version, came, view, gains, at)
    standing, watched, happened = follow(ledger, product, settings, view, at)
    notice = Notice(
        f"verdict-{product.name}-{at}",
        product.name,
        report.verdict.remedy,
        report.verdict.told,
        report.verdict.evidence,
        at,
    )
    told = notify.tell(ledger, notice, settings.notices, at, time.sleep)
    for number, (kind, sentence) in enumerate(happened):
        event = Notice(f"{kind}-{product.name}-{at}-{number}", product.name, kind, sentence, (), at)
        told += notify.tell(ledger, event, settings.notices, f"{at}-{number}", time.sleep)
    return Round(report, came, view, gains, standing, watched, happened, tuple(told))


def follow(
    ledger: Ledger, product: Product, settings: Settings, view: EarlyView | None, at: str
) -> tuple[Standing | None, Watched | None, tuple[tuple[str, str], ...]]:
    """The watch over a new champion, then the shadow's turn: what stands, and what happened, by kind and sentence.

    A version that cannot decide in the shadow, its files gone or of another masterscale, is told; the round goes on.
    """
    happened: list[tuple[str, str]] = []
    together = None if view is None else view.together
    watched = aftercare.watch_champion(ledger, product, settings, together, at)
    if watched is not None and watched.blind is not None:
        former = watched.promotion.previous
        happened.append(("failed", f"{former} cannot decide beside the new champion: {watched.blind}"))
    if watched is not None and watched.breaches:
        aftercare.record_breach(ledger, product.name, watched, at)
        try:
            back = aftercare.roll_back(ledger, product, watched, settings, at)
        except CreditloopError as why:
            happened.append(("failed", str(why)))
        else:
            happened.append(("rolled_back", f"{back.version} is champion again: {'; '.join(watched.breaches)}"))
            mirror_champion(product.name, back.version, settings.stores.tracking)
        return None, watched, tuple(happened)
    standing = None
    try:
        standing = aftercare.follow_challenger(ledger, product, settings, at)
        if standing is not None and standing.ready:
            made = aftercare.promote_within_limits(ledger, product, standing, settings, at)
            happened.append(("promoted", f"{made.version} is champion, {made.by}"))
            mirror_champion(product.name, made.version, settings.stores.tracking)
    except CreditloopError as why:
        happened.append(("failed", str(why)))
    return standing, watched, tuple(happened)


def _windows(
    bundle: Bundle,
    product: Product,
    tables: Mapping[str, Columns],
    decided: Decisions,
    asked: Asked,
    settings: Settings,
) -> tuple[Window, Window]:
    """What is held against the reference, and the decisions whose outcomes judge the model."""
    if tables and not asked.from_ledger:
        book = windows.from_tables(make_scorer(bundle, product), tables, asked.as_of)
        return book, book
    if asked.since is not None:
        window = windows.between(decided, bundle, asked.since, asked.as_of)
        return window, window
    every, rows = settings.schedule.every_days, settings.monitoring.minimum_rows
    window = windows.between(decided, bundle, windows.recent(decided, asked.as_of, every, rows), asked.as_of)
    return window, windows.between(decided, bundle, _ALL_THE_PAST, asked.as_of)


def _early(
    window: Window,
    bundle: Bundle,
    came: Arrivals,
    product: Product,
    tables: Mapping[str, Columns],
    settings: Settings,
    now: int,
) -> EarlyView | None:
    if not any(name in tables for name in ("statements", "invoices")) or not len(window):
        return None
    grade = bundle.scale.grade_index(window.default_probability)
    questions = Questions(window.customer_id, window.as_of, window.default_probability, grade)
    return early.early_view(
        questions, came.labels, tables, product.outcome.window_months, len(product.grades), settings.early, now
    )


def _preview(window: Window, bundle: Bundle, came: Arrivals, product: Product, settings: Settings) -> Preview | None:
    """What the remedies would gain on the decisions of the window whose outcome is known."""
    places = {key: place for place, key in enumerate(zip(window.customer_id, window.as_of.tolist(), strict=True))}
    keys = zip(came.labels.customer_id, came.labels.as_of.tolist(), strict=True)
    rows = np.array([places[key] for key in keys], np.intp)
    if not len(rows):
        return None
    values = window.values[rows]
    judged = preview.Judged(
        values,
        worth.reads_of(bundle.program.names, product, values),
        window.default_probability[rows],
        came.labels.defaulted,
        window.customer_id[rows],
    )
    yearly = worth.yearly_volume(window.as_of, len(window))
    return preview.preview(product, judged, bundle.program.features, yearly, settings.worth)


def _record(
    ledger: Ledger,
    product: str,
    model: str,
    came: Arrivals,
    view: EarlyView | None,
    gains: Preview | None,
    at: str,
) -> None:
    body = {
        "model": model,
        "outcomes": came.counts(),
        "early": None if view is None else view.to_json(),
        "preview": None if gains is None else asdict(gains),
    }
    ledger.append([Entry(f"{KIND}-{product}-{at}", KIND, product, model, at, canonical(body))])
