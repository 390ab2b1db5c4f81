"""`creditloop` for tests that run many commands: one process that has imported everything runs them in turn.

Importing takes seconds, most commands a tenth of one. A command runs in the process itself, with the working folder,
environment and open files of whoever calls; nothing is forked, for LightGBM and Arrow have threads of their own. So
commands share what a process caches, and one at a time is worked on: a pipe from one `creditloop` into another would
wait for ever.

python tests/preloaded.py serve SOCKET          imports, says "ready", serves until it is ended
python -S tests/preloaded.py run SOCKET WORDS   runs `creditloop WORDS`
"""

import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

MODULES = (
    "creditloop", "monitoring.customers.review", "monitoring.customers.overdue", "monitoring.customers.credit_file",
    "monitoring.rounds", "monitoring.retraining.retrain", "serving.replay", "serving.score_book", "training.pipeline",
    "training.registry", "training.verify",
)  # fmt: skip


def serve(path: str) -> None:
    """Take calls at `path`, one after another, until the process is ended."""
    import importlib

    for name in MODULES:
        importlib.import_module(name)
    import creditloop

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        print("ready", flush=True)
        while True:
            call, _ = listening.accept()
            with call:
                call.sendall(bytes([_answered(call, creditloop.main)]))


def _answered(call: socket.socket, main: Callable[[Sequence[str]], int]) -> int:
    """Run the call's command in its folder and environment, with its files; the exit code."""
    text, files, _, _ = socket.recv_fds(call, 1 << 20, 3)
    asked = json.loads(text)
    before, own = dict(os.environ), [os.dup(place) for place in range(3)]
    _put(files)
    os.chdir(asked["folder"])
    _environment(asked["environment"])
    try:
        return main(asked["words"])
    except SystemExit as ended:
        return int(ended.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        _put(own)  # else whoever reads the other end of a pipe never sees it end
        _environment(before)
        os.chdir("/")


def _put(files: Sequence[int]) -> None:
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)


def _environment(values: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(values)


def run(path: str, words: list[str]) -> int:
    """Have the server at `path` run a command with our files; its exit code."""
    asked = {"words": words, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as call:
        call.connect(path)
        socket.send_fds(call, [json.dumps(asked).encode()], [0, 1, 2])
        told = call.recv(1)
    return told[0] if told else 70


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(run(sys.argv[2], sys.argv[3:]))
