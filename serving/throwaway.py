"""A model version tried in a process of its own, before this one trusts it: whatever it does, only that process dies.

A damaged model text aborts the process that reads it, and no `try` helps. The hash and the signature find damage; what
was made badly and signed all the same ends here.
Run by Trial: python -m serving.throwaway < JSON of home, product, version, seconds
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from configs.errors import BundleError, CreditloopError
from configs.settings import Product

ROOT = Path(__file__).parents[1]


class Trial:
    """One version on trial, `seconds` at most: `passed` is asked until it says True or raises, then `end` called."""

    def __init__(self, home: Path, product: Product, version: str, seconds: float) -> None:
        self._version, self._seconds = version, seconds
        asked = {"home": str(home), "product": product.model_dump_json(), "version": version, "seconds": seconds}
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `end`
        with tempfile.TemporaryFile() as told:
            told.write(json.dumps(asked).encode())
            told.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serving.throwaway"],
                stdin=told,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                cwd=ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def passed(self, wait: bool = False) -> bool:
        """Whether it is through; False while it goes on, unless to `wait`. Raises BundleError where it failed."""
        code = self._process.wait() if wait else self._process.poll()
        if not code:
            return code is not None
        if code == -signal.SIGALRM:
            told = f"was not through after {self._seconds:g} s"
        elif code < 0:
            told = f"was ended by {signal.Signals(-code).name}"
        else:
            self._said.seek(0)
            lines = self._said.read().decode(errors="replace").strip().splitlines()
            told = f"ended with {code}: {lines[-1][:500] if lines else 'without a word'}"
        raise BundleError(f"{self._version}: the process that tried it {told}")

    def end(self) -> None:
        """Stop it if it goes on, and forget what it said."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._said.close()


def main() -> int:
    """Fetch, load, score the golden rows, explain them and score nobody: all that the first request would need."""
    asked = json.load(sys.stdin)
    # By the clock of the system, whatever the model's own code does, and even where nobody waits any more.
    signal.setitimer(signal.ITIMER_REAL, asked["seconds"])
    with suppress(OSError):  # Linux: where memory runs out, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000")
    from serving import champion
    from serving.score import make_scorer, warm
    from training import bundle as bundles
    from training.signature import trusted_in

    home, product = Path(asked["home"]), Product.model_validate_json(asked["product"])
    try:
        folder = champion.bundle_folder(home, product.name, asked["version"])
        warm(make_scorer(bundles.load(folder, trusted_in(home)), product))
    except CreditloopError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
