"""The evidence of training.json as sections of the validation page; nothing is computed, only told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scipy.special import logit

from training import seeds
from training.bundle import Bundle
from training.interval import uncertainty_from_json
from training.lights import Light
from training.report import Section, Table, scorecard_section
from training.validate import Interval

_STATES = ("good", "bad", "indeterminate", "in_default", "unobserved", "immature")
_BY_GROUP = (
    "attribute",
    "group",
    "rows",
    "light",
    "approved",
    "impact ratio",
    "p",
    "gap among goods",
    "gap among bads",
    "score difference",
    "observed / expected",
    "AUC",
)
_ALTERNATIVE = (
    "attribute",
    "model",
    "AUC",
    "AUC minus chosen",
    "approved",
    "impact ratio",
    "nearer to 1 by",
    "on the front",
    "must be shown",
)
_SPREAD = {
    "refits": "refits",
    "grades_moved": "grades moved",
    "grades_moved_far": "by more than one",
    "first_reason_kept": "first reason kept",
    "pd_deviation": "deviation of PD",
    "points_deviation": "of points",
    "auc_deviation": "of AUC",
}
_PDS = (0.01, 0.02, 0.05, 0.10, 0.20)
_METHOD = ("method", "assumes", "default rate of all", "AUC")
_LIGHTS: dict[str, Light] = {"green": "green", "amber": "amber", "red": "red"}


def sections(bundle: Bundle) -> dict[str, Section]:
    """A section for each part of the evidence the version holds, by name."""
    evidence = bundle.training
    told = {
        "scorecard": lambda: _scorecard(bundle.validation, evidence["scorecard"]),
        "certificate": lambda: _certificate(evidence["monotone"]),
        "leakage": lambda: _leakage(evidence["leakage"]),
        "outcomes": lambda: _outcomes(evidence["outcomes"]),
        "training_window": lambda: _window(evidence["training_window"]),
        "calibration": lambda: _calibration(evidence["calibration"]),
        "pd_interval": lambda: _pd_interval(evidence["pd_interval"]),
        "seed_stability": lambda: _seed_stability(evidence["seed_stability"]),
        "fairness": lambda: _fairness(evidence["fairness"]),
        "alternatives": lambda: _alternatives(evidence["alternatives"]),
        "reject_inference": lambda: _rejects(evidence["reject_inference"]),
    }
    held = {"certificate": "monotone"}
    return {name: make() for name, make in told.items() if evidence.get(held.get(name, name)) is not None}


def _scorecard(validation: Mapping[str, Any], found: Mapping[str, Any]) -> Section:
    section = scorecard_section(
        Interval(**validation["auc"]),
        Interval(**found["validation"]["auc"]),
        Interval(**found["model_minus_scorecard"]),
    )
    columns = ("feature", "holds", "points", "woe", "rows", "defaults")
    points = _table("Points of the scorecard: a customer's are their sum", columns, found["table"])
    return Section(section.title, section.told, section.light, section.on_first_page, (*section.tables, points))


def _certificate(found: Mapping[str, Any]) -> Section:
    findings = found["findings"]
    proved = sum(finding["proved"] for finding in findings)
    rows = tuple(
        (f["feature"], f["risk"], "proved" if f["proved"] else "not proved", f["violation"] and f["violation"]["size"])
        for f in findings
    )
    table = Table(found["about"], ("feature", "risk", "from the trees", "worst violation, log-odds"), rows)
    told = f"{proved} of {len(findings)} declared directions of risk are proved from the {found['trees']} trees"
    light: Light = "green" if found["holds"] else "red"
    return Section("Certificate of monotonicity", told, light, not found["holds"], (table,))


def _leakage(found: Sequence[Mapping[str, Any]]) -> Section:
    red = sum(finding["severity"] == "red" for finding in found)
    table = _table("What was looked into", ("check", "severity", "told", "measured", "bound"), found)
    light: Light = "red" if red else "amber" if found else "green"
    told = f"{len(found)} suspicions, {red} of them red" if found else "Nothing that looks like leakage"
    return Section("Leakage", told, light, bool(red), (table,) if found else ())


def _outcomes(clock: Mapping[str, Any]) -> Section:
    told = ", ".join(f"{clock[state]:,} {state.replace('_', ' ')}" for state in _STATES)
    told += f"; the product's definition overrules the lender's flag in {clock['redefined']:,}"
    table = _table("By month asked", ("month", *_STATES), clock["vintages"])
    return Section("Outcomes by the label clock", told, "grey", False, (table,))


def _window(found: Mapping[str, Any]) -> Section:
    rows = [
        {**one, "months back": one["months"] or "all", "taken": "yes" if one["since"] == found["since"] else ""}
        for one in found["tried"]
    ]
    columns = ("months back", "since", "taken", "rows", "defaults", "log_loss", "worse_by", "standard_error")
    told = f"Outcomes asked about since {found['since']}"
    told += ": the longest look back that foretells the newest as well as the best" if rows else ": all there are"
    table = _table("Ways to look back, by the log-loss of the newest outcomes out of fold", columns, rows)
    return Section("How far back it learnt", told, "grey", False, (table,) if rows else ())


def _calibration(found: Mapping[str, Any]) -> Section:
    chosen = found["calibration"]["kind"]
    rows = [{**one, "chosen": "yes" if one["kind"] == chosen else ""} for one in found["candidates"]]
    told = f"{chosen}: the simplest that is as good as the best, out of sample"
    if found["long_run_default_rate"] is not None:
        told += f"; moved to the long-run default rate {found['long_run_default_rate']:g}"
    table = _table("Candidates", ("kind", "chosen", "log_loss", "worse_by", "standard_error"), rows)
    return Section("Calibration", told, "grey", False, (table,) if rows else ())


def _pd_interval(found: Mapping[str, Any]) -> Section:
    band = uncertainty_from_json(found)
    assert band is not None
    told = (
        f"At {band.confidence:.0%}, from {band.rows:,} rows of {band.customers:,} customers; vintages differed "
        f"by {band.economy_found:.3f} in log-odds beyond chance, the answers count with "
        f"{band.economy_spread:.3f}"
    )
    rows = []
    for pd in _PDS:
        sampling, whole = band.of_sampling().around(float(logit(pd))), band.around(float(logit(pd)))
        rows.append((f"{pd:.0%}", sampling.low, sampling.high, whole.low, whole.high))
    columns = ("PD", "sampling alone, from", "to", "with the economy, from", "to")
    table = Table("Default rate of customers who score alike", columns, tuple(rows))
    return Section("Intervals of PDs", told, "grey", False, (table,))


def _seed_stability(found: Mapping[str, Any]) -> Section:
    refits = (("the same rows, another seed", found["seeds"]), ("other draws of its customers", found["customers"]))
    rows = tuple((name, *(part[key] for key in _SPREAD)) for name, part in refits if part is not None)
    caption = "What refits of the model say otherwise, on the test rows"
    table = Table(caption, ("fitted again on", *_SPREAD.values()), rows)
    light = _LIGHTS.get(found["light"], "grey")
    told = f"{seeds.told(found)}. Policy, not regulation"
    return Section("Stability under other seeds", told, light, light == "red", (table,) if rows else ())


def _fairness(found: Mapping[str, Any]) -> Section:
    light = _LIGHTS.get(found["light"], "grey")
    told = f"Groups compared on the test rows: {found['light']}. Policy, not regulation"
    groups = _table("By group", _BY_GROUP, found["table"])
    told_by = [{**one, "told by": ", ".join(f"{name} {gain:.0%}" for name, gain in one["features"])}
               for one in found["proxies"]]  # fmt: skip
    columns = ("attribute", "group", "rows", "auc", "low", "high", "light", "told by")
    proxies = _table("How well the features tell a group apart, and by what", columns, told_by)
    return Section("Fairness", told, light, light == "red", (groups, proxies))


def _alternatives(found: Mapping[str, Any]) -> Section:
    return Section(
        "Less discriminatory alternatives",
        "Other models of the same study beside the chosen one, on training rows that none of them learnt from",
        tables=(_table("AUC against impact ratio", _ALTERNATIVE, found["table"]),),
    )


def _rejects(found: Mapping[str, Any]) -> Section:
    return Section(
        "The declined",
        "What they would have done is a band, never a number",
        tables=(_table("Default rate and AUC of all who asked", _METHOD, found["table"]),),
    )


def _table(caption: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Table:
    """The columns in this order: JSON has none."""
    titles = tuple(name.replace("_", " ") for name in columns)
    return Table(caption, titles, tuple(tuple(row[name] for name in columns) for row in rows))
