"""The data sheet: what taught the model, how it was labelled, and every feature it reads (EU AI Act, Art. 10)."""

from __future__ import annotations

import json

from governance.artefact import Artefact, Table, listed, recorded, stated, table
from governance.facts import Facts


def data_sheet(facts: Facts) -> Artefact:
    """2: the data sheet of a version."""
    training, product = facts.bundle.training, facts.product
    run, outcomes = training.get("run", {}), dict(training.get("outcomes") or {})
    vintages = outcomes.pop("vintages", [])
    outcome = product.outcome.model_dump()
    fields = (
        *stated(product.governance, "data_source", "representativeness"),
        *recorded(
            "bundle: training.json",
            data_sha256=run.get("data_sha256"),
            known_by=run.get("now"),
            split=training.get("split"),
            reject_treatment=_rejects(training),
        ),
        *recorded("product file", tables=", ".join(product.tables), groups=", ".join(product.groups)),
        *recorded("product file, [outcome]", **outcome),
        *recorded(
            "configs/protected.toml and the product file",
            jurisdictions=", ".join(product.jurisdictions) or None,
            never_features=", ".join(sorted(product.denied())) or None,
        ),
    )
    parts = [{"part": name, **part} for name, part in training.get("parts", {}).items()]
    return Artefact(
        2,
        "data_sheet",
        "Data sheet",
        "Where the data came from, how many rows each step left, what counts as bad, and what each feature means.",
        fields,
        (
            listed("Rows by step", "bundle: training.json, parts", parts),
            table("Outcomes by state", "bundle: training.json, outcomes", ("state", "rows"), outcomes.items()),
            listed("Vintages", "bundle: training.json, outcomes", vintages),
            listed("Signs of leakage and quality", "bundle: training.json, leakage", training.get("leakage")),
            listed(
                "Drift between training and test rows", "bundle: validation.json", facts.bundle.validation.get("drift")
            ),
            feature_dictionary(facts),
        ),
    )


def _rejects(training: dict) -> str | None:
    return "bracketed, see the validation report" if training.get("reject_inference") else None


def feature_dictionary(facts: Facts) -> Table:
    """Every feature: what it means, how it is made, which way risk goes, what a customer is told of it."""
    described = json.loads((facts.bundle.folder / "features.json").read_text(encoding="utf-8"))["features"]
    columns = ("name", "group", "unit", "risk", "meaning", "formula", "reason", "reason_zh")
    rows = [tuple(one.get(column) for column in columns) for one in described]
    shown = ("feature", "group", "unit", "risk", "meaning", "lineage", "customer is told", "in Chinese")
    return table("Feature dictionary", "bundle: features.json", shown, rows)
