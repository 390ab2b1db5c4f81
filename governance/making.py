"""How a version was made: the training record, and the bill of the software it was made with."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from governance.artefact import Artefact, listed, recorded, table
from governance.facts import Facts
from governance.use import licence_of

_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\]+)((?:[^\n]*\\\n\s*--hash=sha256:[0-9a-f]{64})+)", re.MULTILINE)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"


def training_record(facts: Facts) -> Artefact:
    """3: what a run has to remember to be made again."""
    training = facts.bundle.training
    run = training.get("run", {})
    settings = run.get("settings", {}).get("training", {})
    bill = sbom(LOCK, facts.bundle.digest)
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


def sbom(lock: Path, of: str) -> dict[str, Any]:
    """A bill of the installed software in the form of CycloneDX 1.5: name, version, licence, hashes of the lock file.

    Where there is no lock file, or another version is installed than it names, a component has no hashes.
    """
    hashes = locked(lock.read_text(encoding="utf-8")) if lock.exists() else {}
    found = {_normal(one.metadata["Name"]): one for one in distributions() if one.metadata["Name"]}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, of)}",
        "version": 1,
        "metadata": {"component": {"type": "machine-learning-model", "name": of}},
        "components": [_component(name, found[name].version, hashes) for name in sorted(found)],
    }


def _component(name: str, version: str, hashes: Mapping[tuple[str, str], tuple[str, ...]]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
    if licence := licence_of(name):
        made["licenses"] = [{"license": {"name": licence}}]
    if known := hashes.get((name, version)):
        made["hashes"] = [{"alg": "SHA-256", "content": one} for one in known]
    return made


def locked(text: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """The hashes of each distribution and version that a lock file names.

    >>> locked("A_b==1.0 \\\\\\n    --hash=sha256:" + "0" * 64)[("a-b", "1.0")] == ("0" * 64,)
    True
    """
    return {(_normal(name), version): tuple(_HASH.findall(hashes)) for name, version, hashes in _LOCKED.findall(text)}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
