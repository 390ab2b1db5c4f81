"""Checkpoints: signed, kept, met again; a chain rewritten with all its hashes is found against them."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.settings import Settings, load_settings
from serving import checkpoint
from serving.checkpoint import Checkpoints
from serving.ledger import Entry, Ledger, LedgerError, canonical, entry_hash, open_ledger
from serving.verify_ledger import Breach, check, main, read_anchors, read_checkpoint, record_hash, rows_of
from training.signature import public_key, signing_key

AT = "2026-01-31T00:00:00.000000+00:00"
LENGTH, EVERY = 30, 10


def entry(place: int, body: bytes | None = None) -> Entry:
    return Entry(f"d{place}", "decision", "p", f"c{place}", AT, canonical({"of": place}) if body is None else body)


@dataclass(frozen=True, slots=True)
class Kept:
    """A ledger file of LENGTH records with a checkpoint after every EVERY, and who signed them."""

    file: Path
    anchors: Path
    key: str
    settings: Settings


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    home = tmp_path_factory.mktemp("kept")
    made = load_settings(home)
    key = signing_key(made.signing)
    ledger = open_ledger(made)
    for place in range(1, LENGTH + 1):
        ledger.append([entry(place)])
        if place % EVERY == 0:
            checkpoint.write(*ledger.head(), AT, key, Path(made.serving.anchor))
    ledger.close()
    return Kept(home / "ledger.db", Path(made.serving.anchor), public_key(key), made)


def rewritten(kept: Kept, to: Path, change: Callable[[list[Entry]], list[Entry]]) -> Path:
    """The kept ledger as somebody who knows the hashes writes it anew, from the start."""
    entries = change([entry(place) for place in range(1, LENGTH + 1)])
    shutil.rmtree(to, ignore_errors=True)
    ledger = Ledger(f"sqlite:///{to}/ledger.db")
    ledger.append(entries)
    ledger.close()
    return to / "ledger.db"


def verdict(kept: Kept, file: Path) -> str:
    with pytest.raises(Breach) as caught:
        check(rows_of(file), read_anchors(kept.anchors, [kept.key]))
    return str(caught.value)


def test_an_untouched_ledger_meets_its_checkpoints(kept: Kept) -> None:
    found = read_anchors(kept.anchors, [kept.key])
    assert [item.seq for item in found] == [10, 20, 30]
    assert check(rows_of(kept.file), found)[0] == LENGTH


def test_a_chain_rewritten_with_all_its_hashes_holds_by_itself(kept: Kept, tmp_path: Path) -> None:
    """That is why there are checkpoints."""
    file = rewritten(kept, tmp_path / "new", lambda entries: [*entries[:4], entry(5, b"{}"), *entries[5:]])
    assert check(rows_of(file))[0] == LENGTH


CHANGED: dict[str, Callable[[list[Entry], int], list[Entry]]] = {
    "changed": lambda entries, at: [*entries[:at], replace(entries[at], body=b"{}"), *entries[at + 1 :]],
    "deleted": lambda entries, at: [*entries[:at], *entries[at + 1 :]],
    "inserted": lambda entries, at: [*entries[:at], entry(99), *entries[at:]],
    "exchanged": lambda entries, at: [*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]],
}


@settings(max_examples=20, deadline=None)
@given(at=st.integers(0, LENGTH - 2), kind=st.sampled_from(sorted(CHANGED)))
def test_every_rewritten_chain_is_found_and_the_stretch_named(
    kept: Kept, tmp_path_factory: pytest.TempPathFactory, at: int, kind: str
) -> None:
    place = tmp_path_factory.getbasetemp() / "rewritten"
    told = verdict(kept, rewritten(kept, place, lambda entries: CHANGED[kind](entries, at)))
    first = at // EVERY * EVERY + 1
    if kind == "deleted" and first + EVERY > LENGTH:
        assert "record 30 is missing: the chain ends" in told
    else:
        assert f"record {first}, or one after it up to {first + EVERY - 1}, was rewritten" in told


@pytest.mark.parametrize("length", [0, 9, 29])
def test_a_cut_tail_is_found(kept: Kept, tmp_path: Path, length: int) -> None:
    file = rewritten(kept, tmp_path / "cut", lambda entries: entries[:length])
    assert f"record {length + 1} is missing: the chain ends" in verdict(kept, file)


def test_an_auditor_whose_copy_lacks_the_log_is_told_where_the_tail_may_lie(kept: Kept, tmp_path: Path, capsys) -> None:
    file = rewritten(kept, tmp_path / "cut", lambda entries: entries[:9])
    assert main([str(file), "--anchors", str(kept.anchors), "--key", kept.key]) == 1
    assert "ledger's -wal file" in capsys.readouterr().err


def test_the_ledger_itself_meets_checkpoints_too(kept: Kept, tmp_path: Path) -> None:
    file = rewritten(kept, tmp_path / "new", lambda entries: [entry(1, b"{}"), *entries[1:]])
    ledger = Ledger(f"sqlite:///{file}")
    with pytest.raises(LedgerError, match="record 1, or one after it up to 10, was rewritten"):
        ledger.verify(read_anchors(kept.anchors, [kept.key]))
    ledger.close()


def test_any_changed_byte_of_a_checkpoint_is_refused(kept: Kept, tmp_path: Path) -> None:
    original = next(kept.anchors.iterdir()).read_bytes()
    path = tmp_path / "changed.checkpoint"
    for place in range(len(original)):
        path.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
        with pytest.raises(Breach, match=r"changed\.checkpoint"):
            read_checkpoint(path, [kept.key])


def test_a_checkpoint_of_another_key_is_refused(kept: Kept, tmp_path: Path) -> None:
    other = signing_key(load_settings(tmp_path).signing)
    path = checkpoint.write(10, "0" * 64, AT, other, tmp_path / "anchors")
    with pytest.raises(Breach, match="which is not trusted here"):
        read_checkpoint(path, [kept.key])


def test_a_checkpoint_that_is_there_is_left_as_it_is(kept: Kept) -> None:
    path = sorted(kept.anchors.iterdir())[0]
    found = read_checkpoint(path, [kept.key])
    before = path.read_bytes()
    assert (
        checkpoint.write(found.seq, found.hash, "2027-01-01", signing_key(kept.settings.signing), kept.anchors) == path
    )
    assert path.read_bytes() == before


def test_a_homes_own_key_is_a_witness_beside_those_it_trusts(tmp_path: Path) -> None:
    made = load_settings(tmp_path, {"signing": {"trusted": ["0" * 64]}})
    assert checkpoint.witnesses(made.signing) == ("0" * 64,)
    own = public_key(signing_key(made.signing))
    assert checkpoint.witnesses(made.signing) == ("0" * 64, own)


@given(
    seq=st.integers(1, 2**53),
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=5, max_size=5),
    key=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    body=st.binary(),
)
def test_the_verifier_hashes_like_the_ledger(seq: int, texts: list[str], key: str | None, body: bytes) -> None:
    """Two encoders of JSON, one text."""
    made = Entry(*texts, body, key)
    assert record_hash([seq, *texts, key], body, "a" * 64) == entry_hash(seq, made, "a" * 64)


def following(tmp_path: Path, records: int, seconds: float) -> tuple[Ledger, Checkpoints, Path]:
    own = {"serving": {"checkpoint_records": records, "checkpoint_seconds": seconds}}
    made = load_settings(tmp_path, own)
    ledger = open_ledger(made)
    return ledger, Checkpoints(ledger, made), Path(made.serving.anchor)


def test_a_checkpoint_is_due_after_so_many_records_or_so_many_seconds(tmp_path: Path) -> None:
    ledger, checkpoints, _ = following(tmp_path, 3, 60.0)
    ledger.append([entry(1)])
    due = [checkpoints.follow(1000.0, AT) is not None]
    for place, now in [(2, 1001.0), (3, 1002.0), (4, 1003.0), (5, 1004.0), (6, 1063.0)]:
        ledger.append([entry(place)])
        due.append(checkpoints.follow(now, AT) is not None)
    assert due == [True, False, False, True, False, True]
    ledger.close()


def test_without_a_new_record_no_checkpoint_is_written(tmp_path: Path) -> None:
    ledger, checkpoints, anchors = following(tmp_path, 1, 1.0)
    assert [checkpoints.follow(now, AT) for now in (0.0, 100.0)] == [None, None]
    assert checkpoints.finish(200.0, AT) is None
    assert not anchors.exists()
    ledger.close()


def test_the_last_checkpoint_covers_what_is_left(tmp_path: Path) -> None:
    ledger, checkpoints, _ = following(tmp_path, 100, 60.0)
    ledger.append([entry(1)])
    checkpoints.follow(1000.0, AT)
    ledger.append([entry(2)])
    assert checkpoints.follow(1001.0, AT) is None
    assert checkpoints.finish(1002.0, AT) is not None
    ledger.close()


def standing_alone(repository: Path, kept: Kept, *words: str) -> subprocess.CompletedProcess[str]:
    """The verifier as an auditor has it: the one file, on a path without creditloop."""
    command = [sys.executable, "-I", str(repository / "serving" / "verify_ledger.py"), *words]
    return subprocess.run(command, cwd=kept.file.parent, capture_output=True, text=True, timeout=60)


def test_the_verifier_runs_without_creditloop(repository: Path, kept: Kept) -> None:
    ran = standing_alone(repository, kept, str(kept.file), "--anchors", str(kept.anchors), "--key", kept.key)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("30 records, every hash holds, 3 checkpoints met; head ")


def test_the_verifier_names_the_first_bad_record(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shutil.copy(kept.file, tmp_path)
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TRIGGER records_no_UPDATE")
        connection.execute("UPDATE records SET body = x'00' WHERE seq = 7")
    connection.close()
    assert main([str(file)]) == 1
    assert "record 7 (decision d7) is not what was written" in capsys.readouterr().err


def test_the_verifier_does_not_take_an_empty_folder_for_a_witness(
    kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(kept.file), "--anchors", str(tmp_path), "--key", kept.key]) == 1
    assert "no checkpoint there" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"no database" * 1000])
def test_the_verifier_says_what_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    file = tmp_path / "ledger.db"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == 2
    assert str(file) in capsys.readouterr().err


def test_anchors_without_a_key_are_wrong_usage(kept: Kept) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(kept.file), "--anchors", str(kept.anchors)])
