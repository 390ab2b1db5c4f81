"""HTTP services side by side: a home with a champion, each service in a process of its own, all asked in turn.

What the HTTP benchmarks share. Each round asks every service, so that it gives one ratio; first a warm-up of each.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd

from benchmarks.common import ROOT
from benchmarks.http_load import load
from configs.settings import Settings, load_product, load_settings
from demo.asking import requests_of
from serving import access, service
from serving.identity import KEY

PRODUCT = "consumer_platform"
AS_OF = pd.Timestamp("2024-12-31")
SPREAD = "lowest and highest ratio of the rounds"

Rounds = dict[str, dict[str, list[dict[str, Any]]]]
"""Of each service and number of connections, what each round measured."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A service: what starts it, in what environment, its port, and the requests it is sent, bytes each."""

    command: Sequence[str]
    environment: Mapping[str, str]
    port: int
    requests: Sequence[bytes]


def parser(told: str | None) -> argparse.ArgumentParser:
    """The options that the benchmarks share."""
    made = argparse.ArgumentParser(description=told, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=7)
    made.add_argument("--seconds", type=float, default=5.0)
    made.add_argument("--customers", type=int, default=20_000)
    made.add_argument("--trials", type=int, default=10)
    made.add_argument("--home", type=Path, help="kept, and used again where it holds a champion")
    return made


@contextmanager
def champions_home(arguments: argparse.Namespace) -> Iterator[Settings]:
    """Settings, with a free port, of a home that holds a champion: the one asked for, or one of the moment."""
    with tempfile.TemporaryDirectory() as scratch:
        home = (arguments.home or Path(scratch)).resolve()
        if not (home / "bundles" / PRODUCT).exists():
            furnished(home, arguments.customers, arguments.trials)
        yield load_settings(home, {"serving": {"port": free_port()}})


def furnished(home: Path, customers: int, trials: int, product: str = PRODUCT) -> None:
    """A champion trained on simulated customers, by the commands a person would give."""
    data = home / "data"
    by = ("--reason", "to be measured", "--despite-gate", "a benchmark")
    _command(home, "data", "simulate", "--product", product, "--customers", str(customers), "--out", str(data))
    _command(home, "train", "--product", product, "--data", str(data), "--trials", str(trials), codes=(0, 1))
    os.environ[KEY] = access.create_key(home, "benchmark", "admin")
    version = next(path.name for path in (home / "bundles" / product).iterdir() if path.is_dir())
    _command(home, "models", "promote", "--product", product, version, *by)


def _command(home: Path, *words: str, codes: tuple[int, ...] = (0,)) -> None:
    ran = subprocess.run([sys.executable, "-m", "creditloop", *words], env=environment(home), cwd=ROOT)
    if ran.returncode not in codes:
        sys.exit(f"creditloop {' '.join(words)} ended with {ran.returncode}")


def environment(home: Path) -> dict[str, str]:
    """What a process of ours must find in its environment: the home, this code, one thread a library."""
    return {**os.environ, "CREDITLOOP_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def bodies(home: Path, count: int, product_name: str = PRODUCT) -> list[dict[str, Any]]:
    """Questions about customers of the portfolio, each with what was known of them on the day."""
    product = load_product(product_name, home)
    frames: dict[str, pd.DataFrame] = {
        name: pd.read_parquet(home / "data" / f"{name}.parquet") for name in product.tables
    }
    months = frames["statements"]
    months = months[(months["month"] <= AS_OF) & (months["month"] > AS_OF - pd.DateOffset(months=2))]
    chosen = months["customer_id"].drop_duplicates().sample(count, random_state=1).astype(str)
    return requests_of(product, frames, chosen.to_numpy(object), AS_OF)


def ours(settings: Settings, requests: Sequence[bytes]) -> Contender:
    """Our service."""
    return Contender(
        service.command(settings), service.environment(settings, (PRODUCT,)), settings.serving.port, requests
    )


def compared(contenders: Mapping[str, Contender], arguments: argparse.Namespace, home: Path) -> dict[str, Any]:
    """All contenders, started and asked in turn: medians of each. `creditloop` is one of them."""
    with ExitStack() as stack:
        for name, contender in contenders.items():
            stack.enter_context(_running(contender, home / f"{name}.log"))
        rounds = _measure(contenders, arguments.rounds, arguments.seconds)
    return {name: _summary(measured, rounds["creditloop"]) for name, measured in rounds.items()}


@contextmanager
def _running(contender: Contender, log: Path) -> Iterator[None]:
    """The service in a session of its own, once it answers with 200: a server may lie in a child of what is started."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            contender.command, env=contender.environment, cwd=ROOT, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 180
        while not _answers(contender):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{contender.command}: {log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def _answers(contender: Contender) -> bool:
    head, _, content = contender.requests[0].partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    url = f"http://127.0.0.1:{contender.port}{first.split()[1]}"
    try:
        asked = httpx.post(url, content=content, headers=dict(line.split(": ", 1) for line in rest))
    except httpx.TransportError:
        return False
    if asked.status_code not in (200, 503):
        sys.exit(f"{url} answers {asked.status_code}: {asked.text[:500]}")
    return asked.status_code == 200


def _measure(contenders: Mapping[str, Contender], rounds: int, seconds: float) -> Rounds:
    found: Rounds = {name: {"1": [], "16": []} for name in contenders}
    for one in contenders.values():
        load(one.port, one.requests, 4, min(seconds, 2.0))
    for _ in range(rounds):
        for connections in (1, 16):
            for name, one in contenders.items():
                found[name][str(connections)].append(load(one.port, one.requests, connections, seconds).told())
    return found


def _summary(rounds: dict[str, list[dict[str, Any]]], ours: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians of one service, and how many times as many answers a second ours made in the same round."""
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


def show(found: Mapping[str, Any]) -> None:
    """Print what `compared` gave, one line for each service and number of connections."""
    for name, told in found.items():
        for connections, one in told.items():
            print(
                f"{name:>12}, {connections:>2} connections: {one['per_second']:8,.0f} answers/s, p50 "
                f"{one['p50_ms']:.2f} ms, p99 {one['p99_ms']:.2f} ms; "
                f"ours {one['ours_over_this']:.2f}x ({one['low']:.2f} to {one['high']:.2f}); {one['statuses'][0]}"
            )


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
