"""Group commit: one thread records what many callers wait for."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from serving.ledger import Entry, Ledger, LedgerError, Record

log = logging.getLogger("creditloop.serving")
_CARRIED = 8  # records: a millisecond or two, about the time between two decisions of one caller
_Waiting = list[tuple[Entry, Future[Record]]]


class Writer:
    """Group commit: one thread that records whatever waits in one transaction, then tells each caller.

    `committed` hears of each commit how many records it held and how many seconds it took.
    """

    def __init__(self, ledger: Ledger, batch: int, committed: Callable[[int, float], None] = lambda *_: None) -> None:
        self._ledger = ledger
        self._batch = batch
        self._committed = committed
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, entry: Entry) -> Future[Record]:
        """Queue `entry`; the future holds its record once the commit is durable, or the LedgerError.

        It cannot be cancelled: a caller that no longer waits neither unmakes the record nor stops the writer.
        """
        return self.submit_all([entry])[0]

    def submit_all(self, entries: Sequence[Entry]) -> list[Future[Record]]:
        """Queue `entries` for one transaction: all are recorded, or none."""
        waiting: _Waiting = [(entry, Future()) for entry in entries]
        for _, done in waiting:
            done.set_running_or_notify_cancel()
        self._waiting.put(waiting)
        return [done for _, done in waiting]

    def close(self) -> None:
        """Record what still waits, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        behind = 0
        while (first := self._waiting.get()) is not None:
            group = list(first)
            stop = False
            while len(group) < self._batch and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    stop = True
                    break
                group += following
            self._commit(group)
            if stop:
                return
            behind += len(group)
            if behind >= _CARRIED and self._waiting.empty():
                self._carry_over()
                behind = 0

    def _commit(self, group: _Waiting) -> None:
        started = time.perf_counter()
        try:
            records = self._ledger.append([entry for entry, _ in group])
        except Exception as error:  # whatever it is, every caller must hear that nothing was recorded
            for _, done in group:
                done.set_exception(error)
            return
        self._committed(len(group), time.perf_counter() - started)
        for (_, done), record in zip(group, records, strict=True):
            done.set_result(record)

    def _carry_over(self) -> None:
        """While nobody waits: in a commit it would take ten times as long, and somebody would."""
        try:
            self._ledger.database.carry_over()
        except LedgerError as error:
            log.error("%s", error)
