"""What a run must remember to be made again: code, libraries, lock file, data, settings."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from configs.settings import Product, Settings

_LIBRARIES = ("lightgbm", "optuna", "mlflow", "numpy", "scipy", "scikit-learn", "pandas", "numba", "pyarrow")
# Where this machine keeps things, and whom it tells, is no part of how a model was made.
_PLACES: Any = {
    **dict.fromkeys(("home", "stores", "signing", "privacy", "notices"), True),
    "serving": {"anchor", "sources"},
}
_ROOT = Path(__file__).resolve().parent.parent


def describe_run(product: Product, settings: Settings, data_digest: str, now: str) -> dict[str, Any]:
    """The record of a training run as JSON values; what is not known here (no git, no lock file) is null."""
    lock = _ROOT / "requirements.lock"
    return {
        "now": now,
        "data_sha256": data_digest,
        "product": product.model_dump(mode="json"),
        "product_sha256": product.digest(),
        "settings": settings.model_dump(mode="json", exclude=_PLACES),
        "lock_sha256": hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else None,
        **_code(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


def _code() -> dict[str, Any]:
    """The commit this code is checked out at; an installed copy inside somebody else's repository has none."""
    if _git("rev-parse", "--show-toplevel") != str(_ROOT):
        return {"git_commit": None, "git_clean": None}
    return {"git_commit": _git("rev-parse", "HEAD"), "git_clean": _git("status", "--porcelain") == ""}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
