"""The one place that knows BentoML: its lifecycle, probes, metrics and workers around our routes."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

# Before the import: the library reads them once. Nothing we start sends usage data.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

import bentoml

from configs.errors import CreditloopError
from configs.settings import Settings, home_folder, load_settings
from serving.http import Asgi, Routes, Send
from serving.live import Live
from serving.request import Receive, Scope
from serving.routes import ROUTES, Route

_PRODUCTS = "CREDITLOOP_PRODUCTS"
OWN = "serving.service:Creditloop"
_running: list[Live] = []  # the one Live of this process, between the service's start and its end
_offered: list[Route] = []  # routes of other rooms
_beside: dict[str, Asgi] = {}  # applications of other rooms, by the path they are mounted under
_closing: list[Callable[[], None]] = []  # what they do at the end


def running() -> Live | None:
    """What this process serves with; None before its start and after its end."""
    return _running[-1] if _running else None


def offer(route: Route) -> None:
    """Answer a route of another room as those of our own: same keys, problems and description. Before a start."""
    _offered.append(route)


def mount(path: str, application: Asgi, close: Callable[[], None]) -> None:
    """Answer what lies under `path` with `application`, before a worker is started. Our routes know nothing of it.

    `close` is called when the service ends.
    """
    _beside[path] = application
    _closing.append(close)


# Its metrics are off: they keep a series for each path that was ever asked for. Ours are in metrics.py.
@bentoml.service(
    name="creditloop", traffic={"timeout": 30}, logging={"access": {"enabled": False}}, metrics={"enabled": False}
)
class Creditloop:
    """Credit decisions for the products named in the environment."""

    def __init__(self) -> None:
        products = tuple(name for name in os.environ.get(_PRODUCTS, "").split(",") if name)
        try:
            _running.append(Live(load_settings(home_folder()), products))
        except CreditloopError as error:
            sys.exit(f"creditloop: {error}")
        _settle()
        threading.Thread(target=end_with, args=(os.getppid(),), name="supervisor-watcher", daemon=True).start()

    async def __is_ready__(self) -> bool:
        return bool(_running)

    @bentoml.on_shutdown
    def close(self) -> None:
        """Record what waits before the process ends."""
        for close in _closing:
            close()
        while _running:
            _running.pop().close()


class _Behind(type(Creditloop)):  # type: ignore[misc]  # the decorator made it a Service
    """The service behind our routes: as `add_asgi_middleware` would have it, ours would stand behind BentoML's.

    Those (tracing, a timeout) cost more than half a millisecond a request, of which a decision has no use.
    """

    __slots__ = ()

    def to_asgi(self, is_main: bool = True) -> Asgi:
        """BentoML's application, asked for what is not ours."""
        routes = Routes(super().to_asgi(is_main), running, (*ROUTES, *_offered))
        return _Mounted(routes, dict(_beside)) if _beside else routes


class _Mounted:
    """Hands each request to the application its path begins with, else to our routes."""

    def __init__(self, routes: Asgi, beside: Mapping[str, Asgi]) -> None:
        self._routes, self._beside = routes, tuple(beside.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on."""
        if scope["type"] == "http":
            for under, application in self._beside:
                if scope["path"] == under or scope["path"].startswith(f"{under}/"):
                    await application(scope, receive, send)
                    return
        await self._routes(scope, receive, send)


Creditloop.__class__ = _Behind  # type: ignore[method-assign]


def _settle() -> None:
    """Nobody waits for the interpreter longer than needed.

    What has been loaded stays: no collection of garbage looks through it again, which took tenths of a second. And the
    ledger's thread, back from the disk, waits half a millisecond for its turn, not five.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(0.0005)


def end_with(supervisor: int) -> None:
    """End this process, in good order, once its parent `supervisor` is gone.

    BentoML's workers outlive a supervisor that was killed: this one would go on answering, on the same port, beside
    those of the next service.
    """
    while os.getppid() == supervisor:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def environment(settings: Settings, products: tuple[str, ...]) -> dict[str, str]:
    """What a serving process must find in its environment: home, products, one thread a library, no telemetry."""
    return {
        **os.environ,
        "CREDITLOOP_HOME": str(settings.home),
        _PRODUCTS: ",".join(products),
        "BENTOML_HOME": str(settings.home / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "true",
        "DO_NOT_TRACK": "true",
        "OMP_NUM_THREADS": "1",
        "BENTOML_CONFIG_OPTIONS": f"services.creditloop.workers={settings.serving.workers}",
    }


def command(settings: Settings, application: str = OWN) -> list[str]:
    """The command that serves; `application` is this service, or a module's name of it with more mounted."""
    serving = settings.serving
    return [
        sys.executable, "-m", "bentoml", "serve", application,
        "--host", serving.host, "--port", str(serving.port),
        "--working-dir", str(Path(__file__).parent.parent),
    ]  # fmt: skip
