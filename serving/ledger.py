"""The one record of what was decided, promoted and observed: append-only, hash-chained, acknowledged only once durable.

Each record's hash covers its columns, the SHA-256 of its body and the hash before it:
h_n = SHA256(0x00 || canonical JSON of [seq, id, kind, product, subject, at, key, SHA256(body), h_(n-1)]).
Whoever changes, deletes or reorders a record breaks every hash after it. A cut-off tail and a chain that was rewritten
with all its hashes show only against checkpoints that were kept elsewhere (checkpoint.py).

With a vault, records about a customer are stored sealed (vault.py), and the chain is over what is stored: `erase`
deletes a customer's key, and not one hash breaks.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from configs.errors import CreditloopError, InputError, Refusal
from configs.settings import Settings
from serving import appending, store
from serving.database import Database
from serving.database import LedgerError as LedgerError
from serving.entry import Entry as Entry
from serving.entry import Record as Record
from serving.entry import canonical as canonical
from serving.entry import entry_hash as entry_hash
from serving.store import AS_STORED, CUSTOMERS, RECORDS
from serving.vault import CustomerKey, Vault, is_sealed
from serving.verify_ledger import Breach, Checkpoint, check

HOLD, RELEASED = "hold", "hold_released"  # of a customer's records, by retention.py
_KEYED = RECORDS.outerjoin(CUSTOMERS, CUSTOMERS.c.pseudonym == RECORDS.c.subject)
_READ = sa.select(RECORDS, CUSTOMERS.c.customer, CUSTOMERS.c.sealed_key).select_from(_KEYED)
_OF_KEYS = _READ.where(RECORDS.c.idempotency_key.in_(sa.bindparam("keys", expanding=True)))


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of these settings, its personal records sealed unless privacy.master_key is empty."""
    master_key = settings.privacy.master_key
    return Ledger(settings.stores.ledger, Vault(Path(master_key)) if master_key else None)


