"""HTTP decisions with reasons and a durable record: ours beside what people write, and beside an empty route.

All services run at once and are asked in turn, so that each round gives one ratio; first a warm-up of each.
Run: python -m benchmarks.http [--rivals PYTHON] [--rounds 7] [--seconds 5] [--customers 20000] [--trials 10]
`--rivals` names the Python of an environment with fastapi, uvicorn, orjson and shap (group `http_rivals`) beside ours.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd

from benchmarks.common import keep
from benchmarks.http_load import load, prepared
from configs.settings import Settings, load_product, load_settings
from demo.asking import requests_of
from serving import access, service
from serving.identity import KEY

PRODUCT = "consumer_platform"
ROOT = Path(__file__).parents[1]
AS_OF = pd.Timestamp("2024-12-31")


def furnished(home: Path, customers: int, trials: int, product: str = PRODUCT) -> Settings:
    """A home with a champion trained on simulated customers, by the commands a person would give."""
    data = home / "data"
    by = ("--reason", "to be measured", "--despite-gate", "a benchmark")
    _command(home, "data", "simulate", "--product", product, "--customers", str(customers), "--out", str(data))
    _command(home, "train", "--product", product, "--data", str(data), "--trials", str(trials), codes=(0, 1))
    os.environ[KEY] = access.create_key(home, "benchmark", "admin")
    version = next(path.name for path in (home / "bundles" / product).iterdir() if path.is_dir())
    _command(home, "models", "promote", "--product", product, version, *by)
    return load_settings(home, {"serving": {"port": _free_port()}})


def _command(home: Path, *words: str, codes: tuple[int, ...] = (0,)) -> None:
    ran = subprocess.run([sys.executable, "-m", "creditloop", *words], env=_environment(home), cwd=ROOT)
    if ran.returncode not in codes:
        sys.exit(f"creditloop {' '.join(words)} ended with {ran.returncode}")


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "CREDITLOOP_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def bodies(home: Path, count: int, product_name: str = PRODUCT) -> list[dict[str, Any]]:
    """Questions about customers of the portfolio, each with what was known of them on the day."""
    product = load_product(product_name, home)
    frames = {name: pd.read_parquet(home / "data" / f"{name}.parquet") for name in product.tables}
    months = frames["statements"]
    months = months[(months["month"] <= AS_OF) & (months["month"] > AS_OF - pd.DateOffset(months=2))]
    chosen = months["customer_id"].drop_duplicates().sample(count, random_state=1).astype(str)
    return requests_of(product, frames, chosen.to_numpy(object), AS_OF)


@contextmanager
def running(command: list[str], environment: dict[str, str], port: int, body: bytes, home: Path) -> Iterator[int]:
    """A service in a process of its own, once it answers with 200; gives its port."""
    with (home / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 180
        while not _answers(port, body):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{command}: {(home / f'{port}.log').read_text()[-2000:]}")
            time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(port: int, request: bytes) -> bool:
    head, _, content = request.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    try:
        return httpx.post(f"http://127.0.0.1:{port}/v1/decide", content=content, headers=fields).status_code == 200
    except httpx.TransportError:
        return False


def contenders(settings: Settings, rivals: str | None) -> dict[str, tuple[list[str], dict[str, str], int]]:
    """The command, environment and port of each service."""
    home, found = settings.home, {}
    found["creditloop"] = (
        service.command(settings), service.environment(settings, (PRODUCT,)), settings.serving.port
    )  # fmt: skip
    port = _free_port()
    command = [sys.executable, "-m", "bentoml", "serve", "benchmarks.http_empty:Empty", "--port", str(port)]
    empty = {**service.environment(settings, (PRODUCT,)), "BENTOML_CONFIG_OPTIONS": "services.empty.workers=1"}
    found["empty route"] = (
        [*command, "--host", "127.0.0.1", "--working-dir", str(ROOT)],
        {**empty, "PYTHONPATH": str(ROOT), "BENTOML_HOME": str(home / "bentoml-empty")},
        port,
    )
    for name in ("frugal", "usual") if rivals else ():
        port = _free_port()
        words = [str(rivals), "-m", "benchmarks.http_services", name, str(home), PRODUCT, str(port)]
        found[name] = (words, _environment(home), port)
    return found


def measure(
    ports: dict[str, int], requests: dict[str, list[bytes]], rounds: int, seconds: float
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Of each service and number of connections, what each round measured."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {name: {"1": [], "16": []} for name in ports}
    for name, port in ports.items():
        load(port, requests[name], 4, min(seconds, 2.0))
    for _ in range(rounds):
        for connections in (1, 16):
            for name, port in ports.items():
                found[name][str(connections)].append(load(port, requests[name], connections, seconds).told())
    return found


def summary(rounds: dict[str, list[dict[str, Any]]], ours: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians of one service, and how many times as many decisions a second ours made in the same round."""
    told = {}
    for connections, measured in rounds.items():
        ratios = [
            mine["per_second"] / other["per_second"] for mine, other in zip(ours[connections], measured, strict=True)
        ]
        told[connections] = {
            **{key: float(np.median([one[key] for one in measured])) for key in ("per_second", "p50_ms", "p99_ms")},
            "ours_over_this": float(np.median(ratios)),
            "low": min(ratios),
            "high": max(ratios),
            "statuses": [one["statuses"] for one in measured],
        }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--home", type=Path, help="kept, and used again where it holds a champion")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        home = (arguments.home or Path(stack.enter_context(tempfile.TemporaryDirectory()))).resolve()
        if (home / "bundles" / PRODUCT).exists():
            settings = load_settings(home, {"serving": {"port": _free_port()}})
        else:
            settings = furnished(home, arguments.customers, arguments.trials)
        key, asked = access.create_key(home, "benchmark", "score"), bodies(home, 200)
        services = contenders(settings, arguments.rivals)
        requests = {name: prepared(asked, port, key) for name, (_, _, port) in services.items()}
        ports = {
            name: stack.enter_context(running(command, environment, port, requests[name][0], home))
            for name, (command, environment, port) in services.items()
        }
        rounds = measure(ports, requests, arguments.rounds, arguments.seconds)
    found = {name: summary(measured, rounds["creditloop"]) for name, measured in rounds.items()}
    for name, told in found.items():
        for connections, one in told.items():
            print(
                f"{name:>12}, {connections:>2} connections: {one['per_second']:8,.0f} decisions/s, p50 "
                f"{one['p50_ms']:.2f} ms, p99 {one['p99_ms']:.2f} ms; "
                f"ours {one['ours_over_this']:.2f}x ({one['low']:.2f} to {one['high']:.2f})"
            )
    body_bytes = float(np.mean([len(request) for request in requests["creditloop"]]))
    print(keep("http", {"rounds": arguments.rounds, "seconds": arguments.seconds, "bytes": body_bytes, **found}))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
