"""The whole loop on simulated portfolios, for real: train, serve, plant a fault, watch, retrain, promote, count.

Months count from the first as_of of the simulation. From month 18 on, income weighs more and payment discipline less:
the champion, trained on the time before, goes stale without any input moving; only outcomes can tell.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from configs.console import Console
from configs.errors import CreditloopError, InputError
from configs.settings import Product, Settings, load_product, load_settings
from features import faults, load, outcome
from features.commands import require_simulated
from features.contracts import TABLES, Columns, to_day
from features.simulate import Portfolio, Scenario, simulate
from monitoring import watch
from monitoring.drift import windows
from monitoring.retraining.retrain import retrain
from serving import access, batch, champion, replay, service
from serving.ledger import Ledger, open_ledger
from serving.live import utc_now
from serving.score import make_scorer
from training import pipeline
from training.bundle import Bundle
from training.registry import mirror_champion

CHANGE, TRAINED, SERVED, FAULTY, JUDGED = 18, 20, (21, 22, 23), 24, 35
DECISIONS_A_MONTH = 700
DECIDER = "demo (nobody reviewed this)"


@dataclass
class Story:
    """One product's way round the loop."""

    product: Product
    portfolio: Portfolio
    first: pipeline.Outcome | None = None
    second: pipeline.Outcome | None = None
    reports: dict[str, watch.Report] = field(default_factory=dict)
    decisions: int = 0
    served_seconds: float = 0.0
    lines: list[str] = field(default_factory=list)


def run(settings: Settings, products: Sequence[str], customers: int, seed: int) -> int:
    """Go once round the loop with each product below `home`/demo, which is made anew. 0 if every step held."""
    started = time.monotonic()
    if customers < 2000:
        raise InputError(f"--customers {customers}: with fewer than 2000 there are too few defaults to learn from")
    for name in products:  # before what the last demo left is removed
        require_simulated(load_product(name, settings.home / "demo"))
    settings = _own_settings(settings)
    stories = [_begin(settings, name, customers, seed + place) for place, name in enumerate(products)]
    ledger = open_ledger(settings)
    for story in stories:
        _train(story, settings, ledger)
    key = access.create_key(settings.home, "demo", "score")
    with _service(settings, tuple(products)) as address:
        client = httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        for story in stories:
            _serve_and_watch(story, settings, ledger, client)
        for story in stories:
            _retrain(story, settings, ledger)
            _wait_for_swap(client, story)
            _ask(story, client, JUDGED, 200, story.portfolio.tables)
        client.close()
    for story in stories:
        _count(story, settings)
    held = _prove(settings, ledger)
    _summary(stories, settings, held, time.monotonic() - started)
    return 0 if held else 1


def _own_settings(settings: Settings) -> Settings:
    home = settings.home / "demo"
    if home.exists():
        shutil.rmtree(home)
    home.mkdir(parents=True)
    overrides = {
        # On so few rows more threads gain little, and on a busy machine they wait for each other: 4 times slower.
        "training": {"trials": min(settings.training.trials, 4), "folds": 3, "max_rounds": 300, "threads": 1},
        "explanation": {"refits": 1},
        "seed_stability": {"seeds": 1},
        "monitoring": {"evidently_columns": 20},
        "serving": {"port": _free_port()},
    }
    return load_settings(home, overrides)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _begin(settings: Settings, name: str, customers: int, seed: int) -> Story:
    product = load_product(name, settings.home)
    Console(f"{name}: ").stage(f"simulate {customers:,} customers over 36 months")
    companies = "invoices" in product.tables
    scenario = Scenario(customers, seed, companies=companies, concept_change_month=CHANGE)
    return Story(product, simulate(scenario))


def _tables(story: Story, months: Sequence[int]) -> dict[str, Columns]:
    outcomes = story.portfolio.outcomes(months).drop(columns="true_pd")
    return load.check_tables({**story.portfolio.tables, "outcomes": outcomes}, story.product, "simulation")


def _day(story: Story, month: int) -> int:
    return to_day(story.portfolio.month_ends[month].date())


def _train(story: Story, settings: Settings, ledger: Ledger) -> None:
    console = Console(f"{story.product.name}: ")
    tables = _tables(story, range(0, TRAINED - 11, 2))
    now = _day(story, TRAINED)
    story.first = pipeline.train(story.product, tables, settings, now, None, console.trial, console.stage)
    _promote(story.first.bundle, settings, ledger, "first model")


