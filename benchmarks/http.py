"""HTTP decisions with reasons and a durable record: ours beside what people write, and beside an empty route.

All services run at once and are asked in turn, so that each round gives one ratio; first a warm-up of each.
Run: python -m benchmarks.http [--rivals PYTHON] [--rounds 7] [--seconds 5] [--customers 20000] [--trials 10]
`--rivals` names the Python of an environment with fastapi, uvicorn, orjson and shap (group `http_rivals`) beside ours.
"""

from __future__ import annotations

import datetime as dt
import sys
from typing import Any

import numpy as np

from benchmarks.common import ROOT, begun, keep
from benchmarks.http_load import prepared
from benchmarks.side_by_side import (
    PRODUCT,
    SPREAD,
    Contender,
    bodies,
    champions_home,
    compared,
    environment,
    free_port,
    ours,
    parser,
    show,
)
from configs.settings import Settings
from serving import access, service


def contenders(settings: Settings, rivals: str | None, asked: list[dict[str, Any]], key: str) -> dict[str, Contender]:
    """The services, all asked the same."""
    home, port = settings.home, free_port()
    found = {
        "creditloop": ours(settings, prepared(asked, settings.serving.port, key)),
        "empty route": Contender(
            [
                sys.executable, "-m", "bentoml", "serve", "benchmarks.http_empty:Empty",
                "--host", "127.0.0.1", "--port", str(port), "--working-dir", str(ROOT),
            ],
            {
                **service.environment(settings, (PRODUCT,)),
                "BENTOML_CONFIG_OPTIONS": "services.empty.workers=1",
                "BENTOML_HOME": str(home / "bentoml-empty"),
                "PYTHONPATH": str(ROOT),
            },
            port,
            prepared(asked, port, key),
        ),
    }  # fmt: skip
    for name in ("frugal", "usual") if rivals else ():
        port = free_port()
        words = [str(rivals), "-m", "benchmarks.http_services", name, str(home), PRODUCT, str(port)]
        found[name] = Contender(words, environment(home), port, prepared(asked, port, key))
    return found


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--rivals", metavar="PYTHON")
    arguments = options.parse_args()
    run = begun(dt.datetime.now(dt.UTC), (1,), SPREAD, arguments.rivals)
    with champions_home(arguments) as settings:
        key, asked = access.create_key(settings.home, "benchmark", "score"), bodies(settings.home, 200)
        services = contenders(settings, arguments.rivals, asked, key)
        found = compared(services, arguments, settings.home)
    show(found)
    body_bytes = float(np.mean([len(request) for request in services["creditloop"].requests]))
    print(keep("http", {"rounds": arguments.rounds, "seconds": arguments.seconds, "bytes": body_bytes, **found}, run))


if __name__ == "__main__":
    main()
