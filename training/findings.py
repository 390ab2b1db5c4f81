"""The tests of a validation report with their lights: discrimination, calibration, stability; policy, no rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from configs.settings import ValidationPolicy
from training import backtests, ratings, reliability
from training.lights import Finding, Light, at_least, at_most, by_p, finding, worst
from training.psi import chance_bound, psi
from training.segments import Slice
from training.swap import SwapSet, worse_p
from training.validate import Interval, Validation


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows that taught the model nothing, what it said of them, and the grades of the rows that calibrated it.

    `grade` is (rows,); `initial_rows` and `initial_defaults` are by grade, best to worst.
    """

    default_probability: np.ndarray
    bad: np.ndarray
    customer: np.ndarray
    as_of: np.ndarray
    grade: np.ndarray
    numbers: Validation
    initial_rows: np.ndarray
    initial_defaults: np.ndarray
    policy: ValidationPolicy

    @property
    def rows(self) -> np.ndarray:
        """Rows by grade."""
        return np.array([grade.rows for grade in self.numbers.grades])

    @property
    def defaults(self) -> np.ndarray:
        """Defaults by grade."""
        return np.array([grade.defaults for grade in self.numbers.grades])


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a feature moved between the rows that trained and the rows that judge, and how far chance moves it."""

    feature: str
    psi: float
    bound: float
    light: Light


@dataclass(frozen=True, slots=True)
class GradeTests:
    """A grade's tests: Holm-adjusted Jeffreys p, binomial p, the one-factor test's p and rate bound, and the light.

    `light` is that of the adjusted Jeffreys test, `traffic` the traffic light of the one-factor test (OeNB, 2004).
    """

    jeffreys_holm_p: float
    binomial_p: float
    vasicek_p: float
    vasicek_bound: float
    traffic: Light
    light: Light


def discrimination(judged: Judged) -> list[Finding]:
    """Does the model rank? AUC, its fall since initial validation, grades against default rates, Brier skill."""
    policy, numbers = judged.policy, judged.numbers
    initial, _ = ratings.auc_of_grades(judged.initial_rows, judged.initial_defaults)
    current, variance = ratings.auc_of_grades(judged.rows, judged.defaults)
    _, fall_p = ratings.auc_fall(initial, current, variance)
    tau, tau_p = ratings.kendall_tau(judged.rows, judged.defaults)
    skill = reliability.brier_skill(judged.default_probability, judged.bad)
    bounds = {"amber": policy.auc_amber, "red": policy.auc_red}
    tests = {"amber": policy.p_amber, "red": policy.p_red}
    auc_told = f"AUC {_told(numbers.auc)}"
    fall_told = f"AUC of the grades {current:.4f}, at initial validation (rows that calibrated) {initial:.4f}"
    skill_told = f"the Brier score is {100 * skill:.1f} % below that of the default rate told to all"
    group = "discrimination"
    return [
        finding("auc", group, at_least(numbers.auc.value, **bounds), numbers.auc, auc_told, "DeLong (1988)", **bounds),
        finding(
            "auc_against_initial",
            group,
            by_p(fall_p, **tests),
            current,
            fall_told,
            "ECB (2019), 2.5.4.1",
            p=fall_p,
            **tests,
        ),
        finding(
            "kendall_tau",
            group,
            "grey" if math.isnan(tau) else "green" if tau > 0 else "red",
            tau,
            f"rank correlation of grade and default rate {tau:.2f}; 1 where every worse grade defaults more",
            "Kendall (1945), tau-b",
            p=tau_p,
            red=0.0,
        ),
        finding("brier_skill", group, at_least(skill, 0, 0), skill, skill_told, "Murphy (1973)", red=0.0),
    ]


def level(judged: Judged, tests: tuple[GradeTests, ...], vintages: tuple[Slice, ...]) -> list[Finding]:
    """Are the PDs as high as the default rates? For all rows, by grade and over periods."""
    policy, rows, bad = judged.policy, len(judged.bad), int(judged.bad.sum())
    mean, rate = float(judged.default_probability.mean()), float(judged.bad.mean())
    p_bounds = {"amber": policy.p_amber, "red": policy.p_red}
    traffic = {"amber": policy.traffic_amber, "red": policy.traffic_red}
    jeffreys, binomial = backtests.jeffreys_p(mean, bad, rows), backtests.binomial_p(mean, bad, rows)
    vasicek = backtests.vasicek_p(mean, rate, policy.asset_correlation)
    held = [test.jeffreys_holm_p for test in tests if not math.isnan(test.jeffreys_holm_p)]
    grades_p = min(held, default=math.nan)
    rates = np.array([one.defaults / one.rows for one in vintages])
    z, periods_p = backtests.normal_test(rates, np.array([one.mean_pd for one in vintages]), policy.minimum_periods)
    ratio = judged.numbers.observed_to_expected
    told = f"default rate {rate:.4f}, mean PD {mean:.4f}"
    measured: list[tuple[str, float | Interval, float, Mapping[str, float], str, str]] = [
        ("jeffreys_portfolio", ratio, jeffreys, p_bounds, f"{told}: small p, PDs too low", "ECB (2019), 2.5.3.1"),
        (
            "jeffreys_grades",
            grades_p,
            grades_p,
            p_bounds,
            "smallest of the grades, by Holm",
            "ECB (2019), 2.5.3.1",
        ),
        ("binomial_portfolio", rate, binomial, p_bounds, f"{told}, rows independent", "Basel WP14 (2005)"),
        (
            "vasicek_portfolio",
            rate,
            vasicek,
            traffic,
            f"{told}, defaults correlated ({policy.asset_correlation:g})",
            "Vasicek (2002), Basel CRE31",
        ),
        (
            "normal_periods",
            z,
            periods_p,
            p_bounds,
            f"{len(vintages)} months, {policy.minimum_periods} needed; overlapping outcome windows make p too small",
            "Basel WP14 (2005)",
        ),
    ]
    return [
        finding(name, "level", by_p(p, **bounds), value, words, source, p=p, **bounds)
        for name, value, p, bounds, words, source in measured
    ]


def shape(judged: Judged) -> list[Finding]:
    """Are the PDs right row by row? Hosmer-Lemeshow, Spiegelhalter, the calibration line, the calibration error."""
    policy, numbers, pds, bad = judged.policy, judged.numbers, judged.default_probability, judged.bad
    bins = reliability.curve(pds, bad, policy.calibration_bins)
    columns = (np.array([getattr(one, name) for one in bins]) for name in ("rows", "defaults", "mean_pd"))
    hosmer, hosmer_p = backtests.hosmer_lemeshow(*columns)
    z, z_p = backtests.spiegelhalter(pds, bad)
    error = reliability.expected_calibration_error(
        pds, bad, judged.customer, policy.calibration_bins, policy.bootstrap_draws, policy.seed
    )
    mean = float(pds.mean())
    amber, red = policy.calibration_error_amber * mean, policy.calibration_error_red * mean
    tests = {"amber": policy.p_amber, "red": policy.p_red}
    slope, intercept, band = numbers.calibration_slope, numbers.calibration_intercept, policy.slope
    outside = slope.high < band.low or slope.low > band.high
    many = f"with {len(bad):,} rows; many rows find the smallest gap"
    error_told = f"mean gap of default rate and PD {_told(error)}"
    slope_light: Light = "red" if outside else "green" if slope.low <= 1 <= slope.high else "amber"
    intercept_light: Light = "green" if intercept.low <= 0 <= intercept.high else "amber"
    line = "Cox (1958)"
    return [
        finding(
            "hosmer_lemeshow",
            "shape",
            by_p(hosmer_p, **tests),
            hosmer,
            f"chi-squared over {len(bins)} groups {many}",
            "Hosmer and Lemeshow (1980), out of sample",
            p=hosmer_p,
            **tests,
        ),
        finding("spiegelhalter", "shape", by_p(z_p, **tests), z, f"z {many}", "Spiegelhalter (1986)", p=z_p, **tests),
        finding("calibration_slope", "shape", slope_light, slope, f"slope {_told(slope)}, ideal 1", line, amber=1.0),
        finding(
            "calibration_intercept",
            "shape",
            intercept_light,
            intercept,
            f"intercept {_told(intercept)}, ideal 0; read with the slope",
            line,
            amber=0.0,
        ),
        finding(
            "calibration_error",
            "shape",
            at_most(error.low, amber, red),
            error,
            error_told,
            "Nguyen and O'Connor (2015), bootstrap by customer",
            amber=amber,
            red=red,
        ),
    ]


def grade_tests(judged: Judged) -> tuple[GradeTests, ...]:
    """The tests of each grade; those of an empty grade are missing."""
    policy, grades = judged.policy, judged.numbers.grades
    adjusted = backtests.holm(np.array([grade.jeffreys_p for grade in grades]))
    made = []
    for grade, held in zip(grades, adjusted.tolist(), strict=True):
        if not grade.rows:
            made.append(GradeTests(math.nan, math.nan, math.nan, math.nan, "grey", "grey"))
            continue
        one_factor = backtests.vasicek_p(grade.mean_pd, grade.default_rate, policy.asset_correlation)
        made.append(
            GradeTests(
                jeffreys_holm_p=held,
                binomial_p=backtests.binomial_p(grade.mean_pd, grade.defaults, grade.rows),
                vasicek_p=one_factor,
                vasicek_bound=backtests.vasicek_bound(
                    grade.mean_pd, policy.asset_correlation, 1 - policy.traffic_amber
                ),
                traffic=by_p(one_factor, policy.traffic_amber, policy.traffic_red),
                light=by_p(held, policy.p_amber, policy.p_red),
            )
        )
    return tuple(made)


def drift(name: str, now: np.ndarray, then: np.ndarray, policy: ValidationPolicy) -> Drift:
    """The PSI of counts (bins,): amber or red only beyond what chance explains."""
    value, bound = psi(now, then), chance_bound(now, then, policy.psi_confidence)
    light = "green" if value <= bound else at_most(value, policy.psi_amber, policy.psi_red)
    return Drift(name, value, bound, light)


def stability(judged: Judged, migration: np.ndarray, drifts: tuple[Drift, ...]) -> list[Finding]:
    """Does it stay what it was? Score and features against the past, migration, concentration."""
    policy = judged.policy
    score = drift("grades", judged.rows, judged.initial_rows, policy)
    moved = max(drifts, key=lambda one: one.psi, default=None)
    psi_bounds = {"amber": policy.psi_amber, "red": policy.psi_red}
    tests = {"amber": policy.p_amber, "red": policy.p_red}
    _, migration_p = ratings.migration_z(migration)
    held = backtests.holm(migration_p.ravel())
    unstable = math.nan
    if migration.sum() >= policy.minimum_rows and not np.isnan(held).all():
        unstable = float(np.nanmin(held))
    crowded = ratings.herfindahl(judged.rows)
    rise = ratings.concentration_rise(judged.initial_rows, judged.rows)
    source = "Yurdakul (2018) for the bound"
    told = f"chance alone gives up to {score.bound:.3f}"
    made = [finding("psi_grades", "stability", score.light, score.psi, told, source, **psi_bounds)]
    if moved is not None:
        lit = worst([one.light for one in drifts])
        told = f"most moved: {moved.feature}; chance alone gives up to {moved.bound:.3f}"
        made.append(finding("psi_features", "stability", lit, moved.psi, told, source, **psi_bounds))
    ecb = "ECB (2019), 2.5.5"
    moves = f"{int(migration.sum()):,} customers with two dates; small p: far moves likelier than near ones"
    concentration = {"amber": policy.concentration, "red": 1.0}
    return [
        *made,
        finding("migration", "stability", by_p(unstable, **tests), unstable, moves, f"{ecb}.2", p=unstable, **tests),
        finding(
            "concentration",
            "stability",
            at_most(crowded, **concentration),
            crowded,
            "Herfindahl index of the grades, 0 even, 1 all in one",
            f"{ecb}.3",
            **concentration,
        ),
        finding(
            "concentration_rise", "stability", by_p(rise, **tests), rise, "against initial", f"{ecb}.3", p=rise, **tests
        ),
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
    bounds = {"amber": policy.p_amber, "red": policy.p_red}
    value = newly.default_rate
    return finding("swap_set", "champion", by_p(p, **bounds), value, told, "Fisher (1935)", p=p, **bounds)


def _told(estimate: Interval) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
