"""A real PostgreSQL of a test's own, on loopback, that can be ended and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Server:
    """A cluster in a folder, run as nobody where the tests run as root."""

    def __init__(self, folder: Path, binaries: Path, as_user: list[str]) -> None:
        self._folder, self._binaries, self._as_user = folder, binaries, as_user
        self._port = _free_port()
        self.url = f"postgresql+pg8000://tester:s3cret%2Fof%3Athe%40test@127.0.0.1:{self._port}/postgres"
        password = folder / "password"
        password.write_text("s3cret/of:the@test", encoding="utf-8")
        if as_user:
            for path in (folder, password):
                shutil.chown(path, "nobody", "nogroup")
        cluster = ["-D", folder / "data", "-U", "tester", f"--pwfile={password}", "-A", "scram-sha-256"]
        options = ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run([*as_user, binaries.with_name("initdb"), *cluster, *options], check=True, capture_output=True)

    def start(self) -> None:
        """Start it, and wait until it takes connections; again while the children of one that was killed end."""
        log = self._folder / "log"
        served = ["-D", self._folder / "data", "-p", str(self._port), "-h", "127.0.0.1", "-k", self._folder, "-F"]
        for _ in range(20):
            with log.open("w", encoding="utf-8") as output:
                self._process = subprocess.Popen(
                    [*self._as_user, self._binaries, *served], stdout=output, stderr=output
                )
            for _ in range(300):
                told = log.read_text(encoding="utf-8")
                if "ready to accept connections" in told or self._process.poll() is not None:
                    break
                time.sleep(0.1)
            if "shared memory block" not in told:
                break
            time.sleep(0.5)
        assert "ready to accept connections" in told, told

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it: SIGTERM waits for clients, SIGINT ends their transactions, SIGQUIT leaves all to recovery."""
        self._process.send_signal(how)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=30)


@contextmanager
def server() -> Iterator[Server]:
    """One that runs, for as long as the block; skips the test where there can be none."""
    pytest.importorskip("pg8000", reason="the driver pg8000 is not installed: pip install pg8000")
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), default=None)
    if binaries is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    if as_user and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv to become somebody else")
    # Not in pytest's own folder: the next pytest would close it to the user the server runs as.
    with tempfile.TemporaryDirectory(prefix="creditloop-postgres-") as made:
        running = Server(Path(made), binaries, as_user)
        running.start()
        try:
            yield running
        finally:
            running.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
