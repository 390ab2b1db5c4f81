"""`mlflow models serve` of the model alone, asked for a PD: beside our service, which also makes the features, gives
reasons, decides and records.

MLflow is sent the row of features that ours has to make first, and answers with the raw score of the Booster: no
calibration, no reasons, no record. Both run at once and are asked in turn, so that each round gives one ratio.
Run: python -m benchmarks.http_mlflow [--mlflow PYTHON] [--rounds 7] [--seconds 5] [--customers 20000] [--trials 10]
`--mlflow` names the Python that serves (default: this one, in which MLflow is); --home keeps the model for another run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import msgspec
import numpy as np

from benchmarks.common import keep
from benchmarks.http import PRODUCT, _free_port, bodies, furnished, measure, running, summary
from benchmarks.http_load import prepared
from benchmarks.http_services import champion_of
from configs.settings import load_settings
from features.contracts import to_day
from serving import access, service
from serving.api import DecideRequest
from serving.decide import question_of, tables_of
from serving.score import Scorer

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "OMP_NUM_THREADS": "1"}


def saved(scorer: Scorer, folder: Path) -> Path:
    """The champion's Booster as an MLflow model, in LightGBM's native text, without a registry."""
    os.environ.update(QUIET)
    import mlflow.lightgbm

    # Told its requirements, MLflow starts no process to look for them.
    mlflow.lightgbm.save_model(
        scorer.bundle.booster, str(folder), pip_requirements=["lightgbm"]
    )  # else it goes to look
    return folder


def command(python: str, model: Path, port: int) -> list[str]:
    """What serves it, with one worker, as ours has."""
    return [
        python, "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip


def rows_of(scorer: Scorer, asked: Sequence[dict[str, Any]]) -> np.ndarray:
    """The features of each question, (questions, features): what MLflow is given."""
    rows = []
    for body in asked:
        request = msgspec.json.decode(json.dumps(body), type=DecideRequest)
        assert request.as_of is not None
        question = question_of(request, request.as_of, "en", 4)
        tables = tables_of(scorer, question, question.customer_id)
        as_of = np.array([to_day(question.as_of)], np.int32)
        rows.append(scorer.score(tables, np.array([question.customer_id], object), as_of).values[0])
    return np.array(rows)


def invocations(scorer: Scorer, rows: np.ndarray, port: int) -> list[bytes]:
    """The bytes of one POST /invocations for each row.

    What is missing is NaN, which is no JSON and which MLflow takes: a null would make a column of objects, a 400.
    """
    names, requests = list(scorer.bundle.program.names), []
    for row in rows.tolist():
        content = json.dumps({"dataframe_split": {"columns": names, "data": [row]}}).encode()
        head = (
            f"POST /invocations HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        requests.append(head.encode() + content)
    return requests


@contextmanager
def serving(words: list[str], port: int, request: bytes, log: Path) -> Iterator[int]:
    """MLflow in a process of its own, once it answers; gives its port."""
    content = request.partition(b"\r\n\r\n")[2]
    with log.open("wb") as out:
        process = Popen(words, env={**os.environ, **QUIET}, stdout=out, stderr=out, start_new_session=True)
    try:
        deadline = time.monotonic() + 180
        while not _answers(port, content):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{words}: {log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield port
    finally:
        os.killpg(process.pid, 15)  # its own session: MLflow starts the server as a child
        process.wait(timeout=30)


def _answers(port: int, content: bytes) -> bool:
    try:
        asked = httpx.post(
            f"http://127.0.0.1:{port}/invocations", content=content, headers={"content-type": "application/json"}
        )
    except httpx.TransportError:
        return False
    if asked.status_code not in (200, 503):
        sys.exit(f"MLflow answers {asked.status_code}: {asked.text[:500]}")
    return asked.status_code == 200


def main() -> None:
    """Serve both, ask them in turn, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlflow", metavar="PYTHON", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--home", type=Path, help="kept, and used again where it holds a champion")
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        home = (arguments.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))).resolve()
        if not (home / "bundles" / PRODUCT).exists():
            furnished(home, arguments.customers, arguments.trials)
        settings = load_settings(home, {"serving": {"port": _free_port()}})
        scorer, asked = champion_of(home, PRODUCT), bodies(home, 200)
        key, port = access.create_key(home, "benchmark", "score"), _free_port()
        model = saved(scorer, Path(stack.enter_context(tempfile.TemporaryDirectory())) / "model")
        requests = {
            "creditloop": prepared(asked, settings.serving.port, key),
            "mlflow": invocations(scorer, rows_of(scorer, asked), port),
        }
        ours = service.command(settings), service.environment(settings, (PRODUCT,)), settings.serving.port
        ports = {
            "creditloop": stack.enter_context(running(*ours, requests["creditloop"][0], home)),
            "mlflow": stack.enter_context(
                serving(command(arguments.mlflow, model, port), port, requests["mlflow"][0], home / "mlflow.log")
            ),
        }
        rounds = measure(ports, requests, arguments.rounds, arguments.seconds)
    found = {name: summary(of_rounds, rounds["creditloop"]) for name, of_rounds in rounds.items()}
    for name, told in found.items():
        for connections, one in told.items():
            print(
                f"{name:>12}, {connections:>2} connections: {one['per_second']:8,.0f} answers/s, p50 "
                f"{one['p50_ms']:.2f} ms, p99 {one['p99_ms']:.2f} ms; "
                f"ours {one['ours_over_this']:.2f}x ({one['low']:.2f} to {one['high']:.2f}); {one['statuses'][0]}"
            )
    if not arguments.dry:
        print(keep("http_mlflow", {"rounds": arguments.rounds, "seconds": arguments.seconds, **found}))


if __name__ == "__main__":
    main()
