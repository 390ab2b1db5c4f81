"""May this challenger be promoted? Named checks from the settings, each with its evidence. Policy, not regulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from scipy.stats import hypergeom

from configs.settings import Band, Gate
from training.monotone import Certificate
from training.validate import Interval, Validation

_SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Check:
    """One question of the gate, what was measured and what was asked for."""

    name: str
    passed: bool
    measured: float
    wanted: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer: passed only if every check did."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Plain values, `passed` included."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.checks]}


def judge(
    test: Validation,
    training_auc: float,
    against_champion: Interval | None,
    bounds: Gate,
    certificate: Certificate,
    leaks: Sequence[str],
) -> Verdict:
    """Hold a challenger's numbers on the test rows against the bounds; without a champion there is no comparison.

    `leaks` are the subjects of red findings about leakage.
    """
    overfit = Interval(*(training_auc - bound for bound in (test.auc.value, test.auc.high, test.auc.low)))
    inversion = _inversion_p(test)
    checks = [
        Check("auc", test.auc.value >= bounds.minimum_auc, test.auc.value, f"at least {bounds.minimum_auc:g}"),
        _at_most("overfit", overfit, bounds.maximum_overfit),
        _meets("calibration_slope", test.calibration_slope, bounds.calibration_slope),
        _meets("observed_to_expected", test.observed_to_expected, bounds.calibration_ratio),
        Check(
            "grades_rise",
            inversion >= _SIGNIFICANT,
            inversion,
            f"no fall of the default rate to a worse grade with p below {_SIGNIFICANT:g}",
        ),
        monotone(certificate),
        _no_leakage(leaks),
    ]
    if against_champion is not None:
        checks.append(
            Check(
                "not_worse_than_champion",
                against_champion.low >= -bounds.maximum_auc_drop,
                against_champion.low,
                f"lower 95 % bound of the AUC difference at least {-bounds.maximum_auc_drop:g}",
            )
        )
    return Verdict(tuple(checks))


def monotone(certificate: Certificate) -> Check:
    """Every declared direction is proved; measured is the worst violation found, log-odds."""
    open_ = [finding.feature for finding in certificate.findings if not finding.proved]
    wanted = "every declared direction of risk proved from the trees"
    return Check(
        "monotone",
        certificate.holds,
        certificate.worst,
        f"{wanted}; not so: {', '.join(open_)}" if open_ else wanted,
    )


def _no_leakage(leaks: Sequence[str]) -> Check:
    wanted = "no red finding about leakage"
    found = f"; found: {', '.join(leaks)}" if leaks else ""
    return Check("no_leakage", not leaks, float(len(leaks)), wanted + found)


def _at_most(name: str, measured: Interval, bound: float) -> Check:
    wanted = f"95 % interval ({measured.low:.3f} to {measured.high:.3f}) reaches down to {bound:g}"
    return Check(name, measured.low <= bound, measured.value, wanted)


def _meets(name: str, measured: Interval, band: Band) -> Check:
    """Not outside the band beyond doubt: a small test must not fail a good model by chance."""
    meets = measured.low <= band.high and measured.high >= band.low
    wanted = f"95 % interval ({measured.low:.2f} to {measured.high:.2f}) meets [{band.low:g}, {band.high:g}]"
    return Check(name, meets, measured.value, wanted)


def _inversion_p(test: Validation) -> float:
    """The smallest p-value of a default rate below its better neighbour's (Fisher's exact test, one-sided).

    Exact, because grades hold few defaults: one bad row alone in the best grade is no evidence, and z would say so.
    """
    filled = [grade for grade in test.grades if grade.rows]
    p_values = [
        float(hypergeom.sf(a.defaults - 1, a.rows + b.rows, a.defaults + b.defaults, a.rows))
        for a, b in pairwise(filled)
    ]
    return min(p_values, default=1.0)
