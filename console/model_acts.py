"""What persons do about a version: approve, reject, find, waive, promote, roll back; by the name of their key alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from configs.errors import InputError
from configs.settings import Product, load_product
from console.models import version_of
from console.visit import Elsewhere, State, Visit
from serving import approval, champion, finding, promoting, waiver
from serving.approval import Word
from serving.live import utc_now
from serving.review_commands import read_version
from training.bundle import Bundle

_MIRRORS = """
import sys
from configs.settings import home_folder, load_settings
from training.registry import mirror_champion
mirror_champion(*sys.argv[1:], load_settings(home_folder()).stores.tracking)
"""


def approve(visit: Visit) -> Elsewhere:
    """Say yes."""
    return _say(visit, "approve")


def reject(visit: Visit) -> Elsewhere:
    """Say no."""
    return _say(visit, "reject")


def _say(visit: Visit, word: Word) -> Elsewhere:
    bundle, product = _loaded(visit)
    approval.record(visit.state.ledger, bundle, product.digest(), word, visit.by, visit.said("reason"), utc_now())
    return _back(bundle, word)


def find(visit: Visit) -> Elsewhere:
    """Put a finding about the version on record."""
    bundle, _ = _loaded(visit)
    severity = visit.said("severity")
    if severity not in finding.SEVERITIES:
        known = ", ".join(finding.SEVERITIES)
        raise InputError(visit.say("{name}: expected one of {known}", name="severity", known=known))
    due, text = visit.said_day("due"), visit.said("reason")
    finding.add(visit.state.ledger, bundle, severity, due, text, visit.by, utc_now())
    return _back(bundle, "find")


def close(visit: Visit) -> Elsewhere:
    """Close a finding with what was done about it."""
    bundle, product = _loaded(visit)
    finding.close(visit.state.ledger, product.name, visit.said("finding"), visit.said("remedy"), visit.by, utc_now())
    return _back(bundle, "close-finding")


def waive(visit: Visit) -> Elsewhere:
    """Let a version stand for a time that the gate did not pass."""
    bundle, product = _loaded(visit)
    longest = visit.state.settings.governance.waiver_days
    words = (visit.by, visit.said("reason"), visit.said_day("until"))
    waiver.record(visit.state.ledger, bundle, product.digest(), *words, longest, utc_now())
    return _back(bundle, "waive")


def promote(visit: Visit) -> Elsewhere:
    """Make the version the champion, once nothing stands in the way."""
    state, (bundle, product) = visit.state, _loaded(visit)
    promoting.promote(state.ledger, state.settings, bundle, product, visit.by, visit.said("reason"), utc_now())
    _mirror(state, product.name, bundle.version)
    return Elsewhere(f"/models?product={product.name}&done=promote")


def rollback(visit: Visit) -> Elsewhere:
    """Make the former champion the champion again."""
    state = visit.state
    product = load_product(visit.scorer.product.name, state.settings.home)
    made = champion.rollback(state.ledger, state.settings.home, product, visit.by, visit.said("reason"), utc_now())
    _mirror(state, product.name, made.version)
    return Elsewhere(f"/models?product={product.name}&done=rollback")


def _loaded(visit: Visit) -> tuple[Bundle, Product]:
    """The version asked for, loaded and fit for the product as its file is now."""
    return read_version(visit.state.settings, visit.scorer.product.name, version_of(visit))


def _back(bundle: Bundle, done: str) -> Elsewhere:
    return Elsewhere(f"/models/{bundle.version}?product={bundle.product}&done={done}")


def _mirror(state: State, product: str, version: str) -> None:
    """MLflow's alias follows in a process of its own: its import alone takes seconds, and serving does not need it.

    It reads the URL of the store itself: a command line is for every user to read, and a URL may hold a password.
    """
    subprocess.Popen(
        [sys.executable, "-c", _MIRRORS, product, version],
        cwd=Path(__file__).parents[1], env={**os.environ, "CREDITLOOP_HOME": str(state.settings.home)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
