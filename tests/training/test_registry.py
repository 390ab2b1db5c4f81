"""The registry: a run that tells everything about its model, and holds nothing that runs code when it is read."""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import lightgbm as lgb
import pytest
from matplotlib.figure import Figure
from pyarrow import fs

from configs.errors import ConfigError
from configs.settings import Settings
from training import bundle as bundles
from training import registry
from training.bundle import Bundle, Parts
from training.registry import MlflowClient, mlflow  # its door: imported by itself it would send usage data
from training.signature import PrivateKey, public_key


@pytest.fixture(scope="session")
def bundle(parts: Parts, signer: PrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = bundles.write(parts, tmp_path_factory.mktemp("registered"), "2026-01-31", signer)
    return bundles.load(folder, (public_key(signer),))


@pytest.fixture(scope="session")
def settings(
    mlflow_home: Path, small_settings: Callable[..., Settings], in_mlflow: Callable[[Settings], Settings]
) -> Settings:
    return in_mlflow(small_settings(mlflow_home))


def told(passed: bool = True) -> registry.Run:
    figure = Figure()
    figure.subplots().plot([0, 1])
    trials = (
        {"number": 0, "state": "complete", "log_loss": 0.31, "num_leaves": 12},
        {"number": 1, "state": "pruned", "log_loss": None, "num_leaves": 30},
        {"number": 2, "state": "complete", "log_loss": 0.29, "num_leaves": 7, "rounds": 120},
        {"number": 3, "state": "running", "log_loss": None, "num_leaves": 9},
    )
    return registry.Run(
        params={"num_leaves": 7, "long": "x" * 9000},
        metrics={"auc": 0.75, "unknown": float("nan")},
        trials=trials,
        figures={"roc": figure},
        page="<p>page</p>",
        gate={"passed": passed, "checks": []},
    )


@pytest.fixture(scope="session")
def run_id(bundle: Bundle, settings: Settings) -> str:
    return registry.register(bundle, told(), settings)


@pytest.fixture
def client(settings: Settings) -> MlflowClient:
    return MlflowClient(settings.stores.tracking)


@pytest.fixture
def run(run_id: str, client: MlflowClient) -> Any:
    return client.get_run(run_id)


@pytest.fixture
def artifacts(run: Any) -> Path:
    return Path(run.info.artifact_uri.removeprefix("file://"))


def test_the_run_is_finished(run: Any) -> None:
    assert run.info.status == "FINISHED"


def test_the_run_has_the_parameters(run: Any) -> None:
    assert run.data.params["num_leaves"] == "7"


def test_a_parameter_too_long_for_the_store_is_cut(run: Any) -> None:
    assert run.data.params["long"] == "x" * 500


def test_the_run_has_the_metrics(run: Any) -> None:
    assert run.data.metrics["auc"] == 0.75


def test_a_metric_that_is_no_number_is_left_out(run: Any) -> None:
    assert "unknown" not in run.data.metrics


def test_the_run_names_its_product_bundle_and_gate(run: Any, bundle: Bundle) -> None:
    tags = {name: run.data.tags[name] for name in ("product", "bundle", "gate_passed")}
    assert tags == {"product": "made_up", "bundle": bundle.version, "gate_passed": "True"}


def test_complete_trials_are_a_curve(run_id: str, run: Any, client: MlflowClient) -> None:
    curve = client.get_metric_history(run_id, "trial_log_loss")
    assert sorted((point.step, point.value) for point in curve) == [(0, 0.31), (2, 0.29)]


@pytest.fixture
def children(run_id: str, run: Any, client: MlflowClient) -> list[Any]:
    found = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    return sorted(found, key=lambda child: int(child.data.tags["trial"]))


def test_each_trial_is_a_child_of_the_run(children: list[Any]) -> None:
    assert [child.info.run_name for child in children] == ["trial 0", "trial 1", "trial 2", "trial 3"]
    assert [child.data.params["num_leaves"] for child in children] == ["12", "30", "7", "9"]


def test_a_pruned_trial_has_ended_as_pruned_and_one_whose_process_died_as_failed(children: list[Any]) -> None:
    ended = [(child.info.status, child.data.tags["state"]) for child in children]
    assert ended == [
        ("FINISHED", "complete"),
        ("KILLED", "pruned"),
        ("FINISHED", "complete"),
        ("FAILED", "running"),
    ]


def test_a_trial_has_what_was_measured_as_metrics(children: list[Any]) -> None:
    assert children[2].data.metrics == {"log_loss": 0.29, "rounds": 120.0}
    assert children[1].data.metrics == {}


def test_all_trials_are_a_table(artifacts: Path, run: Any) -> None:
    table = json.loads((artifacts / "trials.json").read_text(encoding="utf-8"))
    states = [row[table["columns"].index("state")] for row in table["data"]]
    assert states == ["complete", "pruned", "complete", "running"]


@pytest.mark.parametrize("name", ["plots/roc.png", "validation.html", "gate.json", "bundle/manifest.json"])
def test_the_run_keeps_what_people_look_at(artifacts: Path, name: str) -> None:
    assert (artifacts / name).stat().st_size > 0


def test_the_bundle_lies_beside_the_run_byte_for_byte(artifacts: Path, bundle: Bundle) -> None:
    for path in bundle.folder.iterdir():
        assert (artifacts / "bundle" / path.name).read_bytes() == path.read_bytes()


def test_the_version_is_the_challenger(client: MlflowClient, run_id: str, bundle: Bundle) -> None:
    version = client.get_model_version_by_alias("made_up", "challenger")
    assert version.tags["bundle"] == bundle.version


def test_the_signature_has_every_feature_by_name(run_id: str, client: MlflowClient, bundle: Bundle) -> None:
    version = client.get_model_version_by_alias("made_up", "challenger")
    signature = mlflow.models.get_model_info(_uri(version)).signature
    assert signature.inputs.input_names() == list(bundle.program.names)
    assert signature.outputs is not None


def test_the_registered_model_is_the_bundles_own(run_id: str, client: MlflowClient, bundle: Bundle) -> None:
    version = client.get_model_version_by_alias("made_up", "challenger")
    text = next(_folder(version).rglob("model.lgb")).read_text(encoding="utf-8")
    assert lgb.Booster(model_str=text).model_to_string() == bundle.booster.model_to_string()


def test_nothing_pickled_is_kept(run_id: str, mlflow_home: Path) -> None:
    kept = [path for path in (mlflow_home / "mlflow-artifacts").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if path.suffix in (".pkl", ".pickle", ".joblib", ".cloudpickle")]
    assert not [path for path in kept if path.read_bytes()[:2] in (b"\x80\x03", b"\x80\x04", b"\x80\x05")]


def test_a_second_model_takes_the_alias_and_the_first_stays(
    run_id: str, bundle: Bundle, settings: Settings, client: MlflowClient
) -> None:
    before = client.get_model_version_by_alias("made_up", "challenger").version
    other = registry.register(bundle, told(passed=False), settings)
    after = client.get_model_version_by_alias("made_up", "challenger")
    assert (other != run_id, int(after.version)) == (True, int(before) + 1)
    assert client.get_run(other).data.tags["gate_passed"] == "False"
    assert client.get_model_version("made_up", before).tags["bundle"] == bundle.version


def test_the_champion_is_mirrored_by_its_bundle(run_id: str, bundle: Bundle, settings: Settings) -> None:
    assert registry.mirror_champion("made_up", bundle.version, settings.stores.tracking)
    version = MlflowClient().get_model_version_by_alias("made_up", "champion")
    assert version.tags["bundle"] == bundle.version


def test_a_bundle_that_mlflow_does_not_know_moves_no_alias(run_id: str, settings: Settings) -> None:
    assert not registry.mirror_champion("made_up", "made_up-20200101-0000000000", settings.stores.tracking)


def test_a_run_that_breaks_off_is_marked_as_failed(
    bundle: Bundle, settings: Settings, client: MlflowClient, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Any) -> str:
        raise OSError("no space left on device")

    monkeypatch.setattr(registry, "_log_model", fails)
    with pytest.raises(OSError, match="no space"):
        registry.register(bundle, told(), settings)
    runs = client.search_runs([client.get_run(run_id).info.experiment_id])
    newest = next(run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    assert newest.info.status == "FAILED"


def test_no_usage_data_are_sent() -> None:
    from mlflow.telemetry import get_telemetry_client
    from mlflow.telemetry.utils import is_telemetry_disabled

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert is_telemetry_disabled()
    assert get_telemetry_client() is None


def _uri(version: Any) -> str:
    return f"models:/{version.name}/{version.version}"


def _folder(version: Any) -> Path:
    return Path(mlflow.artifacts.download_artifacts(_uri(version)))


def test_artefacts_lie_in_a_store_of_objects(
    bucket: str,
    s3: str,
    bundle: Bundle,
    settings: Settings,
    client: MlflowClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("boto3", reason="MLflow reads S3 by boto3: pip install 'creditloop[s3]'")
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://{s3}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    store, root = fs.FileSystem.from_uri(bucket)
    store.create_dir(root, recursive=True)
    stores = settings.stores.model_copy(update={"artifacts": f"s3://{root}"})
    elsewhere = settings.model_copy(update={"stores": stores})
    moved = dataclasses.replace(bundle, product="in_a_store")

    run_id = registry.register(moved, told(), elsewhere)

    assert client.get_run(run_id).info.artifact_uri.startswith(f"s3://{root}/in_a_store/")
    down = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="bundle", dst_path=str(tmp_path)))
    assert {path.name: path.read_bytes() for path in down.iterdir()} == {
        path.name: path.read_bytes() for path in bundle.folder.iterdir()
    }
    version = client.get_model_version_by_alias("in_a_store", "challenger").version
    read = mlflow.lightgbm.load_model(f"models:/in_a_store/{version}")
    assert read.model_to_string() == bundle.booster.model_to_string()


def test_a_store_whose_making_was_killed_is_made_anew_by_one_of_those_that_come_at_once(
    tmp_path: Path, race: Callable[[list[Callable[[], object]]], list[Any]]
) -> None:
    left = tmp_path / ".mlflow.db.half-of-a-process-that-was-killed"
    with closing(sqlite3.connect(left)) as half:
        half.execute("CREATE TABLE _alembic_tmp_experiments (experiment_id INTEGER)")
    url, before = f"sqlite:///{tmp_path / 'mlflow.db'}", mlflow.get_tracking_uri()
    try:
        assert race([lambda: registry.mirror_champion("nobody", "v", url)] * 3) == [False] * 3
        (tmp_path / "mlflow.db").unlink()
        assert registry.mirror_champion("nobody", "v", f"{url}?timeout=60") is False
    finally:
        mlflow.set_tracking_uri(before)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mlflow.db.lock", "mlflow.db"]


def test_a_store_whose_client_is_not_installed_is_told_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    registry.require_client("/srv/mlflow-artifacts")
    with pytest.raises(ConfigError, match=r"stores\.artifacts: s3:// needs boto3.*creditloop\[s3\]"):
        registry.require_client("s3://bucket/place")
