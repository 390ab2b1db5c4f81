"""Does a model version's report say what its stored predictions say? Every number again, compared to the last bit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from configs.errors import BundleError
from configs.settings import Gate, ValidationPolicy, parse
from training import examine, gate
from training.bundle import Bundle
from training.examine import CHAMPION, Facts
from training.monotone import certify
from training.validate import auc_difference, validate


@dataclass(frozen=True, slots=True)
class Difference:
    """A place in a file of the bundle where the stored value is not the derived one."""

    place: str
    stored: Any
    derived: Any


def verify(bundle: Bundle) -> tuple[int, tuple[Difference, ...]]:
    """How many values were compared, and those that differ.

    Derived are validation.json, the certificate, the comparison with the champion and the verdict of the gate, from
    predictions.parquet, reference.parquet, the model, the scale and the policy the run recorded. Raises BundleError
    where the version does not hold what that takes.
    """
    try:
        settings = bundle.training["run"]["settings"]
        facts = facts_of(bundle.validation["facts"])
    except (KeyError, TypeError) as error:
        raise BundleError(f"{bundle.folder}: nothing to derive its report from ({error!r}); train it again") from None
    source = str(bundle.folder / "training.json")
    policy = parse(ValidationPolicy, settings["validation"], source)
    derived = {
        "validation.json": _validation(bundle, facts, policy),
        "training.json": _judged(bundle, facts, parse(Gate, settings["gate"], source)),
    }
    stored = {
        "validation.json": bundle.validation,
        "training.json": {name: bundle.training[name] for name in ("gate", "auc_against_champion", "monotone")},
    }
    return count(derived), tuple(differences(stored, derived))


def facts_of(stored: Mapping[str, Any]) -> Facts:
    """The facts as validation.json keeps them."""
    listed = {name: tuple(stored[name]) for name in ("initial_rows", "initial_defaults", "top_features")}
    by_time = {
        feature: {name: tuple(counts) for name, counts in told.items()}
        for feature, told in stored["feature_counts"].items()
    }
    return Facts(**{**stored, **listed, "feature_counts": by_time})


def _validation(bundle: Bundle, facts: Facts, policy: ValidationPolicy) -> dict[str, Any]:
    features = bundle.program.features
    moved = examine.moves(bundle.reference(), features, facts, bundle.default_probability, bundle.scale, policy)
    return examine.examine(bundle.predictions(), facts, moved, bundle.scale, policy)


def _judged(bundle: Bundle, facts: Facts, bounds: Gate) -> dict[str, Any]:
    """The verdict as the gate gives it on these rows and trees; findings about leakage stand as they were stored."""
    rows = bundle.predictions()
    pds, defaulted = rows["default_probability"].to_numpy(), rows["defaulted"].to_numpy()
    against = None
    if CHAMPION in rows:
        against = auc_difference(pds, rows[CHAMPION].to_numpy(), defaulted.astype(bool))
    numbers = validate(pds, defaulted, bundle.scale)
    certificate = certify(bundle.booster, bundle.program.features)
    leaks = [finding["subject"] for finding in bundle.training["leakage"] if finding["severity"] == "red"]
    verdict = gate.judge(numbers, facts.training_auc, against, bounds, certificate, leaks)
    return {
        "gate": verdict.to_json(),
        "auc_against_champion": asdict(against) if against else None,
        "monotone": certificate.to_json(),
    }


def differences(stored: Any, derived: Any, place: str = "") -> Iterator[Difference]:
    """Every leaf that differs, by its path; what is no number in memory (NaN, infinity) is null on disk."""
    if isinstance(derived, Mapping) and isinstance(stored, Mapping):
        for name in sorted({*derived, *stored}):
            yield from differences(stored.get(name), derived.get(name), f"{place}.{name}" if place else str(name))
    elif isinstance(derived, list | tuple) and isinstance(stored, list | tuple) and len(derived) == len(stored):
        for number, pair in enumerate(zip(stored, derived, strict=True)):
            yield from differences(*pair, f"{place}[{number}]")
    elif not _same(stored, derived):
        yield Difference(place, stored, derived)


def _same(stored: Any, derived: Any) -> bool:
    if isinstance(derived, float) and not math.isfinite(derived):
        return stored is None
    return type(stored) is type(derived) and bool(stored == derived)


def count(values: Any) -> int:
    """The leaves of nested mappings and lists."""
    if isinstance(values, Mapping):
        return sum(map(count, values.values()))
    return sum(map(count, values)) if isinstance(values, list | tuple) else 1


def told(version: str, compared: int, found: tuple[Difference, ...]) -> str:
    """What a person is told: one line where all agrees, a line for each value that does not."""
    if not found:
        return f"{version}: all {compared:,} values of the report derive again, to the last bit"
    lines = [f"{version}: {len(found)} of {compared:,} values differ from what its predictions say"]
    return "\n".join(lines + [f"  {one.place}: stored {one.stored!r}, derived {one.derived!r}" for one in found])
