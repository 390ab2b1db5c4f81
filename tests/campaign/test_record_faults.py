"""The record under faults, at the counts that are promised: full disks, tampered logs, replays, many writers."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from configs.settings import Settings, load_settings
from serving import checkpoint
from serving.api import DecideRequest
from serving.circumstances import Arm, Circumstances
from serving.decide import Question, question_of
from serving.ledger import Entry, Ledger, canonical, entry_hash, open_ledger
from serving.live import entry_of, new_id
from serving.loading import fallback_scorer
from serving.replay import replay
from serving.score import Scorer, make_scorer
from serving.together import decide_together
from serving.verify_ledger import Breach, Checkpoint, check, read_anchors, rows_of
from tests.campaign.trials import Trials
from training.bundle import Bundle
from training.signature import public_key, signing_key

pytestmark = pytest.mark.campaign

Start = Callable[[Settings], AbstractContextManager[Any]]
Row = list[Any]
NAME = "consumer_platform"
AT = "2026-01-31T00:00:00.000000+00:00"
LENGTH, EVERY = 30, 10
ROOM = 300_000  # bytes left on the disk before it is full


class Disk:
    """A small file system in memory, whose size is what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], check=True)

    def resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], check=True)

    def used(self) -> int:
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system to fill")
    try:
        made = Disk(tmp_path / "disk")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    yield made
    subprocess.run(["umount", "-l", made.folder], check=True)


def test_a_full_disk_loses_nothing_that_was_acknowledged_and_the_service_recovers(
    tmp_path: Path,
    disk: Disk,
    furnish: Callable[[Path], Settings],
    start: Start,
    bodies: list[dict[str, Any]],
    trials: Trials,
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "creditloop.toml").write_text(f'[stores]\nledger = "sqlite:///{disk.folder}/ledger.db"\n')
    settings, acknowledged, statuses = furnish(home), {}, Counter[int]()
    asked = [{**body, "records": {}} for body in bodies]

    def ask(service: Any, place: int) -> int:
        answer = service.score.post("/v1/decide", json=asked[place % len(asked)])
        statuses[answer.status_code] += 1
        if answer.status_code == 200:
            acknowledged[answer.json()["decision_id"]] = answer.json()
        else:
            assert answer.headers["retry-after"]
        return int(answer.status_code)

    with start(settings) as service:
        for _ in trials:
            disk.resize(disk.used() + ROOM)
            full = any(ask(service, place) == 503 for place in range(2000))
            assert full, "the disk was never full"
            disk.resize(1 << 30)
            freed = time.monotonic()
            while ask(service, 0) != 200:
                assert time.monotonic() - freed < 5
                time.sleep(0.05)
        assert service.process.poll() is None
    with closing(open_ledger(settings)) as ledger:
        recorded = {record.entry.id: record.body()["answer"] for record in ledger.records("decision")}
        ledger.verify()
    trials.found(acknowledged=len(acknowledged), recorded=len(recorded), statuses=dict(statuses))
    assert set(statuses) == {200, 503}
    assert {key: recorded.get(key) for key in acknowledged} == acknowledged


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], list[Checkpoint]]:
    """The rows of a ledger of LENGTH records, some of them sealed, with a signed checkpoint after every EVERY."""
    settings = load_settings(tmp_path_factory.mktemp("sound"))
    key, anchors = signing_key(settings.signing), Path(settings.serving.anchor)
    with closing(open_ledger(settings)) as ledger:
        for place in range(1, LENGTH + 1):
            body = canonical({"of": place, "said": "ünïcode €"})
            sealed, kept_under = place % 3 == 0, f"k{place}" if place % 4 == 0 else None
            ledger.append([Entry(f"d{place}", "decision", "p", f"c{place}", AT, body, kept_under, personal=sealed)])
            if place % EVERY == 0:
                checkpoint.write(*ledger.head(), AT, key, anchors)
    rows = [list(row) for row in rows_of(Path(settings.stores.ledger.removeprefix("sqlite:///")))]
    return rows, read_anchors(anchors, (public_key(key),))


