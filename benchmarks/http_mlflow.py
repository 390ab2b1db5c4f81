"""`mlflow models serve` of the model alone, asked for a PD: beside our service, which also makes the features, gives
reasons, decides and records.

MLflow is sent the row of features that ours has to make first, and answers with the raw score of the Booster: no
calibration, no reasons, no record. Both run at once and are asked in turn, so that each round gives one ratio.
Run: python -m benchmarks.http_mlflow [--mlflow PYTHON] [--rounds 7] [--seconds 5] [--customers 20000] [--trials 10]
`--mlflow` names the Python that serves (default: this one, in which MLflow is); --home keeps the model for another run.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.common import begun, keep
from benchmarks.http_load import prepared
from benchmarks.http_services import champion_of
from benchmarks.side_by_side import (
    PRODUCT,
    SPREAD,
    Contender,
    bodies,
    champions_home,
    compared,
    free_port,
    ours,
    parser,
    show,
)
from features.contracts import to_day
from serving import access
from serving.api import DecideRequest
from serving.decide import question_of, tables_of
from serving.score import Scorer

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "OMP_NUM_THREADS": "1"}


def saved(scorer: Scorer, folder: Path) -> Path:
    """The champion's Booster as an MLflow model, in LightGBM's native text, without a registry."""
    os.environ.update(QUIET)
    import mlflow.lightgbm

    # Told its requirements, MLflow starts no process to look for them.
    mlflow.lightgbm.save_model(scorer.bundle.booster, str(folder), pip_requirements=["lightgbm"])
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


def main() -> None:
    """Serve both, ask them in turn, print and keep."""
    options = parser(__doc__)
    options.add_argument("--mlflow", metavar="PYTHON", default=sys.executable)
    options.add_argument("--dry", action="store_true", help="print only, keep no result")
    arguments = options.parse_args()
    run = begun(dt.datetime.now(dt.UTC), (1,), SPREAD, arguments.mlflow)
    with champions_home(arguments) as settings, tempfile.TemporaryDirectory() as scratch:
        home, port = settings.home, free_port()
        scorer, asked = champion_of(home, PRODUCT), bodies(home, 200)
        key, model = access.create_key(home, "benchmark", "score"), saved(scorer, Path(scratch) / "model")
        services = {
            "creditloop": ours(settings, prepared(asked, settings.serving.port, key)),
            "mlflow": Contender(
                command(arguments.mlflow, model, port),
                {**os.environ, **QUIET},
                port,
                invocations(scorer, rows_of(scorer, asked), port),
            ),
        }
        found = compared(services, arguments, home)
    show(found)
    if not arguments.dry:
        print(keep("http_mlflow", {"rounds": arguments.rounds, "seconds": arguments.seconds, **found}, run))


if __name__ == "__main__":
    main()
