"""How a version was judged: the reports on validation, on fairness, and on what its decisions rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from governance.artefact import Artefact, Table, interval, listed, recorded, stated, table
from governance.facts import Facts

_ROWS, _QUANTILES, _FEATURES = 300, (0.05, 0.25, 0.5, 0.75, 0.95), 10


def validation_report(facts: Facts) -> Artefact:
    """4: every test with value, interval, light and threshold; the scorecard and the champion beside it."""
    found, training = facts.bundle.validation, facts.bundle.training
    scorecard = training.get("scorecard") or {}
    gate, tests = training["gate"], found.get("tests") or []
    lights = {light: sum(one.get("light") == light for one in tests) for light in ("red", "amber", "green", "grey")}
    fields = (
        *recorded("bundle: validation.json", rows=found.get("rows"), defaults=found.get("defaults")),
        *recorded(
            "bundle: validation.json",
            auc=interval(found.get("auc")),
            gini=found.get("gini"),
            ks=found.get("ks"),
            brier=found.get("brier"),
            log_loss=found.get("log_loss"),
            calibration_slope=interval(found.get("calibration_slope"), 3),
            observed_to_expected=interval(found.get("observed_to_expected"), 3),
        ),
        *recorded(
            "bundle: training.json",
            auc_minus_champion=interval(training.get("auc_against_champion")),
            auc_minus_scorecard=interval(scorecard.get("model_minus_scorecard")),
            better_than_scorecard=scorecard.get("model_is_better"),
            gate_passed=gate["passed"],
            monotone_proved=(training.get("monotone") or {}).get("holds"),
        ),
        *recorded("bundle: validation.json", tests=len(tests) or None, **lights),
        *stated(facts.product.governance, "restrictions", "known_failures"),
    )
    return Artefact(
        4,
        "validation_report",
        "Validation report",
        "Every number can be derived again: creditloop models verify. Lights are policy, not regulation.",
        fields,
        (
            listed("Tests", "bundle: validation.json", map(_without_basis, tests)),
            listed("Gate", "bundle: training.json", gate["checks"]),
            listed("Grades", "bundle: validation.json", found.get("grades")),
            listed("Vintages", "bundle: validation.json", found.get("vintages")),
            listed("Segments", "bundle: validation.json", found.get("segments")),
            listed("Sensitivity", "bundle: validation.json", found.get("sensitivity")),
            listed("Swap sets", "bundle: validation.json", found.get("swap_sets")),
            listed("The declined, as a band", "bundle: training.json", _table_of(training.get("reject_inference"))),
        ),
    )


def fairness_report(facts: Facts) -> Artefact:
    """5: groups compared, what tells them apart, and the other models there would have been."""
    training = facts.bundle.training
    fairness, others = training.get("fairness") or {}, training.get("alternatives") or {}
    shown = others.get("must_be_shown")
    told = "Groups compared on the test rows; the screens are policy, not regulation."
    if not fairness:
        told = "Nothing was measured: the product has no table `protected`, so no group is known (docs/fairness.md)."
    return Artefact(
        5,
        "fairness_report",
        "Fairness report",
        told,
        recorded(
            "bundle: training.json, fairness",
            measured=bool(fairness),
            light=fairness.get("light"),
            alternatives_that_must_be_shown=", ".join(map(str, shown)) if shown else None,
        ),
        (
            listed("By group", "bundle: training.json, fairness", _table_of(fairness)),
            listed("How well the features tell a group apart", "bundle: training.json", fairness.get("proxies")),
            listed("Less discriminatory alternatives", "bundle: training.json", _table_of(others)),
        ),
    )


def _without_basis(test: Mapping[str, Any]) -> dict[str, Any]:
    """The page says once what every test would repeat."""
    return {key: value for key, value in test.items() if key != "basis"}


def _table_of(found: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return list((found or {}).get("table") or ())


def explainability(facts: Facts) -> Artefact:
    """6: which features move scores, how PD follows each, and what customers are told of them."""
    values, names = _reference(facts), facts.bundle.program.names
    weight = np.abs(facts.bundle.booster.predict(values, pred_contrib=True, num_threads=1))[:, :-1].mean(axis=0)
    strongest = np.argsort(-weight, kind="stable")[:_FEATURES]
    said = {one.name: one for one in facts.bundle.program.features}
    importance = [(names[place], round(float(weight[place]), 5), said[names[place]].reason) for place in strongest]
    groups, noise = measured_reasons(facts.bundle.training.get("reasons"))
    source = f"computed from {len(values):,} reference rows"
    return Artefact(
        6,
        "explainability",
        "Explainability",
        "Contributions are TreeSHAP, exact; each decision keeps its own, and a replay derives them again.",
        recorded(
            "bundle: training.json, reasons",
            method="TreeSHAP (Lundberg et al., 2020)",
            reasons_grouped=groups,
            noise_measured=noise,
        ),
        (
            table("Mean absolute contribution", source, ("feature", "log-odds", "customer is told"), importance),
            _profiles(facts, values, strongest),
            listed("What moving a feature does", "bundle: validation.json", facts.bundle.validation.get("sensitivity")),
        ),
    )


def measured_reasons(found: Mapping[str, Any] | None) -> tuple[int | None, bool]:
    """How many reasons there are, and whether refits told what of them is noise, by section `reasons` of a version."""
    told = found or {}
    return (len(told["groups"]) if told.get("groups") else None), any(least > 0 for least in told.get("least", ()))


def _reference(facts: Facts) -> np.ndarray:
    frame = facts.bundle.reference()[list(facts.bundle.program.names)]
    step = max(1, len(frame) // _ROWS)
    return np.ascontiguousarray(frame.to_numpy(np.float64)[::step][:_ROWS])


def _profiles(facts: Facts, values: np.ndarray, strongest: np.ndarray) -> Table:
    """Mean PD when a feature is set to a quantile of its own, every other as it is (Friedman, 2001)."""
    rows = []
    for place in strongest.tolist():
        known = values[~np.isnan(values[:, place]), place]
        if not len(known):
            continue
        points = np.quantile(known, _QUANTILES, method="nearest")
        mean = [_mean_pd(facts, values, place, float(point)) for point in points]
        rows.append((facts.bundle.program.names[place], *(round(one, 5) for one in mean)))
    columns = ("feature", *(f"PD at its {quantile:.0%} quantile" for quantile in _QUANTILES))
    return Table("Partial dependence", f"computed from {len(values):,} reference rows", columns, tuple(rows))


def _mean_pd(facts: Facts, values: np.ndarray, place: int, point: float) -> float:
    moved = values.copy()
    moved[:, place] = point
    return float(facts.bundle.default_probability(moved).mean())
