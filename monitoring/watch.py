"""One run of the monitor: window in, verdict and pages out, the verdict in the ledger."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np

from configs.errors import ConfigError
from configs.settings import Product, Settings, load_product
from features.contracts import iso
from features.outcome import Labels
from monitoring.drift.checks import Finding, check_window
from monitoring.drift.money import Money, drift_in_money
from monitoring.drift.reference import Reference, reference_of
from monitoring.drift.stability import Stability, budget_of, most_moved, stabilities
from monitoring.drift.windows import Window, described, outcomes_of
from monitoring.outcomes.level import Level, level_of
from monitoring.outcomes.performance import Performance, performance
from monitoring.outcomes.power import Power, Promise, power_of
from monitoring.telling import page
from monitoring.telling.page import Report
from monitoring.verdict import Evidence, Verdict, Worth, judge
from serving.ledger import Entry, Ledger, canonical
from training.bundle import Bundle, file_digest
from training.validate import Interval

log = logging.getLogger("creditloop.monitoring")


@dataclass(frozen=True, slots=True)
class Examined:
    """What one window shows and what follows from it, before a page is made of it; `outcomes` (rows judged,)."""

    findings: tuple[Finding, ...]
    features: tuple[Stability, ...]
    score: Stability
    performance: Performance | None
    level: Level | None
    power: Power
    money: Money | None
    outcomes: np.ndarray
    verdict: Verdict


def examine(
    window: Window,
    judged: Window,
    reference: Reference,
    bundle: Bundle,
    labels: Labels | None,
    settings: Settings,
    stage: Callable[[str], None],
    worth: Worth | None = None,
    product: Product | None = None,
) -> Examined:
    """Check, compare, count in money and judge. The outcomes `labels` tell of the decisions `judged`."""
    bounds = settings.monitoring
    stage(f"check {len(window):,} rows of {len(bundle.program.names)} features")
    counted = reference.count(window.values, window.default_probability)
    *moved, score = stabilities(counted, reference.counted, reference.grid, reference.sizes(window.customers()), bounds)
    findings = check_window(window, counted, reference, bounds) if len(window) else []
    money = None
    if len(window):
        stage("count the drift in money")
        money = _money(window, reference, bundle, product, _suspects(findings, moved, bundle), settings)
    known = performance(judged, labels, _interval(bundle.validation["auc"])) if labels is not None else None
    outcomes = outcomes_of(judged, labels) if labels is not None else np.full(len(judged), -1, np.int8)
    level = _level(judged, outcomes, bundle)
    power = power_of(known.defaults if known else 0, _promise(bundle), budget_of(bounds), bounds)
    verdict = judge(Evidence(len(window), findings, score, known, level, power, money, worth), bounds)
    return Examined(tuple(findings), tuple(moved), score, known, level, power, money, outcomes, verdict)


def run(
    window: Window,
    bundle: Bundle,
    labels: Labels | None,
    settings: Settings,
    now: int,
    evidently: bool,
    stage: Callable[[str], None],
    worth: Worth | None = None,
    product: Product | None = None,
    judged: Window | None = None,
) -> Report:
    """Examine one window, and write its pages under `settings.home`/reports.

    `worth` is what a new model would gain, where one was tried. The policy is that of `product`, else of the product
    file of the bundle's name. `judged` are the decisions of which `labels` tell, by default those of the window.
    """
    bounds = settings.monitoring
    judged = window if judged is None else judged
    reference = reference_of(bundle, bounds)
    found = examine(window, judged, reference, bundle, labels, settings, stage, worth, product)
    folder = settings.home / "reports" / bundle.product
    stem = f"monitor-{iso(now)}-{bundle.version[-10:]}"
    drift_page = None
    if evidently and len(window) >= 2:
        stage("render Evidently's page")
        shown = [item.name for item in most_moved(found.features)[: bounds.evidently_columns]]
        drift_page = _evidently(window, reference.values, bundle, shown, settings, folder / f"{stem}-evidently.html")
    report = Report(
        product=bundle.product,
        model=bundle.version,
        now=iso(now),
        window=described(window),
        verdict=found.verdict,
        findings=found.findings,
        score=found.score,
        features=tuple(most_moved(found.features)) if len(window) else (),
        performance=found.performance,
        page=folder / f"{stem}.html",
        evidently_page=drift_page,
        level=found.level,
        power=found.power,
        money=found.money,
        budget=budget_of(bounds).told,
    )
    page.write(report, page.plots(report, window, judged, reference, found.outcomes), to_json(report))
    return report


def record(report: Report, ledger: Ledger, at: str) -> None:
    """The verdict goes into the ledger, with the numbers it rests on and the SHA-256 of the memo."""
    body = {
        "model": report.model,
        "now": report.now,
        "window": report.window,
        "remedy": report.verdict.remedy,
        "evidence": list(report.verdict.evidence),
        "score_psi": report.score.psi,
        "red_findings": sum(finding.level == "red" for finding in report.findings),
        "at_stake": report.money.effects[0].at_stake.value if report.money and report.money.effects else 0.0,
        "page_sha256": file_digest(report.page),
        "memo_sha256": file_digest(report.page.with_suffix(".json")),
    }
    entry = Entry(f"verdict-{report.product}-{at}", "verdict", report.product, report.model, at, canonical(body))
    ledger.append([entry])


def to_json(report: Report) -> dict[str, object]:
    """The report as JSON values; what is not finite is null."""
    values = {
        **asdict(report),
        "page": str(report.page),
        "evidently_page": str(report.evidently_page or ""),
        "told": report.verdict.told,
    }
    return msgspec.json.decode(msgspec.json.encode(values))


def _suspects(findings: Sequence[Finding], moved: Sequence[Stability], bundle: Bundle) -> list[str]:
    """Features that failed a check or moved beyond chance, in the model's order."""
    named = {finding.subject for finding in findings} | {item.name for item in moved if item.moved}
    return [name for name in bundle.program.names if name in named]


