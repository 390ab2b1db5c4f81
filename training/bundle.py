"""A model version: a folder of plain files, a signed manifest of their SHA-256 among them; whole, or not there."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

from configs.errors import BundleError, ConfigError
from features.catalogue import Program, compile_program, describe, features_named
from training.calibrate import Calibration, calibration_from_json
from training.fit import raw_score
from training.scaling import Scale
from training.signature import PrivateKey, sign, verify

FORMAT = 1
MANIFEST = "manifest.json"
_FILES = (
    "model.txt",
    "calibration.json",
    "features.json",
    "scaling.json",
    "reference.parquet",
    "predictions.parquet",
    "golden.json",
    "validation.json",
    "training.json",
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded model version: everything that turns a feature matrix into PDs, points and grades."""

    version: str
    product: str
    folder: Path
    program: Program
    booster: lgb.Booster
    calibration: Calibration
    scale: Scale
    validation: dict[str, Any]
    training: dict[str, Any]
    digest: str

    def raw_score(self, matrix: np.ndarray, threads: int = 1) -> np.ndarray:
        """The sum of the leaves, (rows,): the same bits for one row and for many."""
        return raw_score(self.booster, matrix, threads)

    def default_probability(self, matrix: np.ndarray, threads: int = 1) -> np.ndarray:
        """PD, (rows,)."""
        return self.calibration.default_probability(self.raw_score(matrix, threads))

    def golden(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows kept with the model, (rows, features), and the raw score each had where it was made, (rows,)."""
        golden = json.loads((self.folder / "golden.json").read_text(encoding="utf-8"))
        rows = np.array([[float.fromhex(value) for value in row] for row in golden["rows"]])
        return rows, np.array([float.fromhex(value) for value in golden["raw_score"]])

    def reference(self) -> pd.DataFrame:
        """The rows the monitor compares with: features as columns; `_default_probability`, `_defaulted`, `_as_of`."""
        return pd.read_parquet(self.folder / "reference.parquet")

    def predictions(self) -> pd.DataFrame:
        """Test rows: `customer` (a number), `as_of`, `default_probability`, `defaulted`, a champion's PD, slices."""
        return pd.read_parquet(self.folder / "predictions.parquet")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a bundle is made of, before it has a version."""

    product: str
    program: Program
    booster: lgb.Booster
    calibration: Calibration
    scale: Scale
    reference: pd.DataFrame
    predictions: pd.DataFrame
    golden: np.ndarray
    validation: Mapping[str, Any]
    training: Mapping[str, Any]


def write(parts: Parts, folder: Path, now: str, key: PrivateKey) -> Path:
    """Write the bundle below `folder`, signed with `key`, and return its path.

    Its name holds the product, `now` (ISO date) and the manifest's hash. The files are written and synced
    in a hidden folder beside it and renamed at the end: a kill leaves nothing that could be taken for a version.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    try:
        _write_files(parts, unfinished)
        manifest = {
            "format": FORMAT,
            "product": parts.product,
            "made_on": now,
            "program": parts.program.digest,
            "files": {name: file_digest(unfinished / name) for name in _FILES},
        }
        _write_json(unfinished / MANIFEST, manifest)
        sign(unfinished, (unfinished / MANIFEST).read_bytes(), key)
        target = folder / _version(manifest, file_digest(unfinished / MANIFEST))
        if target.exists():
            shutil.rmtree(unfinished)  # the same bytes were written before: the same version
            return target
        _sync(unfinished)
        unfinished.rename(target)
        _sync(folder, deep=False)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return target


def _version(manifest: Mapping[str, Any], digest: str) -> str:
    return f"{manifest['product']}-{manifest['made_on'].replace('-', '')}-{digest[:10]}"


def _write_files(parts: Parts, folder: Path) -> None:
    (folder / "model.txt").write_text(parts.booster.model_to_string(), encoding="utf-8")
    _write_json(folder / "calibration.json", asdict(parts.calibration))
    described = [describe(item) for item in parts.program.features]
    _write_json(folder / "features.json", {"program": parts.program.digest, "features": described})
    _write_json(folder / "scaling.json", asdict(parts.scale))
    parts.reference.to_parquet(folder / "reference.parquet", index=False)
    parts.predictions.to_parquet(folder / "predictions.parquet", index=False)
    scores = raw_score(parts.booster, parts.golden)
    golden = {
        "rows": [[float(value).hex() for value in row] for row in parts.golden],
        "raw_score": [float(score).hex() for score in scores],
    }
    _write_json(folder / "golden.json", golden)
    _write_json(folder / "validation.json", parts.validation)
    _write_json(folder / "training.json", parts.training)


def _write_json(path: Path, values: Any) -> None:
    text = json.dumps(_plain(values), indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(values: Any) -> Any:
    """Values that JSON can hold: what is not a number is null, tuples are lists."""
    if isinstance(values, Mapping):
        return {key: _plain(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain(value) for value in values]
    if isinstance(values, float) and not math.isfinite(values):
        return None
    return values


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sync(folder: Path, deep: bool = True) -> None:
    for path in [*(folder.iterdir() if deep else ()), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def load(folder: Path, trusted: Sequence[str]) -> Bundle:
    """The bundle in `folder`, once one of the `trusted` public keys signed it, every file matched its hash, the
    program is ours and the golden rows score alike.

    Signature and hashes are checked before LightGBM sees a byte: a damaged model text ends the process. Raises
    BundleError.
    """
    manifest = checked_manifest(folder, trusted)
    bundle = Bundle(
        version=folder.name,
        product=manifest["product"],
        folder=folder,
        program=own_program(folder),
        booster=lgb.Booster(model_file=str(folder / "model.txt")),
        calibration=calibration_from_json(read_json(folder / "calibration.json")),
        scale=scale_in(folder),
        validation=read_json(folder / "validation.json"),
        training=read_json(folder / "training.json"),
        digest=file_digest(folder / MANIFEST),
    )
    _golden_rows_score_alike(bundle)
    return bundle


def read_facts(folder: Path, trusted: Sequence[str]) -> dict[str, Any]:
    """What a version says of itself (manifest, features, validation, training, digest), without loading its model.

    Signature and hashes are checked as for `load`. Raises BundleError.
    """
    manifest = checked_manifest(folder, trusted)
    told = {
        name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("features", "validation", "training")
    }
    return {**manifest, **told, "features": told["features"]["features"], "digest": file_digest(folder / MANIFEST)}


def checked_manifest(folder: Path, trusted: Sequence[str], but: Sequence[str] = ()) -> dict[str, Any]:
    """The manifest in `folder`, once it is signed by one of `trusted` and every file but those of `but` matches it.

    Raises BundleError.
    """
    if not (folder / MANIFEST).is_file():
        raise BundleError(f"{folder}: no {MANIFEST}; this is not a model version")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version, files = manifest["format"], dict(manifest["files"])
        name = _version(manifest, file_digest(folder / MANIFEST))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{folder / MANIFEST}: not a manifest: {error!r}") from None
    if version != FORMAT:
        raise BundleError(f"{folder}: bundle format {version}, this installation reads {FORMAT}")
    if folder.name != name:
        raise BundleError(f"{folder}: by its manifest this version is named {name}; do not use it")
    verify(folder, (folder / MANIFEST).read_bytes(), trusted)
    for name in (name for name in _FILES if name not in but):
        if not (folder / name).is_file() or file_digest(folder / name) != files.get(name):
            raise BundleError(f"{folder / name}: missing, or not the bytes its manifest names; do not use this version")
    return manifest


def read_json(path: Path) -> Any:
    """What a JSON file of a bundle holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def scale_in(folder: Path) -> Scale:
    """The points and grades of a version."""
    scaling = read_json(folder / "scaling.json")
    return Scale(**{**scaling, "names": tuple(scaling["names"]), "pd_below": tuple(scaling["pd_below"])})


def own_program(folder: Path) -> Program:
    """The feature program of a version. Raises BundleError where this installation runs another."""
    described = read_json(folder / "features.json")
    try:
        program = compile_program(features_named(described["features"]))
    except ConfigError as error:
        raise BundleError(f"{folder}: {error}") from None
    if program.digest != described["program"]:
        raise BundleError(
            f"{folder}: made for feature program {described['program'][:12]}, this installation runs "
            f"{program.digest[:12]}; train again, or serve it with the release that made it"
        )
    return program


def _golden_rows_score_alike(bundle: Bundle) -> None:
    rows, expected = bundle.golden()
    scores = bundle.raw_score(rows)
    if scores.tobytes() != expected.tobytes():
        raise BundleError(f"{bundle.folder}: the golden rows score differently here than where the model was made")