def _promote(bundle: Bundle, settings: Settings, ledger: Ledger, reason: str) -> None:
    champion.promote(ledger, bundle, champion.current(ledger, bundle.product), DECIDER, reason, utc_now())
    mirror_champion(bundle.product, bundle.version, settings.stores.tracking)


@contextmanager
def _service(settings: Settings, products: tuple[str, ...]) -> Iterator[str]:
    """The real service in its own process, on loopback; ended when the block ends."""
    Console().stage("start the service")
    address = f"http://{settings.serving.host}:{settings.serving.port}"
    log = settings.home / "service.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            service.command(settings),
            env=service.environment(settings, products),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(address, process, log)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{address}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    raise CreditloopError(f"the service did not become ready; see {log}")


def _serve_and_watch(story: Story, settings: Settings, ledger: Ledger, client: httpx.Client) -> None:
    for month in SERVED:
        _ask(story, client, month, DECISIONS_A_MONTH, story.portfolio.tables)
    broken = dict(story.portfolio.tables)
    broken["statements"] = faults.dead_feed(
        broken["statements"], "inflow", "month", story.portfolio.month_ends[FAULTY - 5]
    )
    _ask(story, client, FAULTY, DECISIONS_A_MONTH, broken)
    since = _day(story, FAULTY)
    story.reports["the month of the dead feed"] = _watch(story, settings, ledger, since, since, None, evidently=False)


def _watch(
    story: Story,
    settings: Settings,
    ledger: Ledger,
    since: int,
    now: int,
    months: Sequence[int] | None,
    evidently: bool,
) -> watch.Report:
    assert story.first is not None
    until = now if months is None else _day(story, months[-1])
    window = windows.from_ledger(ledger, story.first.bundle, since, until)
    labels = None
    if months is not None:
        tables = _tables(story, months)
        labels = outcome.matured(tables["outcomes"], story.product.outcome, now)
    stage = Console(f"{story.product.name}: ").stage
    report = watch.run(window, story.first.bundle, labels, settings, now, evidently, stage)
    watch.record(report, ledger, utc_now())
    return report


def _retrain(story: Story, settings: Settings, ledger: Ledger) -> None:
    assert story.first is not None
    now = _day(story, JUDGED)
    report = _watch(story, settings, ledger, _day(story, SERVED[0]), now, SERVED, evidently=True)
    story.reports["a year later, outcomes known"] = report
    console = Console(f"{story.product.name}: ")
    tables = _tables(story, range(13, SERVED[-1] + 1, 2))
    anyway = None if report.verdict.remedy in ("retrain", "recalibrate") else "the demo goes on"
    story.second = retrain(
        story.product, tables, settings, ledger, now, utc_now(), console.trial, console.stage, anyway
    )
    if story.second.verdict.passed:
        _promote(story.second.bundle, settings, ledger, report.verdict.told)


def _ask(story: Story, client: httpx.Client, month: int, count: int, tables: dict[str, pd.DataFrame]) -> None:
    """Ask the service about `count` customers in good standing at the end of `month`, four at a time."""
    rng = np.random.default_rng(month)
    at = story.portfolio.standing(month)
    chosen = story.portfolio.customer_id[rng.choice(at, min(count, len(at)), replace=False)]
    as_of = story.portfolio.month_ends[month]
    bodies = requests_of(story.product, tables, chosen, as_of)
    started = time.monotonic()
    told = f"{story.product.name}: decide, month {month}"
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            tqdm(
                pool.map(lambda body: _decide(client, body), bodies),
                total=len(bodies),
                desc=told,
                leave=False,
                disable=None,
            )
        )
    story.served_seconds += time.monotonic() - started
    story.decisions += len(answers)


