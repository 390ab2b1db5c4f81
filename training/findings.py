"""The tests of a validation report with their lights: does a model rank, are its PDs as high as the default rates?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from configs.settings import ValidationPolicy
from training import backtests, ratings, reliability
from training.lights import Finding, Light, at_least, at_most, by_p, finding, p_finding
from training.segments import Slice
from training.validate import Interval, Validation


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows that taught the model nothing, what it said of them, and the grades of its training rows, told out of fold.

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
    def p_bounds(self) -> tuple[float, float]:
        """The p-values below which a test is amber and red."""
        return self.policy.p_amber, self.policy.p_red

    @property
    def rows(self) -> np.ndarray:
        """Rows by grade."""
        return np.array([grade.rows for grade in self.numbers.grades])

    @property
    def defaults(self) -> np.ndarray:
        """Defaults by grade."""
        return np.array([grade.defaults for grade in self.numbers.grades])


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
    policy, auc, group = judged.policy, judged.numbers.auc, "discrimination"
    initial, _ = ratings.auc_of_grades(judged.initial_rows, judged.initial_defaults)
    current, variance = ratings.auc_of_grades(judged.rows, judged.defaults)
    _, fall_p = ratings.auc_fall(initial, current, variance)
    tau, tau_p = ratings.kendall_tau(judged.rows, judged.defaults)
    skill = reliability.brier_skill(judged.default_probability, judged.bad)
    bounds = {"amber": policy.auc_amber, "red": policy.auc_red}
    auc_light, ranks = at_least(auc.value, **bounds), at_least(tau, 0, 0)
    fall_told = f"AUC of the grades {current:.4f}, at initial validation (training rows, out of fold) {initial:.4f}"
    tau_told = f"rank correlation of grade and default rate {tau:.2f}; 1 where every worse grade defaults more"
    skill_told = f"the Brier score is {100 * skill:.1f} % below that of the default rate told to all"
    ecb = "ECB (2019), 2.5.4.1"
    return [
        finding("auc", group, auc_light, auc, f"AUC {told(auc)}", "DeLong et al. (1988)", **bounds),
        p_finding("auc_against_initial", group, current, fall_p, judged.p_bounds, fall_told, ecb),
        finding("kendall_tau", group, ranks, tau, tau_told, "Kendall (1945), tau-b", p=tau_p, red=0.0),
        finding("brier_skill", group, at_least(skill, 0, 0), skill, skill_told, "Murphy (1973)", red=0.0),
    ]


def level(judged: Judged, tests: tuple[GradeTests, ...], vintages: tuple[Slice, ...]) -> list[Finding]:
    """Are the PDs as high as the default rates? For all rows, by grade and over periods."""
    policy, rows, bad = judged.policy, len(judged.bad), int(judged.bad.sum())
    mean, rate = float(judged.default_probability.mean()), float(judged.bad.mean())
    jeffreys, binomial = backtests.jeffreys_p(mean, bad, rows), backtests.binomial_p(mean, bad, rows)
    one_factor = backtests.vasicek_p(mean, rate, policy.asset_correlation)
    held = [test.jeffreys_holm_p for test in tests if not math.isnan(test.jeffreys_holm_p)]
    least = min(held, default=math.nan)
    rates, pds = np.array([v.defaults / v.rows for v in vintages]), np.array([v.mean_pd for v in vintages])
    z, periods = backtests.normal_test(rates, pds, policy.minimum_periods)
    ratio, bounds = judged.numbers.observed_to_expected, judged.p_bounds
    traffic = (policy.traffic_amber, policy.traffic_red)
    said = f"default rate {rate:.4f}, mean PD {mean:.4f}"
    correlated = f"{said}, defaults correlated ({policy.asset_correlation:g})"
    months = f"{len(vintages)} months, {policy.minimum_periods} needed; overlapping outcome windows make p too small"
    ecb, basel, factor = "ECB (2019), 2.5.3.1", "Basel WP14 (2005)", "Vasicek (2002), Basel CRE31"
    return [
        p_finding("jeffreys_portfolio", "level", ratio, jeffreys, bounds, f"{said}: small p, PDs too low", ecb),
        p_finding("jeffreys_grades", "level", least, least, bounds, "smallest p of a grade, by Holm", ecb),
        p_finding("binomial_portfolio", "level", rate, binomial, bounds, f"{said}, rows independent", basel),
        p_finding("vasicek_portfolio", "level", rate, one_factor, traffic, correlated, factor),
        p_finding("normal_periods", "level", z, periods, bounds, months, basel),
    ]


def shape(judged: Judged) -> list[Finding]:
    """Are the PDs right row by row? Hosmer-Lemeshow, Spiegelhalter, the calibration line, the calibration error."""
    policy, pds, bad, group = judged.policy, judged.default_probability, judged.bad, "shape"
    bins = reliability.curve(pds, bad, policy.calibration_bins)
    columns = (np.array([getattr(one, name) for one in bins]) for name in ("rows", "defaults", "mean_pd"))
    chi_squared, hosmer_p = backtests.hosmer_lemeshow(*columns)
    z, z_p = backtests.spiegelhalter(pds, bad)
    many = f"with {len(bad):,} rows; many rows find the smallest gap"
    hosmer = "Hosmer and Lemeshow (1980), out of sample"
    return [
        p_finding(
            "hosmer_lemeshow", group, chi_squared, hosmer_p, judged.p_bounds, f"{len(bins)} groups {many}", hosmer
        ),
        p_finding("spiegelhalter", group, z, z_p, judged.p_bounds, f"z {many}", "Spiegelhalter (1986)"),
        *_line(judged.numbers, policy),
        _error(judged),
    ]


def _line(numbers: Validation, policy: ValidationPolicy) -> list[Finding]:
    slope, intercept, band = numbers.calibration_slope, numbers.calibration_intercept, policy.slope
    outside = slope.high < band.low or slope.low > band.high
    slope_light: Light = "red" if outside else "green" if slope.low <= 1 <= slope.high else "amber"
    intercept_light: Light = "green" if intercept.low <= 0 <= intercept.high else "amber"
    slope_told = f"slope {told(slope)}, ideal 1; red beyond {band.low:g} to {band.high:g}"
    read = f"intercept {told(intercept)}, ideal 0; read with the slope"
    return [
        finding("calibration_slope", "shape", slope_light, slope, slope_told, "Cox (1958)", amber=1.0),
        finding("calibration_intercept", "shape", intercept_light, intercept, read, "Cox (1958)", amber=0.0),
    ]


def _error(judged: Judged) -> Finding:
    policy, pds = judged.policy, judged.default_probability
    bins, draws, seed = policy.calibration_bins, policy.bootstrap_draws, policy.seed
    error = reliability.expected_calibration_error(pds, judged.bad, judged.customer, bins, draws, seed)
    mean = float(pds.mean())
    bounds = {"amber": policy.calibration_error_amber * mean, "red": policy.calibration_error_red * mean}
    light = at_most(error.low, **bounds)
    source = "Nguyen and O'Connor (2015), bootstrap by customer"
    return finding("calibration_error", "shape", light, error, f"mean gap {told(error)}", source, **bounds)


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


def told(estimate: Interval) -> str:
    """An estimate with its interval in words."""
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
