"""One product's way round the loop, in a process of its own: two products keep two cores busy.

Months count from the first as_of of the simulation. From month 18 on, income weighs more and payment discipline less:
the champion, trained on the time before, goes stale without any input moving; only outcomes can tell.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import httpx
import msgspec
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from configs.errors import CreditloopError
from configs.settings import Product, Settings, load_product
from demo.asking import ask, requests_of
from demo.said import Ended, Failed, Go, Teller, Trained, say, wait_for_go
from features import faults, load, outcome
from features.contracts import Columns, to_day
from features.simulate import Portfolio, Scenario, simulate
from monitoring import watch
from monitoring.drift import windows
from monitoring.retraining.retrain import retrain
from monitoring.telling.page import Report
from serving import batch, champion, replay
from serving.ledger import Ledger, open_ledger
from serving.live import utc_now
from serving.score import make_scorer
from training import pipeline, registry
from training.bundle import Bundle

CHANGE, TRAINED, SERVED, FAULTY, JUDGED = 18, 20, (21, 22, 23), 24, 35
DECISIONS_A_MONTH, DECISIONS_AT_LAST = 700, 200
DECIDER = "demo (nobody reviewed this)"


@dataclass
class Story:
    """What happened so far."""

    product: Product
    portfolio: Portfolio
    settings: Settings
    ledger: Ledger
    console: Teller
    first: pipeline.Outcome | None = None
    second: pipeline.Outcome | None = None
    reports: dict[str, Report] = field(default_factory=dict)
    decisions: int = 0
    served_seconds: float = 0.0


def tell(settings: Settings, name: str, customers: int, seed: int, line: Connection) -> None:
    """What the process of one product does. It says everything over `line`."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        with closing(open_ledger(settings)) as ledger:
            story = _begin(settings, ledger, name, customers, seed, Teller(line))
            _train(story)
            asked = _questions(story)
            say(line, Trained())
            _go_on(story, asked, wait_for_go(line))
            lines, held = _summary(story, _count(story)), _decided_again(story)
            say(line, Ended(tuple(lines), len(held), sum(held)))
    except CreditloopError as error:
        say(line, Failed(str(error), error.exit_code))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        sys.exit(1)  # nobody listens any more


def _begin(settings: Settings, ledger: Ledger, name: str, customers: int, seed: int, console: Teller) -> Story:
    product = load_product(name, settings.home)
    console.stage(f"simulate {customers:,} customers over 36 months")
    companies = "invoices" in product.tables
    scenario = Scenario(customers, seed, companies=companies, concept_change_month=CHANGE)
    return Story(product, simulate(scenario), settings, ledger, console)


def _tables(story: Story, months: Sequence[int]) -> dict[str, Columns]:
    outcomes = story.portfolio.outcomes(months).drop(columns="true_pd")
    return load.check_tables({**story.portfolio.tables, "outcomes": outcomes}, story.product, "simulation")


def _day(story: Story, month: int) -> int:
    return to_day(story.portfolio.month_ends[month].date())


def _train(story: Story) -> None:
    console, now = story.console, _day(story, TRAINED)
    tables = _tables(story, range(0, TRAINED - 11, 2))
    story.first = pipeline.train(story.product, tables, story.settings, now, None, console.trial, console.stage)
    _promote(story, story.first.bundle, "first model")


def _promote(story: Story, bundle: Bundle, reason: str) -> None:
    expected = champion.current(story.ledger, bundle.product)
    champion.promote(story.ledger, bundle, expected, DECIDER, reason, utc_now())
    registry.mirror_champion(bundle.product, bundle.version, story.settings.stores.tracking)


def _questions(story: Story) -> dict[int, list[bytes]]:
    """The questions of each month, as they go over the wire."""
    story.console.stage("gather what applicants of the next months would hold")
    whole = story.portfolio.tables
    dies = story.portfolio.month_ends[FAULTY - 5]
    broken = {**whole, "statements": faults.dead_feed(whole["statements"], "inflow", "month", dies)}
    asked = {month: _bodies(story, month, DECISIONS_A_MONTH, whole) for month in SERVED}
    asked[FAULTY] = _bodies(story, FAULTY, DECISIONS_A_MONTH, broken)
    asked[JUDGED] = _bodies(story, JUDGED, DECISIONS_AT_LAST, whole)
    return asked


def _bodies(story: Story, month: int, count: int, tables: dict[str, pd.DataFrame]) -> list[bytes]:
    """About `count` customers in good standing at the end of `month`."""
    rng = np.random.default_rng(month)
    at = story.portfolio.standing(month)
    chosen = story.portfolio.customer_id[rng.choice(at, min(count, len(at)), replace=False)]
    asked = requests_of(story.product, tables, chosen, story.portfolio.month_ends[month])
    return [msgspec.json.encode(body) for body in asked]


def _go_on(story: Story, asked: dict[int, list[bytes]], service: Go) -> None:
    """Serve month after month, watch, retrain, promote, and serve again."""
    headers = {"Authorization": f"Bearer {service.key}"}
    with httpx.Client(base_url=service.address, headers=headers, timeout=60) as client:
        for month in (*SERVED, FAULTY):
            _ask(story, client, month, asked[month])
        since = _day(story, FAULTY)
        story.reports["the month of the dead feed"] = _watch(story, since, since, None, evidently=False)
        _retrain(story)
        _wait_for_swap(story, client)
        _ask(story, client, JUDGED, asked[JUDGED])


