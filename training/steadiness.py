"""The tests of whether a model holds: against the past, in every part of the book, in the champion's place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from configs.settings import ValidationPolicy
from training import backtests, ratings
from training.findings import Judged
from training.lights import Finding, Light, at_most, finding, p_finding, worst
from training.psi import chance_bound, psi
from training.segments import Slice
from training.swap import SwapSet, worse_p


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a feature moved between the rows that trained and the rows that judge, and how far chance moves it."""

    feature: str
    psi: float
    bound: float
    light: Light


def drift(name: str, now: np.ndarray, then: np.ndarray, policy: ValidationPolicy) -> Drift:
    """The PSI of counts (bins,): amber or red only beyond what chance explains."""
    value, bound = psi(now, then), chance_bound(now, then, policy.psi_confidence)
    light = "green" if value <= bound else at_most(value, policy.psi_amber, policy.psi_red)
    return Drift(name, value, bound, light)


def stability(judged: Judged, migration: np.ndarray, drifts: tuple[Drift, ...]) -> list[Finding]:
    """Does it stay what it was? Grades and features against the past, migration, concentration.

    `migration` (grades, grades) are customers by first and last grade.
    """
    return [*_moved(judged, drifts), _migrated(judged, migration), *_concentrated(judged)]


def _moved(judged: Judged, drifts: tuple[Drift, ...]) -> list[Finding]:
    grades = drift("grades", judged.rows, judged.initial_rows, judged.policy)
    bounds = {"amber": judged.policy.psi_amber, "red": judged.policy.psi_red}
    source, chance = "Yurdakul (2018) for the bound", "chance alone gives up to"
    said = f"{chance} {grades.bound:.3f}"
    made = [finding("psi_grades", "stability", grades.light, grades.psi, said, source, **bounds)]
    if drifts:
        most, light = max(drifts, key=lambda one: one.psi), worst([one.light for one in drifts])
        said = f"most moved: {most.feature}; {chance} {most.bound:.3f}"
        made.append(finding("psi_features", "stability", light, most.psi, said, source, **bounds))
    return made


def _migrated(judged: Judged, migration: np.ndarray) -> Finding:
    held = backtests.holm(ratings.migration_z(migration)[1].ravel())
    enough = migration.sum() >= judged.policy.minimum_rows and not np.isnan(held).all()
    least = float(np.nanmin(held)) if enough else math.nan
    said = f"{int(migration.sum()):,} customers with two dates; small p: far moves likelier than near ones"
    return p_finding("migration", "stability", least, least, judged.p_bounds, said, "ECB (2019), 2.5.5.2")


def _concentrated(judged: Judged) -> list[Finding]:
    crowded = ratings.herfindahl(judged.rows)
    rise = ratings.concentration_rise(judged.initial_rows, judged.rows)
    amber, ecb = judged.policy.concentration, "ECB (2019), 2.5.5.3"
    light: Light = "amber" if crowded > amber else "green"
    said = "Herfindahl index of the grades, 0 even, 1 all in one"
    grew = "variation of the grades' shares against initial validation; small p: more concentrated now"
    now = ratings.variation(judged.rows)
    return [
        finding("concentration", "stability", light, crowded, said, ecb, amber=amber),
        p_finding("concentration_rise", "stability", now, rise, judged.p_bounds, grew, ecb),
    ]


def slices(name: str, parts: tuple[Slice, ...], policy: ValidationPolicy) -> Finding:
    """One light for many slices: the worst of them, naming those that are not green."""
    odd = [part for part in parts if part.light in ("amber", "red")]
    judged = [part for part in parts if part.light != "grey"]
    shown = "; ".join(map(_odd, odd[:5])) or "none stands out"
    told = f"of {len(judged)} with enough rows {len(odd)} off: {shown}" if odd else f"{len(judged)} judged, {shown}"
    light, count = worst([part.light for part in parts]), float(len(odd))
    source = "Holm (1979); expected AUC: van Klaveren et al. (2016)"
    return finding(name, "segments", light, count, told, source, amber=policy.p_amber, red=policy.p_red)


def _odd(part: Slice) -> str:
    auc = f"AUC {part.auc.value:.3f}, its PDs promise {part.auc_expected:.3f}" if part.auc else "no AUC"
    ratio = f"observed over expected {part.observed_to_expected.value:.2f}"
    return f"{part.column} {part.slice} ({auc}; {ratio})"


def swap(sets: tuple[SwapSet, ...], policy: ValidationPolicy) -> Finding:
    """Are the newly approved worse risks than those they replace?"""
    named = {one.name: one for one in sets}
    newly, no_more = named["newly approved"], named["no more approved"]
    p = worse_p(newly, no_more)
    told = f"{newly.rows:,} newly approved, {no_more.rows:,} no more; small p: the newly approved default more"
    bounds = (policy.p_amber, policy.p_red)
    return p_finding("swap_set", "champion", newly.default_rate, p, bounds, told, "Fisher (1935), exact test")
