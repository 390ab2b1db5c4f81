"""What a model is for and how it is used: the inventory card and the instructions for use."""

from __future__ import annotations

from importlib.metadata import distribution

from configs.persons import known_as
from governance.artefact import Artefact, interval, listed, recorded, stated, table
from governance.facts import Facts
from governance.software import licence_of

_VENDORS = ("lightgbm", "optuna", "mlflow", "bentoml", "evidently", "numba", "scikit-learn", "scipy", "pandas", "numpy")


def inventory_card(facts: Facts) -> Artefact:
    """1: what the inventory of models knows of a version."""
    bundle, said, rules = facts.bundle, facts.product.governance, facts.settings.governance
    champion = facts.promotions[-1] if facts.promotions else None
    fields = (
        *recorded("bundle", model_id=bundle.product, version=bundle.version, digest=bundle.digest),
        *recorded("product file", product=facts.product.title, currency=facts.product.currency),
        *recorded("ledger: promotions", status=facts.status, champion_since=champion.at if champion else None),
        *stated(said, "purpose", "population", "exclusions", "owner", "developer", "validator"),
        *recorded("ledger: training", trained_by=facts.author, trained_at=facts.trained_at),
        *recorded("ledger: approvals", approved_by=names_of(facts) or None),
        *stated(said, "tier", "exposure", "upstream", "downstream", "restrictions", "next_review"),
    )
    triggers = [
        ("PSI or another finding of the monitor is red", "a verdict with red findings"),
        ("performance is red", "a verdict to shift, recalibrate or retrain"),
        ("a data source changed", "a verdict to fix the data"),
        ("time", f"{rules.review_months} months since promotion or the last review"),
    ]
    return Artefact(
        1,
        "inventory_card",
        "Inventory card",
        "What this model is, what it is for, whose it is, and where it stands in its life.",
        fields,
        (
            table("Review triggers", "settings, [governance]", ("trigger", "met by"), triggers),
            table("Parts by others", "installed distributions", ("part", "version", "licence"), _parts()),
        ),
    )


def names_of(facts: Facts) -> str:
    """Whose last word on these bytes under this policy is yes."""
    here = (facts.bundle.digest, facts.product.digest())
    last = {known_as(one.by): one for one in facts.approvals if (one.digest, one.policy) == here}
    return ", ".join(one.by for one in last.values() if one.word == "approve")


def _parts() -> list[tuple[str, str, str | None]]:
    licences = {name: licence_of(name) for name in _VENDORS}
    return [(name, distribution(name).version, said.word if said else None) for name, said in licences.items()]


def instructions_for_use(facts: Facts) -> Artefact:
    """8: what whoever uses the model's decisions has to know (EU AI Act, Art. 13)."""
    validation, policy, said = facts.bundle.validation, facts.product.policy, facts.product.governance
    bounds = tuple(grade.name for grade in facts.product.grades)
    fields = (
        *stated(said, "purpose", "population", "exclusions", "restrictions", "known_failures", "oversight"),
        *recorded(
            "bundle: validation.json",
            auc=interval(validation.get("auc")),
            calibration_slope=interval(validation.get("calibration_slope"), 2),
            observed_to_expected=interval(validation.get("observed_to_expected"), 2),
            test_rows=validation.get("rows"),
            test_defaults=validation.get("defaults"),
        ),
        *recorded("product file", grades=", ".join(bounds), minimum_limit=policy.minimum_limit),
        *recorded("code", log_access="creditloop decisions show | export | replay | verify; each look is recorded"),
    )
    authorities = [
        (one.name, one.largest_limit, one.worst_grade, ", ".join(one.sets_aside), one.lifts_knock_outs)
        for one in policy.authorities
    ]
    columns = ("authority", "largest limit", "worst grade", "sets aside", "lifts knock-outs")
    outcomes = facts.bundle.training.get("outcomes") or {}
    not_taught = [(name, outcomes.get(name)) for name in ("immature", "unobserved", "in_default", "indeterminate")]
    return Artefact(
        8,
        "instructions_for_use",
        "Instructions for use",
        "For whoever acts on a decision: what it is for, how accurate it is and for whom, who may decide otherwise.",
        fields,
        (
            listed("Accuracy by segment", "bundle: validation.json, segments", validation.get("segments")),
            table("Who may decide otherwise", "product file, [[policy.authorities]]", columns, authorities),
            table("Outcomes that taught nothing", "bundle: training.json", ("why", "rows"), not_taught),
        ),
    )
