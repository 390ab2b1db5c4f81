"""The ledger beside a plain list: append, batches, idempotency, compare and swap, checkpoints, erasure, tampering."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from configs.errors import CreditloopError, InputError, Refusal
from serving import checkpoint
from serving.ledger import Entry, Ledger, Record, canonical
from serving.vault import Vault
from serving.verify_ledger import Breach, check, read_anchors, rows_of
from tests.campaign.machines import walk
from tests.campaign.trials import Trials
from training.signature import PrivateKey, public_key

KEY = PrivateKey.from_private_bytes(b"creditloop: a machine's own key.")
PRODUCT, CUSTOMERS, THINGS = "p", ("ann", "bob", "cy"), ("v1", "v2")
SAID = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["decision", "outcome", "promotion"]),
        "subject": st.sampled_from([*CUSTOMERS, *THINGS]),
        "key": st.sampled_from([None, None, "k1", "k2", "k3"]),
        "body": st.integers(0, 9),
        "personal": st.booleans(),
    }
)


@dataclass
class Kept:
    """A record as the model knows it; `gone`: its customer was erased."""

    id: str
    kind: str
    subject: str
    key: str | None
    body: dict[str, Any]
    personal: bool
    gone: bool = False


class LedgerMachine(RuleBasedStateMachine):
    """What a plain list of records would do, and the ledger must."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path, self.anchors = Path(self.folder.name) / "ledger.db", Path(self.folder.name) / "anchors"
        self.kept: list[Kept] = []
        self.made = 0
        self.open()

    def open(self) -> None:
        self.ledger = Ledger(f"sqlite:///{self.path}", Vault(Path(self.folder.name) / "master"))

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    def entry(self, said: dict[str, Any], record_id: str | None = None) -> tuple[Entry, Kept]:
        self.made += 1
        name, personal = record_id or f"r{self.made}", said["personal"] and said["subject"] in CUSTOMERS
        body = {"said": said["body"], "of": name}
        entry = Entry(name, said["kind"], PRODUCT, said["subject"], "t", canonical(body), said["key"], personal)
        return entry, Kept(name, said["kind"], said["subject"], said["key"], body, personal)

    def under(self, key: str | None) -> Kept | None:
        return next((one for one in self.kept if key is not None and one.key == key), None)

    def expect(self, made: list[Record], asked: list[Kept]) -> None:
        """The model takes what is new; what repeats a key is the first record under it."""
        assert len(made) == len(asked)
        for record, one in zip(made, asked, strict=True):
            first = self.under(one.key)
            assert record.new == (first is None)
            if first is None:
                self.kept.append(one)
            self.same(record, first or one)

    def same(self, record: Record, kept: Kept) -> None:
        assert (record.entry.id, record.entry.kind, record.seq) == (kept.id, kept.kind, self.kept.index(kept) + 1)
        assert record.erased == kept.gone
        if not kept.gone:
            assert (record.entry.subject, record.body()) == (kept.subject, kept.body)

    @rule(batch=st.lists(SAID, min_size=1, max_size=4))
    def append(self, batch: list[dict[str, Any]]) -> None:
        entries, asked = zip(*map(self.entry, batch), strict=True)
        self.expect(self.ledger.append(entries), list(asked))

    @precondition(lambda self: self.kept)
    @rule(batch=st.lists(SAID, min_size=1, max_size=3), data=st.data())
    def an_id_that_is_there_already_refuses_the_whole_batch(self, batch: list[dict[str, Any]], data: Any) -> None:
        taken = data.draw(st.sampled_from(self.kept)).id
        entries = [self.entry({**said, "key": None})[0] for said in batch]
        entries.insert(data.draw(st.integers(0, len(entries))), self.entry({**batch[0], "key": None}, taken)[0])
        with pytest.raises(CreditloopError, match="could not record"):
            self.ledger.append(entries)

    @rule(said=SAID, right=st.booleans())
    def compare_and_swap(self, said: dict[str, Any], right: bool) -> None:
        entry, asked = self.entry({**said, "key": None})
        latest = next((one.id for one in reversed(self.kept) if one.kind == said["kind"]), None)
        if right:
            self.expect(self.ledger.append([entry], (said["kind"], PRODUCT, latest)), [asked])
            return
        with pytest.raises(Refusal, match="somebody was faster"):
            self.ledger.append([entry], (said["kind"], PRODUCT, "another"))

    @rule(said=SAID, subject=st.sampled_from(THINGS), since=st.integers(0, 30))
    def only_where_nothing_was_said_since(self, said: dict[str, Any], subject: str, since: int) -> None:
        entry, asked = self.entry({**said, "key": None})
        since = min(since, len(self.kept))
        if any(one.subject == subject for one in self.kept[since:]):
            with pytest.raises(Refusal, match="look again"):
                self.ledger.append([entry], unsaid=(subject, since))
        else:
            self.expect(self.ledger.append([entry], unsaid=(subject, since)), [asked])

    @rule(customer=st.sampled_from(CUSTOMERS))
    def erase(self, customer: str) -> None:
        about = [one for one in self.kept if one.subject == customer and not one.gone]
        sealed = [one for one in about if one.personal]
        if not sealed or len(sealed) < len(about):
            with pytest.raises((InputError, Refusal), match=r"no sealed record|in the clear"):
                self.ledger.erase(customer, "an officer", "asked", "t")
            return
        assert self.ledger.erase(customer, "an officer", "asked", "t") == len(sealed)
        made = self.ledger.latest("erasure", "")
        assert made is not None
        for one in sealed:
            one.gone, one.subject = True, made.entry.subject  # by the name nobody finds it any more
        self.kept.append(Kept(made.entry.id, "erasure", made.entry.subject, None, made.body(), False))
        raw = self.path.read_bytes()
        assert not any(f'"of":"{one.id}"'.encode() in raw for one in sealed)

    @precondition(lambda self: self.kept)
    @rule()
    def sign_a_checkpoint(self) -> None:
        checkpoint.write(*self.ledger.head(), "2026-01-31T00:00:00+00:00", KEY, self.anchors)

    @rule()
    def close_and_open_again(self) -> None:
        self.ledger.close()
        self.open()

    @precondition(lambda self: self.kept)
    @rule(seed=st.integers(0, 2**32))
    def whoever_tampers_is_found(self, seed: int) -> None:
        """A row changed, dropped, doubled, or a witnessed tail cut off, in a copy: the verifier says no."""
        rows, witnessed = [list(row) for row in rows_of(self.path)], read_anchors(self.anchors, (public_key(KEY),))
        rng = random.Random(seed)
        at, last = rng.randrange(len(rows)), max((one.seq for one in witnessed), default=0)
        kind = rng.choice(["change", "double", *(["drop"] if at + 1 < len(rows) else [])])
        if last and rng.random() < 0.5:  # without a witness nobody misses a tail
            at, kind = rng.randrange(last), "cut"
        if kind == "change":
            column = rng.choice([1, 2, 4, 7])
            rows[at][column] = rows[at][column] + (b"x" if column == 7 else "x")
        elif kind == "double":
            rows.insert(at, list(rows[at]))
        elif kind == "cut":
            del rows[at:]
        else:
            del rows[at]
        with pytest.raises(Breach):
            check(rows, witnessed)

    @invariant()
    def the_chain_holds_and_says_what_the_model_says(self) -> None:
        witnessed = read_anchors(self.anchors, (public_key(KEY),))
        assert self.ledger.verify(witnessed) == self.ledger.head()
        assert self.ledger.head()[0] == len(self.kept)
        found = list(self.ledger.records())
        assert [record.entry.id for record in found] == [one.id for one in self.kept if not one.gone]
        for record, one in zip(found, [one for one in self.kept if not one.gone], strict=True):
            self.same(record, one)

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def one_record_is_found_by_every_way_to_it(self, data: Any) -> None:
        one = data.draw(st.sampled_from(self.kept))
        by_id = self.ledger.by_id(one.id)
        assert by_id is not None
        self.same(by_id, one)
        latest = self.ledger.latest(one.kind, "" if one.kind == "erasure" else PRODUCT)
        assert latest is not None
        self.same(latest, next(kept for kept in reversed(self.kept) if kept.kind == one.kind))
        if one.key is not None:
            by_key = self.ledger.by_key(one.key)
            assert by_key is not None
            self.same(by_key, one)
        if not one.gone:
            about = [kept.id for kept in self.kept if kept.subject == one.subject]
            assert [made.entry.id for made in self.ledger.about([one.subject])] == about


@pytest.mark.campaign(daily=5)
def test_the_ledger_does_what_a_plain_list_would(trials: Trials) -> None:
    walk(LedgerMachine, trials)