def _ask(story: Story, client: httpx.Client, month: int, bodies: Sequence[bytes]) -> None:
    started = time.monotonic()
    ask(client, bodies, lambda done, wanted: story.console.step(f"decide, month {month}", done, wanted))
    story.served_seconds += time.monotonic() - started
    story.decisions += len(bodies)


def _watch(story: Story, since: int, now: int, months: Sequence[int] | None, evidently: bool) -> Report:
    assert story.first is not None
    until = now if months is None else _day(story, months[-1])
    window = windows.from_ledger(story.ledger, story.first.bundle, since, until)
    labels = None
    if months is not None:
        tables = _tables(story, months)
        labels = outcome.matured(tables["outcomes"], story.product.outcome, now)
    report = watch.run(window, story.first.bundle, labels, story.settings, now, evidently, story.console.stage)
    watch.record(report, story.ledger, utc_now())
    return report


def _retrain(story: Story) -> None:
    now, console = _day(story, JUDGED), story.console
    report = _watch(story, _day(story, SERVED[0]), now, SERVED, evidently=True)
    story.reports["a year later, outcomes known"] = report
    tables = _tables(story, range(13, SERVED[-1] + 1, 2))
    anyway = None if report.verdict.remedy in ("retrain", "recalibrate") else "the demo goes on"
    story.second = retrain(
        story.product, tables, story.settings, story.ledger, now, utc_now(), console.trial, console.stage, anyway
    )
    if story.second.verdict.passed:
        _promote(story, story.second.bundle, report.verdict.told)


def _wait_for_swap(story: Story, client: httpx.Client) -> None:
    assert story.second is not None
    if not story.second.verdict.passed:
        return
    for _ in range(60):
        models = {row["product"]: row["model"] for row in client.get("/v1/models").json()}
        if models[story.product.name] == story.second.bundle.version:
            return
        time.sleep(0.5)
    raise CreditloopError(f"the service still answers with {models[story.product.name]}")


def _count(story: Story) -> list[str]:
    """What came of it: the whole book of the last month, decided by each model, against what the simulation knows."""
    assert story.first is not None
    assert story.second is not None
    story.console.stage(f"count what came of it in month {JUDGED}")
    truth = story.portfolio.outcomes([JUDGED]).set_index("customer_id")
    tables, lines = _tables(story, [JUDGED]), []
    for name, made in (("first model", story.first), ("challenger", story.second)):
        scorer = make_scorer(made.bundle, story.product)
        book = batch.score_tables(scorer, tables, _day(story, JUDGED)).set_index("customer_id").loc[truth.index]
        loss = (book["limit"] * truth["defaulted"]).sum() * story.product.policy.loss_given_default
        expected = (book["limit"] * book["default_probability"]).sum() * story.product.policy.loss_given_default
        error = (book["default_probability"] - truth["true_pd"]).abs().mean()
        auc = roc_auc_score(truth["defaulted"], book["default_probability"])
        lines.append(
            f"    {name:<12} AUC {auc:.3f}   mean |PD - true PD| {error:.4f}   granted {book['limit'].sum():>13,.0f}   "
            f"loss expected {expected:>10,.0f}, came {loss:>10,.0f} {story.product.currency}"
        )
    return lines


def _decided_again(story: Story) -> list[bool]:
    """Of each of the product's decisions, whether it comes out equal, bit for bit."""
    story.console.stage("decide again what was decided")
    return [item.equal for item in replay.replay(story.ledger, story.settings.home, story.product.name)]


def _summary(story: Story, came: list[str]) -> list[str]:
    assert story.first is not None
    assert story.second is not None
    first, second = story.first, story.second
    rate = story.decisions / max(story.served_seconds, 1e-9)
    lines = [
        f"{story.product.title} ({story.product.name})",
        f"  trained      AUC {first.validation.auc.value:.3f} out of time, {first.bundle.version}",
        f"  served       {story.decisions:,} decisions over HTTP, {rate:,.0f} a second, each recorded first",
    ]
    for when, report in story.reports.items():
        lines.append(f"  monitor      {when}: {report.verdict.told}")
        lines.append(f"               {report.verdict.evidence[0]}")
    gained = second.against_champion
    gate = "passed, promoted" if second.verdict.passed else "not passed, champion kept"
    told = f", AUC {gained.value:+.3f} ({gained.low:+.3f} to {gained.high:+.3f}) on the same rows" if gained else ""
    lines.append(f"  retrained    {second.bundle.version}: gate {gate}{told}")
    lines.append(f"  what came of it, month {JUDGED}, the whole book, the next 12 months known:")
    lines += came
    lines.append(f"  pages        {first.page}")
    lines.append(f"               {second.page}")
    for report in story.reports.values():
        lines.append(f"               {report.page}")
        if report.evidently_page:
            lines.append(f"               {report.evidently_page} (Evidently)")
    return lines