class Ledger:
    """One ledger database. Safe for several threads and processes: writers take turns in the database."""

    def __init__(self, url: str, vault: Vault | None = None) -> None:
        self.database = Database(url)
        # Who forgets `close` leaves no connection behind; at the end of the process there is nothing to wait for.
        weakref.finalize(self, self.database.close).atexit = False  # type: ignore[misc]
        self._vault = vault
        try:
            with self.database.writing() as connection:
                store.prepare(connection)
                if vault is not None:
                    some = connection.execute(sa.select(CUSTOMERS).limit(1)).first()
                    vault.start(None if some is None else _key(some))
        except CreditloopError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def append(
        self,
        entries: Sequence[Entry],
        expect: tuple[str, str, str | None] | None = None,
        unsaid: tuple[str, int] | None = None,
    ) -> list[Record]:
        """Record `entries` in order, durably, all or none; one that repeats an idempotency key gives the first record.

        `expect` (kind, product, id) demands that the latest record of that kind and product is `id` (None: that
        there is none), else Refusal: compare and swap. So does `unsaid` (subject, sequence) that nothing was recorded
        about that subject since. Raises LedgerError where the database cannot commit.
        """
        with self.database.writing() as connection:
            if expect is not None:
                _hold(connection, *expect)
            if unsaid is not None:
                _unsaid(connection, *unsaid)
            return self._append(connection, entries)

    def latest(self, kind: str, product: str) -> Record | None:
        """The newest record of a kind for a product."""
        of_kind = _READ.where(RECORDS.c.kind == kind, RECORDS.c.product == product)
        return self._first(of_kind.order_by(RECORDS.c.seq.desc()).limit(1))

    def latest_about(self, kind: str, subject: str) -> Record | None:
        """The newest record of a kind about a subject."""
        about = _READ.where(_about(subject), RECORDS.c.kind == kind)
        return self._first(about.order_by(RECORDS.c.seq.desc()).limit(1))

    def by_id(self, record_id: str) -> Record | None:
        """The record `record_id`."""
        return self._first(_READ.where(RECORDS.c.id == record_id))

    def by_key(self, key: str) -> Record | None:
        """The record first made under an idempotency key."""
        return self._first(_READ.where(RECORDS.c.idempotency_key == key))

    def records(self, kind: str | None = None, product: str | None = None, after: int = 0) -> Iterator[Record]:
        """Records in order, streamed, those with a sequence number above `after`; of one kind and product where given.

        Those of customers who were erased are left out: there is nothing in them to read.
        """
        query = _READ.where(RECORDS.c.seq > after).order_by(RECORDS.c.seq)
        if kind is not None:
            query = query.where(RECORDS.c.kind == kind)
        if product is not None:
            query = query.where(RECORDS.c.product == product)
        with self.database.reading() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query):
                record = self._record(row)
                if not record.erased:
                    yield record

    def recent(
        self, kind: str, product: str, before: int | None = None, limit: int = 50, since: int | None = None
    ) -> list[Record]:
        """The newest records of a kind for a product, newest first: `limit` at most, `since` <= sequence < `before`.

        Those of customers who were erased are among them, marked.
        """
        query = _READ.where(RECORDS.c.kind == kind, RECORDS.c.product == product)
        if before is not None:
            query = query.where(RECORDS.c.seq < before)
        if since is not None:
            query = query.where(RECORDS.c.seq >= since)
        with self.database.reading() as connection:
            found = connection.execute(query.order_by(RECORDS.c.seq.desc()).limit(limit))
            return [self._record(row) for row in found]

    def sequence_at(self, moment: str) -> int:
        """The first sequence whose record was made at `moment` (ISO, UTC) or later; one past the head where none was.

        By bisection: times rise with the sequence, except where a clock was set back.
        """
        with self.database.reading() as connection:
            low, high = 1, appending.head(connection)[0] + 1
            while low < high:
                middle = (low + high) // 2
                at = connection.execute(sa.select(RECORDS.c.at).where(RECORDS.c.seq == middle)).scalar()
                if at is not None and at < moment:
                    low = middle + 1
                else:
                    high = middle
        return low

    def erase(self, customer: str, by: str, reason: str, at: str, only: int | None = None) -> int:
        """Make every sealed record about `customer` unreadable for ever, and record who did so, when and why.

        Returns how many records that are. Raises InputError for a customer of whom none is sealed, and Refusal where
        some were stored in the clear (no record can be taken out of the chain), a legal hold stands, or they are not
        `only` so many by now.
        """
        with self.database.writing() as connection:
            row = connection.execute(sa.select(CUSTOMERS).where(CUSTOMERS.c.customer == customer)).first()
            if row is None:
                raise InputError(f"the ledger holds no sealed record of a customer {customer!r}")
            if held := _holds(connection, row.pseudonym):
                raise Refusal(f"the records about {customer!r} are under legal hold: {', '.join(held)}")
            count = sa.select(sa.func.count()).select_from(RECORDS)
            clear = connection.execute(count.where(RECORDS.c.subject == customer)).scalar_one()
            if clear:
                raise Refusal(f"{clear} records about {customer!r} were made without privacy.master_key, in the clear")
            sealed = connection.execute(count.where(RECORDS.c.subject == row.pseudonym)).scalar_one()
            if only is not None and sealed != only:
                raise Refusal(f"{customer!r} has {sealed} records by now, not {only}: look again")
            body = canonical({"by": by, "reason": reason, "records": sealed})
            self._append(connection, [Entry(f"erasure-{row.pseudonym}", "erasure", "", row.pseudonym, at, body)])
            connection.execute(sa.delete(CUSTOMERS).where(CUSTOMERS.c.pseudonym == row.pseudonym))
        self.database.empty_log()
        return int(sealed)

    def newest_by_customer(self) -> Iterator[tuple[str, str, str, int]]:
        """Of each customer who has a key and each kind of sealed record: the time of the newest, and how many."""
        newest = sa.select(CUSTOMERS.c.customer, RECORDS.c.kind, sa.func.max(RECORDS.c.at), sa.func.count())
        joined = newest.select_from(CUSTOMERS.join(RECORDS, CUSTOMERS.c.pseudonym == RECORDS.c.subject))
        with self.database.reading() as connection:
            found = connection.execute(joined.group_by(CUSTOMERS.c.customer, RECORDS.c.kind))
            yield from ((row[0], row[1], row[2], row[3]) for row in found)

    def about(self, subjects: Sequence[str]) -> list[Record]:
        """Every record about one of `subjects`, in order."""
        query = _READ.where(_about(*subjects)).order_by(RECORDS.c.seq)
        with self.database.reading() as connection:
            return [self._record(row) for row in connection.execute(query)]

    def head(self) -> tuple[int, str]:
        """Sequence and hash of the last record."""
        with self.database.reading() as connection:
            return appending.head(connection)

    def verify(
        self, checkpoints: Sequence[Checkpoint] = (), progress: Callable[[int], None] | None = None
    ) -> tuple[int, str]:
        """Recompute every hash, meet every checkpoint; the number of records and the head.

        `progress` is told every thousand records how many were checked. Raises LedgerError that names the first bad
        record.
        """
        with self.database.reading() as connection:
            rows = connection.execution_options(yield_per=1000).execute(AS_STORED)
            try:
                return check(rows if progress is None else _counted(rows, progress), checkpoints)
            except Breach as breach:
                raise LedgerError(str(breach)) from None

    def _first(self, query: sa.Select[Any]) -> Record | None:
        with self.database.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else self._record(row)

    def _record(self, row: Any) -> Record:
        entry = Entry(row.id, row.kind, row.product, row.subject, row.at, row.body, row.idempotency_key)
        if not is_sealed(row.body):
            return Record(row.seq, entry, row.hash)
        if row.sealed_key is None:
            return Record(row.seq, replace(entry, body=b"", personal=True), row.hash, erased=True)
        if self._vault is None:
            raise LedgerError(f"record {row.seq} is sealed: it opens with the key file that privacy.master_key names")
        body = self._vault.open(_key(row, row.subject), row.id, row.body)
        return Record(row.seq, replace(entry, subject=row.customer, body=body, personal=True), row.hash)

    def _append(self, connection: sa.Connection, entries: Sequence[Entry]) -> list[Record]:
        known = self._already(connection, [entry.idempotency_key for entry in entries if entry.idempotency_key])
        keys = self._keys(connection, {entry.subject for entry in _first_under(entries, known) if entry.personal})
        seq, previous = appending.head(connection)
        rows: list[appending.Row] = []
        result = []
        for entry in entries:
            if entry.idempotency_key in known:
                result.append(replace(known[entry.idempotency_key], new=False))
                continue
            seq += 1
            stored = self._sealed(entry, keys)
            digest = entry_hash(seq, stored, previous)
            rows.append(_row(seq, stored, previous, digest))
            previous = digest
            result.append(Record(seq, entry, digest))
            if entry.idempotency_key:
                known[entry.idempotency_key] = result[-1]
        if rows:
            appending.insert(connection, rows)
        return result

    def _sealed(self, entry: Entry, keys: dict[str, CustomerKey]) -> Entry:
        if self._vault is None or not entry.personal:
            return entry
        key = keys[entry.subject]
        return replace(entry, subject=key.pseudonym, body=self._vault.seal(key, entry.id, entry.body))

    def _keys(self, connection: sa.Connection, customers: set[str]) -> dict[str, CustomerKey]:
        """Their keys as they are in this transaction: one that another process has deleted seals nothing more."""
        if self._vault is None or not customers:
            return {}
        found = [CustomerKey(*row) for row in appending.keys_of(connection, list(customers))]
        keys = {key.customer: key for key in found}
        made = [self._vault.new(customer) for customer in sorted(customers - keys.keys())]
        if made:
            appending.add_keys(connection, [(key.customer, key.pseudonym, key.sealed_key) for key in made])
        return keys | {key.customer: key for key in made}

    def _already(self, connection: sa.Connection, keys: list[str]) -> dict[str | None, Record]:
        if not keys or not appending.any_known(connection, keys):
            return {}
        found = connection.execute(_OF_KEYS, {"keys": keys})
        return {row.idempotency_key: self._record(row) for row in found}


