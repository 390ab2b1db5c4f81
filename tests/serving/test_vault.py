"""Sealed records: read back as written, unreadable once the customer is erased, and the chain whole all along."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from configs.errors import ConfigError, CreditloopError, InputError, Refusal
from serving.ledger import Entry, Ledger, LedgerError, canonical
from serving.vault import CustomerKey, Erased, Vault

NOW = "2026-01-01"


def decision(name: str, customer: str, key: str | None = None) -> Entry:
    return Entry(name, "decision", "p", customer, NOW, canonical({"salary of": name}), key, personal=True)


@pytest.fixture
def master(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / "master.key"


@contextmanager
def opened(url: str, master: Path | None) -> Iterator[Ledger]:
    ledger = Ledger(url, None if master is None else Vault(master))
    try:
        yield ledger
    finally:
        ledger.close()


@pytest.fixture
def ledger(url: str, master: Path) -> Iterator[Ledger]:
    with opened(url, master) as made:
        made.append([decision("d-1", "Ada"), decision("d-2", "Ben"), decision("d-3", "Ada")])
        yield made


def test_a_sealed_record_reads_as_it_was_written(ledger: Ledger) -> None:
    assert [(r.entry.id, r.entry.subject, r.body()) for r in ledger.records()] == [
        ("d-1", "Ada", {"salary of": "d-1"}),
        ("d-2", "Ben", {"salary of": "d-2"}),
        ("d-3", "Ada", {"salary of": "d-3"}),
    ]
    found = ledger.latest_about("decision", "Ada")
    assert found is not None
    assert found.entry.id == "d-3"
    assert [record.entry.id for record in ledger.about(["Ada"])] == ["d-1", "d-3"]


def test_whoever_has_the_database_alone_reads_nothing(ledger: Ledger, url: str) -> None:
    with opened(url, None) as other, pytest.raises(LedgerError, match=r"sealed.*privacy\.master_key"):
        list(other.records())


def test_the_file_holds_no_word_of_a_record_and_after_an_erasure_not_the_name(tmp_path: Path, master: Path) -> None:
    def on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))

    with opened(f"sqlite:///{tmp_path}/ledger.db", master) as ledger:
        ledger.append([decision("d-1", "Ada Lovelace"), decision("d-2", "Ben")])
        assert b"salary" not in on_disk()
        assert b"Ada Lovelace" in on_disk()  # beside her key: how else would she be found
        ledger.erase("Ada Lovelace", "DPO", "her wish", NOW)
        assert b"Ada Lovelace" not in on_disk()
        assert b"Ben" in on_disk()


def test_an_erased_customer_is_left_out_and_the_chain_is_whole(ledger: Ledger, url: str) -> None:
    before = ledger.verify()
    assert ledger.erase("Ada", "DPO", "her wish", NOW) == 2
    assert ledger.verify()[0] == before[0] + 1
    assert [r.entry.id for r in ledger.records("decision")] == ["d-2"]
    assert ledger.about(["Ada"]) == []
    gone = ledger.by_id("d-1")
    assert gone is not None
    assert (gone.erased, gone.entry.body, gone.entry.subject[:2]) == (True, b"", "c-")
    with pytest.raises(Erased, match=r"d-1.*erased"):
        gone.body()
    (erasure,) = ledger.records("erasure")
    assert erasure.body() == {"by": "DPO", "reason": "her wish", "records": 2}
    assert "Ada" not in str(erasure)


def test_the_verifier_that_stands_alone_needs_no_key(tmp_path: Path, master: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/ledger.db", master) as ledger:
        ledger.append([decision("d-1", "Ada")])
        ledger.erase("Ada", "DPO", "her wish", NOW)
    master.unlink()
    command = [sys.executable, "-m", "serving.verify_ledger", str(tmp_path / "ledger.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 records, every hash holds")


def test_a_customer_who_comes_back_is_another(ledger: Ledger, url: str, master: Path) -> None:
    with opened(url, master) as serving:  # another process, that has sealed records of hers before
        serving.append([decision("d-4", "Ada")])
        ledger.erase("Ada", "DPO", "her wish", NOW)
        serving.append([decision("d-5", "Ada")])
        assert [record.entry.id for record in serving.about(["Ada"])] == ["d-5"]
    assert ledger.verify()[0] == 6


def test_a_repeated_key_gives_the_first_record_opened(ledger: Ledger) -> None:
    ledger.append([decision("d-7", "Ada", key="k")])
    (again,) = ledger.append([decision("d-8", "Ada", key="k")])
    assert (again.new, again.entry.id, again.body()) == (False, "d-7", {"salary of": "d-7"})


def test_what_is_not_about_a_customer_is_not_sealed(ledger: Ledger, url: str) -> None:
    ledger.append([Entry("p-1", "promotion", "p", "v1", NOW, canonical({"by": "x"}))])
    with opened(url, None) as other:
        found = other.by_id("p-1")
    assert found is not None
    assert found.body() == {"by": "x"}


def test_a_customer_nobody_knows_cannot_be_erased(ledger: Ledger) -> None:
    with pytest.raises(InputError, match="no sealed record of a customer 'Cyd'"):
        ledger.erase("Cyd", "DPO", "a wish", NOW)


def test_of_whom_nothing_was_recorded_because_the_key_was_used_nothing_is_kept(ledger: Ledger) -> None:
    ledger.append([decision("d-4", "Ada", "k"), decision("d-5", "Cyd", "k")])
    ledger.append([decision("d-6", "Dee", "k")])
    for customer in ("Cyd", "Dee"):
        with pytest.raises(InputError, match="no sealed record"):
            ledger.erase(customer, "an officer", "asked for it", NOW)


def test_records_in_the_clear_stop_an_erasure_that_would_promise_too_much(url: str, master: Path) -> None:
    with opened(url, None) as before:
        before.append([decision("d-0", "Ada")])
    with opened(url, master) as ledger:
        ledger.append([decision("d-1", "Ada")])
        with pytest.raises(Refusal, match="1 records about 'Ada' were made without"):
            ledger.erase("Ada", "DPO", "a wish", NOW)
        assert len(ledger.about(["Ada"])) == 2


def test_a_lost_master_key_is_never_replaced_by_a_new_one(ledger: Ledger, url: str, master: Path) -> None:
    kept = master.read_text()
    master.unlink()
    with pytest.raises(ConfigError, match="without it no decision can be read"):
        Ledger(url, Vault(master))
    assert not master.exists()
    master.write_text("00" * 32)
    with pytest.raises(ConfigError, match="is not the key of this ledger"):
        Ledger(url, Vault(master))
    for wrong in ("", "abc", "zz" * 32, "00" * 31):
        master.write_text(wrong)
        with pytest.raises(ConfigError, match=r"privacy\.master_key"):
            Ledger(url, Vault(master))
    master.write_text(kept)
    with opened(url, master) as again:
        assert len(list(again.records())) == 3


def test_the_master_key_is_nobody_elses_to_read(ledger: Ledger, master: Path) -> None:
    assert master.stat().st_mode & 0o777 == 0o600


def test_a_sealed_body_opens_as_no_other_record(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "key")
    vault.start(None)
    key = vault.new("Ada")
    sealed = vault.seal(key, "d-1", b"{}")
    assert vault.open(key, "d-1", sealed) == b"{}"
    other = vault.new("Ben")
    swapped = CustomerKey("Ada", key.pseudonym, other.sealed_key)
    for wrong_key, name, stored in (
        (key, "d-2", sealed),
        (other, "d-1", sealed),
        (swapped, "d-1", sealed),
        (key, "d-1", sealed[:-1]),
        (key, "d-1", sealed[:5]),
    ):
        with pytest.raises(CreditloopError, match="is not what was written"):
            vault.open(wrong_key, name, stored)
