"""kill -9, a full disk, an I/O error at exactly one system call that writes: each such call of a run has its turn.

The program makes keys, records and signs as the command and the service do. strace counts its calls and picks one;
there is no hook in the code.
"""

from __future__ import annotations

import random
import signal
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from serving import access
from serving.ledger import Ledger
from serving.verify_ledger import read_anchors
from tests.campaign import tracing
from tests.campaign.acts import KEY, keep_house, keep_writing, opened
from tests.campaign.trials import Trials
from training.signature import public_key

pytestmark = pytest.mark.campaign
SAYS = "lambda line: print(line, flush=True)"
HOUSE = f"import sys, pathlib, tests.campaign.acts as acts; acts.keep_house(pathlib.Path(sys.argv[1]), 'x', {SAYS})"
WRITING = f"import sys, tests.campaign.acts as acts; acts.keep_writing(sys.argv[1], 'x', {SAYS})"


def whole(home: Path, told: list[str]) -> None:
    """What was acknowledged is there, the chain holds, signatures and keys can be read."""
    with closing(opened(home)) as ledger:
        ledger.verify(read_anchors(home / "anchors", (public_key(KEY),)))
        recorded = {record.entry.id: record.body() for record in ledger.records("decision")}
        assert {line.removeprefix("ok ") for line in told if line.startswith("ok ")} <= recorded.keys()
    assert all(who.name == "ada" for who in access.load_keys(home).values())


def test_a_kill_at_any_write_leaves_a_whole_home_and_a_rerun_finishes(tmp_path: Path, trials: Trials) -> None:
    tracing.require()
    (tmp_path / "sound").mkdir()
    code, told, calls = tracing.run(HOUSE, [str(tmp_path / "sound")], tmp_path)
    assert (code, told[-1]) == (0, "done")
    points = [(name, place) for name in tracing.WRITES for place in range(1, calls[name] + 1)]
    random.Random(trials.seed).shuffle(points)
    hit = Counter[str]()
    for number in trials:
        name, place = points[number % len(points)]
        home = tmp_path / str(number)
        home.mkdir()
        code, told, _ = tracing.run(HOUSE, [str(home)], tmp_path, f"{name}:signal=SIGKILL:when={place}")
        hit[name] += code == -signal.SIGKILL
        whole(home, told)
        again: list[str] = []
        keep_house(home, "y", again.append)
        whole(home, [*told, *again])
    trials.found(points=len(points), killed_at=dict(hit))
    assert sum(hit.values()) >= 0.9 * trials.count


def test_a_write_that_fails_is_acknowledged_to_nobody_and_the_ledger_goes_on(tmp_path: Path, trials: Trials) -> None:
    """No space, no quota, an error of the device: at a write or a sync, once or several times in a row."""
    tracing.require()
    _, _, calls = tracing.run(WRITING, [f"sqlite:///{tmp_path}/sound.db"], tmp_path)
    names = [name for name in ("pwrite64", "fdatasync", "ftruncate") if calls[name]]
    refused, recorded_though, met = 0, 0, Counter[str]()
    for number in trials:
        rng = random.Random(trials.seed + number)
        name, error = rng.choice(names), rng.choice(["EIO", "ENOSPC", "EDQUOT"])
        first = rng.randint(1, calls[name])
        url = f"sqlite:///{tmp_path}/{number}.db"
        last = first + rng.choice([0, 1, 5])
        _, told, _ = tracing.run(WRITING, [url], tmp_path, f"{name}:error={error}:when={first}..{last}")
        fault = f"{error} at {name} {first}..{last}"
        again: list[str] = []
        keep_writing(url, "y", again.append)
        assert not [line for line in again if line.startswith("no ")], fault
        with closing(Ledger(url)) as ledger:
            ledger.verify()
            recorded = {record.entry.id for record in ledger.records()}
        acknowledged = {line[3:] for line in [*told, *again] if line.startswith("ok ")}
        not_told = {line[3:] for line in told if line.startswith("no ")}
        assert acknowledged <= recorded, f"{fault}: {acknowledged - recorded} were acknowledged and are lost"
        assert recorded <= acknowledged | not_told, fault
        refused, recorded_though = refused + len(not_told), recorded_though + len(recorded & not_told)
        met[f"{name} {error}"] += 1
    trials.found(refused=refused, refused_and_recorded_all_the_same=recorded_though, met=dict(sorted(met.items())))