def _first_under(entries: Iterable[Entry], known: Iterable[str | None]) -> Iterator[Entry]:
    """Those that will be recorded: each that repeats no key, of a record or of an entry before it."""
    taken = set(known)
    for entry in entries:
        if entry.idempotency_key is None or entry.idempotency_key not in taken:
            yield entry
        taken.add(entry.idempotency_key)


def _key(row: Any, pseudonym: str | None = None) -> CustomerKey:
    return CustomerKey(row.customer, pseudonym or row.pseudonym, row.sealed_key)


def _counted(rows: Iterable[Any], progress: Callable[[int], None]) -> Iterator[Any]:
    for count, row in enumerate(rows):
        if count % 1000 == 0:
            progress(count)
        yield row


def _about(*subjects: str) -> sa.ColumnElement[bool]:
    pseudonyms = sa.select(CUSTOMERS.c.pseudonym).where(CUSTOMERS.c.customer.in_(subjects))
    return RECORDS.c.subject.in_(subjects) | RECORDS.c.subject.in_(pseudonyms)


def _holds(connection: sa.Connection, pseudonym: str) -> list[str]:
    """The holds on a customer that nobody let go of; told by their ids, for their bodies are sealed."""
    query = sa.select(RECORDS.c.id, RECORDS.c.kind).where(RECORDS.c.subject == pseudonym)
    found = connection.execute(query.where(RECORDS.c.kind.in_([HOLD, RELEASED]))).all()
    released = {row.id for row in found if row.kind == RELEASED}
    return [row.id for row in found if row.kind == HOLD and f"{row.id}-released" not in released]


def _hold(connection: sa.Connection, kind: str, product: str, record_id: str | None) -> None:
    of_kind = sa.select(RECORDS.c.id).where(RECORDS.c.kind == kind, RECORDS.c.product == product)
    found = connection.execute(of_kind.order_by(RECORDS.c.seq.desc()).limit(1)).scalar()
    if found != record_id:
        raise Refusal(f"the latest {kind} of {product} is {found}, not {record_id}: somebody was faster; look again")


def _unsaid(connection: sa.Connection, subject: str, seq: int) -> None:
    since = sa.select(RECORDS.c.kind).where(RECORDS.c.subject == subject, RECORDS.c.seq > seq)
    said: list[str] = list(connection.execute(since.order_by(RECORDS.c.seq)).scalars())
    if said:
        raise Refusal(f"{', '.join(said)} was said about {subject} while this was weighed: look again")


def _row(seq: int, entry: Entry, previous: str, digest: str) -> appending.Row:
    told = (entry.id, entry.kind, entry.product, entry.subject, entry.at, entry.idempotency_key, entry.body)
    return (seq, *told, previous, digest)