def flipped(rng: random.Random, cell: Any) -> Any:
    """A cell with one bit changed, or made into what it never is."""
    if isinstance(cell, int):
        return cell ^ (1 << rng.randrange(8))
    if cell is None or rng.random() < 0.05:
        return rng.choice(["", b"", 0, 1.5, None, "x"])
    raw = bytearray(cell if isinstance(cell, bytes) else cell.encode(errors="surrogateescape"))
    if not raw:
        return "x"
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw) if isinstance(cell, bytes) else raw.decode(errors="surrogateescape")


def rechained(rows: list[Row], first: int) -> list[Row]:
    """The rows with every hash from `first` on as whoever knows how would make it."""
    for place in range(first, len(rows)):
        row = rows[place]
        row[0], row[8] = place + 1, rows[place - 1][9] if place else "0" * 64
        row[9] = entry_hash(row[0], Entry(row[1], row[2], row[3], row[4], row[5], row[7], row[6]), row[8])
    return rows


def tampered(rng: random.Random, sound: list[Row]) -> tuple[list[Row], int, bool]:
    """Tampered rows, the place of the first that is not what it was, and whether all hashes were made anew."""
    rows = [list(row) for row in sound]
    at, kind = rng.randrange(len(rows)), rng.randrange(6)
    if kind in (0, 1):
        column = rng.randrange(len(rows[at]))
        rows[at][column] = flipped(rng, rows[at][column])
    elif kind == 2:
        del rows[at]
    elif kind == 3:
        rows.insert(at, list(rows[rng.randrange(len(rows))]))
    elif kind == 4:
        other = rng.randrange(len(rows))
        rows[at], rows[other] = rows[other], rows[at]
    else:
        del rows[at:]
    known = all(isinstance(row[7], bytes) and isinstance(row[1], str) for row in rows)
    anew = kind != 5 and known and rng.random() < 0.4
    first = next((n for n, (a, b) in enumerate(zip(rows, sound, strict=False)) if a != b), min(len(rows), len(sound)))
    if anew:
        try:
            rows = rechained(rows, first)
        except (UnicodeEncodeError, msgspec.ValidationError):
            anew = False
    return rows, first, anew


@pytest.mark.campaign(daily=300)
def test_every_tampered_log_is_found_and_the_place_is_named(
    sound: tuple[list[Row], list[Checkpoint]], trials: Trials
) -> None:
    rows, checkpoints = sound
    assert check(rows, checkpoints)[0] == LENGTH
    rng, tried = random.Random(trials.seed), Counter[str]()
    while sum(tried.values()) < trials.count:
        damaged, first, anew = tampered(rng, rows)
        if damaged[:LENGTH] == rows:
            continue  # nothing that a checkpoint vouches for was changed: what comes after it is an append
        with pytest.raises(Breach) as found:
            check(damaged, checkpoints)
        told = str(found.value)
        named = [int(number) for number in re.findall(r"(?:record|up to) (\d+)", told)]
        if "rewritten" in told:
            assert named[0] <= first + 1 <= named[1], (told, first)
        elif not anew:
            assert named[0] == first + 1, (told, first)
        tried["rewritten" if anew else "broken"] += 1
        trials.done()
    trials.found(**tried)


@pytest.fixture
def scorers(
    tmp_path: Path, furnish: Callable[[Path], Settings], bundle: Bundle, successor: Bundle, product: Any
) -> Any:
    """A home with its settings, and all that may answer in it: two versions and the scorecard of the first."""
    settings = furnish(tmp_path)
    made = [make_scorer(one, product) for one in (bundle, successor)]
    made += [replace(made[0], explainer=None, adviser=None), fallback_scorer(settings.home, product, bundle.version)]
    return settings, made


def varied(rng: random.Random, body: dict[str, Any]) -> Question:
    """A question about one of the customers, asked otherwise."""
    records = {name: rows[: rng.randrange(len(rows) + 1)] for name, rows in body["records"].items()}
    changed = {"requested_amount": rng.choice([None, round(rng.uniform(0, 9e4), 2)]), "advice": rng.random() < 0.1}
    changed |= {"language": rng.choice(["en", "zh"]), "group_exposure": rng.choice([None, rng.uniform(0, 1e4)])}
    request = msgspec.json.decode(json.dumps({**body, "records": records, **changed}), type=DecideRequest)
    assert request.as_of is not None
    question = question_of(request, request.as_of, "en", 4)
    arm = Arm(canary="canary-1", place=rng.random(), share=0.5, challenger=rng.random() < 0.5)
    under = [None, Circumstances(referral="referral-1"), Circumstances(canary=arm)]
    return msgspec.structs.replace(question, circumstances=rng.choice(under), rules=rng.choice([0, 1, 1]))