def _decide(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/v1/decide", json=body)
    if answer.status_code != 200:
        raise CreditloopError(f"the service answered {answer.status_code}: {answer.text[:300]}")
    return answer.json()


def requests_of(
    product: Product, tables: dict[str, pd.DataFrame], customers: np.ndarray, as_of: pd.Timestamp
) -> list[dict[str, Any]]:
    """One request body per customer: the rows an application would hold on the day `as_of`."""
    records: dict[str, dict[str, list[dict[str, Any]]]] = {customer: {} for customer in customers}
    for name in product.tables:
        frame = tables[name]
        known_at = frame.get("known_time", frame[TABLES[name].event])
        frame = frame[frame["customer_id"].isin(set(customers)) & (known_at <= as_of)]
        if name == "invoices":
            frame = frame.assign(paid=frame["paid"].where(frame["paid"] <= as_of))
        known = [column for column in frame.columns if column in TABLES[name].all_columns()]
        plain = frame[known].astype(object)
        for column in frame[known].select_dtypes("datetime").columns:
            plain[column] = frame[column].dt.strftime("%Y-%m-%d").astype(object)
        plain = plain.where(frame[known].notna(), None)
        for row in plain.to_dict("records"):
            records[row.pop("customer_id")].setdefault(name, []).append(row)
    day = as_of.date().isoformat()
    return [
        {"product": product.name, "customer_id": customer, "as_of": day, "records": records[customer]}
        for customer in customers
    ]


def _wait_for_swap(client: httpx.Client, story: Story) -> None:
    assert story.second is not None
    if not story.second.verdict.passed:
        return
    for _ in range(60):
        models = {row["product"]: row["model"] for row in client.get("/v1/models").json()}
        if models[story.product.name] == story.second.bundle.version:
            return
        time.sleep(0.5)
    raise CreditloopError(f"the service still answers with {models[story.product.name]}")


def _count(story: Story, settings: Settings) -> None:
    """What came of it: the whole book of the last month, decided by each model, against what the simulation knows."""
    assert story.first is not None
    assert story.second is not None
    truth = story.portfolio.outcomes([JUDGED]).set_index("customer_id")
    tables = _tables(story, [JUDGED])
    for name, made in (("first model", story.first), ("challenger", story.second)):
        scorer = make_scorer(made.bundle, story.product)
        book = batch.score_tables(scorer, tables, _day(story, JUDGED)).set_index("customer_id").loc[truth.index]
        loss = (book["limit"] * truth["defaulted"]).sum() * story.product.policy.loss_given_default
        expected = (book["limit"] * book["default_probability"]).sum() * story.product.policy.loss_given_default
        error = (book["default_probability"] - truth["true_pd"]).abs().mean()
        auc = roc_auc_score(truth["defaulted"], book["default_probability"])
        story.lines.append(
            f"  {name:<12} AUC {auc:.3f}   mean |PD - true PD| {error:.4f}   granted {book['limit'].sum():>13,.0f}   "
            f"loss expected {expected:>10,.0f}, came {loss:>10,.0f} {story.product.currency}"
        )


def _prove(settings: Settings, ledger: Ledger) -> bool:
    Console().stage("verify the ledger, replay every decision")
    count, _ = ledger.verify()
    replayed = [item.equal for item in replay.replay(ledger, settings.home)]
    print(f"{count:,} records, every hash holds; {sum(replayed):,} of {len(replayed):,} decisions equal bit for bit")
    return all(replayed)


def _summary(stories: list[Story], settings: Settings, held: bool, seconds: float) -> None:
    print(f"\n{'=' * 100}\nOnce round the loop in {seconds:.0f} s\n")
    for story in stories:
        assert story.first is not None
        assert story.second is not None
        rate = story.decisions / max(story.served_seconds, 1e-9)
        print(f"{story.product.title} ({story.product.name})")
        print(f"  trained      AUC {story.first.validation.auc.value:.3f} out of time, {story.first.bundle.version}")
        print(f"  served       {story.decisions:,} decisions over HTTP, {rate:,.0f} a second, each recorded first")
        for when, report in story.reports.items():
            print(f"  monitor      {when}: {report.verdict.told}")
            print(f"               {report.verdict.evidence[0]}")
        gained = story.second.against_champion
        gate = "passed, promoted" if story.second.verdict.passed else "not passed, champion kept"
        told = f", AUC {gained.value:+.3f} ({gained.low:+.3f} to {gained.high:+.3f}) on the same rows" if gained else ""
        print(f"  retrained    {story.second.bundle.version}: gate {gate}{told}")
        print(f"  what came of it, month {JUDGED}, the whole book, the next 12 months known:")
        print("\n".join(f"  {line}" for line in story.lines))
        print(f"  pages        {story.first.page}\n               {story.second.page}")
        for report in story.reports.values():
            print(f"               {report.page}")
            if report.evidently_page:
                print(f"               {report.evidently_page} (Evidently)")
        print()
    print(f"ledger  {settings.stores.ledger}")
    print(f"MLflow  mlflow ui --backend-store-uri {settings.stores.tracking}")
    print(f"go on   CREDITLOOP_HOME={settings.home} creditloop models list")
    print("proof   " + ("every decision replays bit for bit" if held else "SOME DECISIONS DO NOT REPLAY"))
