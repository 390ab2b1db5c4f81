"""`creditloop` for tests that run many commands: a process that has imported everything forks a child for each.

Importing takes seconds, most commands a tenth of one. The child takes over working folder, environment and the three
open files of whoever calls, so that to a shell it is the command itself. The server does no work of its own, so it
has no thread, and forking it is safe.

python tests/preloaded.py serve SOCKET          imports, says "ready", serves until it is ended
python -S tests/preloaded.py run SOCKET WORDS   runs `creditloop WORDS`
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

MODULES = (
    "creditloop", "monitoring.customers.review", "monitoring.customers.overdue", "monitoring.customers.credit_file",
    "monitoring.rounds", "monitoring.retraining.retrain", "serving.replay", "serving.score_book", "training.pipeline",
    "training.registry", "training.verify",
)  # fmt: skip


def serve(path: str) -> None:
    """Accept calls at `path` until the process is ended."""
    import importlib

    for name in MODULES:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks the server how a child ended
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        print("ready", flush=True)
        while True:
            call, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _become(call)
            call.close()


def _become(call: socket.socket) -> None:
    """Run the call's command in this process, as if it had been started so; tell its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, files, _, _ = socket.recv_fds(call, 1 << 20, 3)
    asked = json.loads(text)
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    code = 70
    try:
        import creditloop

        code = creditloop.main(asked["words"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        call.sendall(bytes([code]))
        os._exit(code)


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