def test_every_replay_is_equal_to_the_last_bit(
    tmp_path: Path, scorers: tuple[Settings, list[Scorer]], bodies: list[dict[str, Any]], trials: Trials
) -> None:
    settings, answering = scorers
    rng, left = random.Random(trials.seed), trials.count
    while left > 0:
        part = min(left, 5_000)  # a ledger of its own, so that they need no room together
        file = tmp_path / "replayed.db"
        with closing(Ledger(f"sqlite:///{file}")) as ledger:
            policy = answering[0]
            body = canonical(policy.product.model_dump(mode="json"))
            ledger.append([Entry("policy", "policy", NAME, policy.policy_digest, AT, body)])
            for low in range(0, part, 32):
                scorer = rng.choice(answering)
                asked = [(varied(rng, rng.choice(bodies)), new_id()) for _ in range(min(32, part - low))]
                made = decide_together(scorer, asked)
                pairs = zip(asked, made, strict=True)
                ledger.append(
                    [entry_of(scorer, question, None, *one) for (question, _), one in pairs if isinstance(one, tuple)]
                )
            found = list(replay(ledger, settings.home))
        unequal = [one for one in found if not one.equal]
        assert not unequal, unequal[:3]
        assert len(found) == part
        trials.done(part)
        left -= part
        for path in tmp_path.glob("replayed.db*"):
            path.unlink()


def test_many_workers_and_services_on_one_ledger_lose_and_part_nothing(
    tmp_path: Path,
    furnish: Callable[[Path], Settings],
    start: Start,
    bodies: list[dict[str, Any]],
    trials: Trials,
) -> None:
    first = furnish(tmp_path).model_copy()
    workers = first.serving.model_copy(update={"workers": 2})
    ports = [first.serving.port, first.serving.port + 1]
    both = [first.model_copy(update={"serving": workers.model_copy(update={"port": port})}) for port in ports]
    count, acknowledged = trials.count, {}
    with start(both[0]) as one, start(both[1]) as other:
        # the second start replaced the keys of the first: both services follow, so both know the later ones
        keys = other.clients["score"].headers
        with httpx.Client(headers=keys, timeout=30) as client:
            wait_until_known(client, one.address)
            asked_once: set[str] = set()

            def ask(number: int) -> tuple[str, bytes]:
                service = (one, other)[number % 2]
                body = {**bodies[number // 2 % len(bodies)], "idempotency_key": f"many-{number // 2}"}
                answer = client.post(f"{service.address}/v1/decide", json=body)
                assert answer.status_code == 200, answer.text
                return body["idempotency_key"], answer.content

            with ThreadPoolExecutor(16) as pool:
                for key, content in pool.map(ask, range(2 * count)):
                    assert acknowledged.setdefault(key, content) == content
                    if key in asked_once:
                        trials.done()
                    asked_once.add(key)
    with closing(open_ledger(first)) as ledger:
        recorded = {record.entry.idempotency_key: record.body()["answer"] for record in ledger.records("decision")}
        records, _ = ledger.verify()
        equal = [one.equal for one in replay(ledger, first.home)]
    trials.found(decisions=len(recorded), records=records)
    assert recorded == {f"{NAME} {key}": json.loads(content) for key, content in acknowledged.items()}
    assert all(equal)
    assert len(equal) == count


def wait_until_known(client: httpx.Client, address: str) -> None:
    """Until a key made later is known to every worker there: several answers in a row let it in."""
    deadline, known = time.monotonic() + 60, 0
    while known < 40 and time.monotonic() < deadline:
        known = known + 1 if client.get(f"{address}/v1/models").status_code == 200 else 0
        time.sleep(0.05)
    assert known == 40