def _money(
    window: Window,
    reference: Reference,
    bundle: Bundle,
    product: Product | None,
    suspects: list[str],
    settings: Settings,
) -> Money | None:
    """The drift in money; None where there is no policy that fits the model: a verdict does not need one."""
    try:
        policy = load_product(bundle.product, settings.home) if product is None else product
        return drift_in_money(
            window, reference, bundle, policy, suspects, settings.monitoring, settings.training.threads
        )
    except ConfigError as error:
        log.warning("drift in money is left out: %s", error)
        return None


def _level(window: Window, outcomes: np.ndarray, bundle: Bundle) -> Level | None:
    known = outcomes >= 0
    if not known.any():
        return None
    slope = _interval(bundle.validation["calibration_slope"])
    taught_by = int(bundle.training["parts"]["train"]["defaults"])
    return level_of(window.default_probability[known], outcomes[known] == 1, slope, taught_by)


def _interval(told: Mapping[str, float | None]) -> Interval:
    """As JSON keeps it: a bound that is not finite is null."""
    low, high = told["low"], told["high"]
    return Interval(float(told["value"] or 0.0), -np.inf if low is None else low, np.inf if high is None else high)


def _promise(bundle: Bundle) -> Promise:
    told = bundle.validation
    return Promise(_interval(told["auc"]), told["defaults"], told["defaults"] / told["rows"])


def _evidently(
    window: Window, then: np.ndarray, bundle: Bundle, names: Sequence[str], settings: Settings, path: Path
) -> Path | None:
    """Evidently's page of the columns `names`; None where it has nothing to compare or fails: it illustrates, and may
    not cost a verdict.
    """
    from monitoring.telling.render import evidently_page  # takes seconds to import

    rows, seed = settings.monitoring.evidently_rows, settings.training.seed
    try:
        places = [bundle.program.names.index(name) for name in names]
        shown = evidently_page(names, window.values[:, places], then[:, places], rows, seed, path)
    except Exception:  # whatever a third party's statistics trip over
        log.exception("Evidently could not render its page")
        return None
    return path if shown else None
