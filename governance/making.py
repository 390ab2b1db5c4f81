"""How a version was made: the training record."""

from __future__ import annotations

from governance.artefact import Artefact, listed, recorded, table
from governance.facts import Facts
from governance.software import LOCK, bill_of_software


def training_record(facts: Facts) -> Artefact:
    """3: what a run has to remember to be made again."""
    training = facts.bundle.training
    run = training.get("run", {})
    settings = run.get("settings", {}).get("training", {})
    bill = bill_of_software(LOCK, {"type": "machine-learning-model", "name": facts.bundle.digest})
    then = run.get("libraries", {})
    now = {one["name"]: one["version"] for one in bill["components"]}
    moved = [(name, was, now.get(name)) for name, was in then.items() if now.get(name) != was]
    fields = (
        *recorded("ledger: training", trained_by=facts.author, trained_at=facts.trained_at),
        *recorded(
            "bundle: training.json, run",
            git_commit=run.get("git_commit"),
            git_clean=run.get("git_clean"),
            lock_sha256=run.get("lock_sha256"),
            python=run.get("python"),
            machine=run.get("machine"),
            data_sha256_in=run.get("data_sha256"),
            product_sha256=run.get("product_sha256"),
        ),
        *recorded("bundle", digest_out=facts.bundle.digest, program=facts.bundle.program.digest),
        *recorded(
            "bundle: training.json",
            trials=training.get("trials"),
            started_from=training.get("started_from"),
            trees=training.get("rounds"),
            folds_log_loss=training.get("folds_log_loss"),
        ),
        *recorded("environment", container_digest=None, wall_time_seconds=None),
    )
    chosen = training.get("params", {})
    calibration, looked_back = training.get("calibration") or {}, training.get("training_window") or {}
    return Artefact(
        3,
        "training_record",
        "Training record",
        "Code, data, settings and libraries of the run, by hash; the bill of software (CycloneDX) is attached.",
        fields,
        (
            table("Settings of the tuner", "bundle: training.json, run", ("setting", "value"), settings.items()),
            listed("How far back it learnt: every way tried", "bundle: training.json", looked_back.get("tried")),
            listed("Every trial, pruned and failed ones too", "bundle: training.json", training.get("every_trial")),
            table("Parameters chosen", "bundle: training.json", ("parameter", "value"), chosen.items()),
            listed("Calibrations tried", "bundle: training.json", calibration.get("candidates")),
            table("Libraries of the run", "bundle: training.json, run", ("library", "version"), then.items()),
            table("Of these, another version now", "installed distributions", ("library", "then", "now"), moved),
        ),
        {"sbom": bill},
    )
