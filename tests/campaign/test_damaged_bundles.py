"""Model versions damaged at random (R5): each is refused in words before LightGBM sees a byte of it, and kills nobody.

They are loaded one after another by one process beside the test, so that a death would be seen, and counted.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.campaign.trials import Trials
from training.bundle import MANIFEST, Bundle, file_digest

LOADS = """
import sys
from pathlib import Path
from configs.errors import BundleError
from training import bundle as bundles
from training.signature import trusted_in
for line in sys.stdin:
    folder = Path(line.rstrip())
    try:
        bundles.load(folder, trusted_in(Path(sys.argv[1])))
        print("loaded", flush=True)
    except BundleError as error:
        print("refused", " ".join(str(error).split()), flush=True)
"""


def _bit(rng: random.Random, path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(raw))


def _cut(rng: random.Random, path: Path) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: rng.randrange(len(raw))])


def _zeros(rng: random.Random, path: Path) -> None:
    """As a power cut leaves a file whose length reached the disk and whose blocks did not."""
    raw = bytearray(path.read_bytes())
    at = rng.randrange(len(raw))
    end = min(len(raw), at + rng.choice([1, 512, 4096]))
    raw[at:end] = bytes(end - at) if any(raw[at:end]) else b"\x01" * (end - at)
    path.write_bytes(bytes(raw))


def _longer(rng: random.Random, path: Path) -> None:
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randint(1, 4096)))


def _gone(_: random.Random, path: Path) -> None:
    path.unlink()


def _exchanged(rng: random.Random, path: Path) -> None:
    other = rng.choice([one for one in path.parent.iterdir() if one != path])
    ours, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(ours)


def _unsigned(rng: random.Random, path: Path) -> None:
    """A bit of a file, and the manifest made to agree: only the signature tells."""
    path = path if path.name not in (MANIFEST, "manifest.sig") else path.with_name("model.txt")
    _bit(rng, path)
    manifest = json.loads((path.parent / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"][path.name] = file_digest(path)
    (path.parent / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


DAMAGES: tuple[Callable[[random.Random, Path], None], ...] = (
    *(_bit, _cut, _zeros, _longer, _gone, _exchanged, _unsigned),
)


@pytest.mark.campaign
def test_a_damaged_version_is_refused_and_kills_nobody(bundle: Bundle, tmp_path: Path, trials: Trials) -> None:
    home, refused = bundle.folder.parents[2], Counter[str]()
    loading = subprocess.Popen(
        [sys.executable, "-c", LOADS, str(home)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert loading.stdin is not None
    assert loading.stdout is not None

    def said(folder: Path) -> str:
        print(folder, file=loading.stdin, flush=True)
        return loading.stdout.readline() or f"the process that loaded it ended with {loading.wait()}"

    assert said(bundle.folder) == "loaded\n"
    for number in trials:
        rng = random.Random(trials.seed + number)
        folder = Path(shutil.copytree(bundle.folder, tmp_path / str(number) / bundle.folder.name))
        path, damage = rng.choice(sorted(folder.iterdir())), DAMAGES[number % len(DAMAGES)]
        damage(rng, path)
        told = said(folder)
        assert told.startswith("refused "), f"version {number}, {damage.__name__} in {path.name}: {told}"
        refused[damage.__name__.strip("_")] += 1
        shutil.rmtree(folder.parent)
    assert said(bundle.folder) == "loaded\n", "a sound version is refused after damaged ones"
    loading.stdin.close()
    loading.wait(timeout=60)
    loading.stdout.close()
    trials.found(refused=dict(refused))
