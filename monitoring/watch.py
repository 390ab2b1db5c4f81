"""One run of the monitor: window in, verdict and pages out, the verdict in the ledger."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
from jinja2 import Environment, FileSystemLoader, select_autoescape
from matplotlib.figure import Figure

from configs.settings import Settings
from configs.whole import whole
from features.contracts import iso
from features.outcome import Labels
from monitoring.checks import Finding, check_window
from monitoring.outcomes import Performance, performance
from monitoring.stability import Stability, stabilities, stability
from monitoring.verdict import Verdict, judge
from monitoring.windows import Window, described
from serving.ledger import Entry, Ledger, canonical
from training.bundle import Bundle
from training.psi import counts, edges_of
from training.report import inline_svg
from training.validate import Interval

log = logging.getLogger("creditloop.monitoring")
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=select_autoescape(["html"]), trim_blocks=True
)


@dataclass(frozen=True, slots=True)
class Report:
    """What one run found, and where it is written."""

    product: str
    model: str
    now: str
    window: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    score: Stability
    features: tuple[Stability, ...]
    performance: Performance | None
    page: Path
    evidently_page: Path | None


def run(
    window: Window,
    bundle: Bundle,
    labels: Labels | None,
    settings: Settings,
    now: int,
    evidently: bool,
    stage: Callable[[str], None],
) -> Report:
    """Check, compare, judge and write the pages of one window under `settings.home`/reports."""
    bounds = settings.monitoring
    names = bundle.program.names
    reference = bundle.reference()
    then = reference[list(names)].to_numpy(np.float64)
    stage(f"check {len(window):,} rows of {len(names)} features")
    score = stability("default_probability", window.default_probability, _pds(reference), bounds)
    findings: list[Finding] = []
    moved: list[Stability] = []
    if len(window):
        findings = check_window(window, then, reference["_as_of"].to_numpy(), bundle.program.features, bounds)
        moved = stabilities(names, window.values, then, bounds)
    promised = Interval(**bundle.validation["auc"])
    known = performance(window, labels, promised) if labels is not None else None
    verdict = judge(len(window), findings, score, known, bounds)
    folder = settings.home / "reports" / bundle.product
    stem = f"monitor-{iso(now)}-{bundle.version[-10:]}"
    drift_page = None
    if evidently and len(window) >= 2:
        stage("render Evidently's page")
        drift_page = _evidently(window, then, bundle, settings, folder / f"{stem}-evidently.html")
    report = Report(
        product=bundle.product,
        model=bundle.version,
        now=iso(now),
        window=described(window),
        verdict=verdict,
        findings=tuple(findings),
        score=score,
        features=tuple(moved),
        performance=known,
        page=folder / f"{stem}.html",
        evidently_page=drift_page,
    )
    _write(report, _plots(window, then, reference, bundle, moved))
    return report


def _evidently(window: Window, then: np.ndarray, bundle: Bundle, settings: Settings, path: Path) -> Path | None:
    """Evidently's page; None where it has nothing to compare or fails: it illustrates, and may not cost a verdict."""
    from monitoring.render import evidently_page  # takes seconds to import

    rows, seed = settings.monitoring.evidently_rows, settings.training.seed
    try:
        shown = evidently_page(bundle.program.names, window.values, then, rows, seed, path)
    except Exception:  # whatever a third party's statistics trip over
        log.exception("Evidently could not render its page")
        return None
    return path if shown else None


def _pds(reference: object) -> np.ndarray:
    return reference["_default_probability"].to_numpy(np.float64)  # type: ignore[index]


def record(report: Report, ledger: Ledger, at: str) -> None:
    """The verdict goes into the ledger, with the numbers it rests on."""
    body = {
        "model": report.model,
        "now": report.now,
        "window": report.window,
        "remedy": report.verdict.remedy,
        "evidence": list(report.verdict.evidence),
        "score_psi": report.score.psi,
        "red_findings": sum(finding.level == "red" for finding in report.findings),
    }
    entry = Entry(f"verdict-{report.product}-{at}", "verdict", report.product, report.model, at, canonical(body))
    ledger.append([entry])


def to_json(report: Report) -> dict[str, object]:
    """The report as JSON values; what is not finite is null."""
    values = {**asdict(report), "page": str(report.page), "evidently_page": str(report.evidently_page or "")}
    return msgspec.json.decode(msgspec.json.encode(values))


def _write(report: Report, plots: dict[str, Figure]) -> None:
    page = _TEMPLATES.get_template("monitor.html").render(
        report=report, plots={name: inline_svg(figure) for name, figure in plots.items()}
    )
    for path, text in (
        (report.page, page),
        (report.page.with_suffix(".json"), json.dumps(to_json(report), indent=1)),
    ):
        with whole(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")


def _plots(
    window: Window, then: np.ndarray, reference: object, bundle: Bundle, moved: list[Stability]
) -> dict[str, Figure]:
    """The PDs then and now, and the two features that moved most."""
    if not len(window):
        return {}
    plots = {"PD": _compare("PD", window.default_probability, _pds(reference))}
    for item in moved[:2]:
        place = bundle.program.names.index(item.name)
        plots[item.name] = _compare(item.name, window.values[:, place], then[:, place])
    return plots


def _compare(name: str, now: np.ndarray, then: np.ndarray) -> Figure:
    edges = edges_of(then, 10)
    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    axes = figure.subplots()
    shares = [counts(side, edges) / max(1, len(side)) for side in (then, now)]
    place = np.arange(len(edges) + 2)
    axes.bar(place - 0.2, shares[0], 0.4, label="when the model was made", color="#8899aa")
    axes.bar(place + 0.2, shares[1], 0.4, label="now", color="#1f3a5f")
    labels = [f"≤ {edge:.3g}" for edge in edges] + ["above", "missing"]
    axes.set_xticks(place, labels, rotation=60, fontsize=7)
    axes.set(title=name, ylabel="share")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7)
    return figure
