"""Group commit: one thread records what many callers wait for."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future

from serving.ledger import Entry, Ledger, Record


class Writer:
    """Group commit: one thread that records whatever waits in one transaction, then tells each caller."""

    def __init__(self, ledger: Ledger, batch: int) -> None:
        self._ledger = ledger
        self._batch = batch
        self._waiting: queue.SimpleQueue[tuple[Entry, Future[Record]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, entry: Entry) -> Future[Record]:
        """Queue `entry`; the future holds its record once the commit is durable, or the LedgerError.

        It cannot be cancelled: a caller that no longer waits neither unmakes the record nor stops the writer.
        """
        done: Future[Record] = Future()
        done.set_running_or_notify_cancel()
        self._waiting.put((entry, done))
        return done

    def close(self) -> None:
        """Record what still waits, then stop."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group = [first]
            stop = False
            while len(group) < self._batch and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    stop = True
                    break
                group.append(following)
            self._commit(group)
            if stop:
                return

    def _commit(self, group: list[tuple[Entry, Future[Record]]]) -> None:
        try:
            records = self._ledger.append([entry for entry, _ in group])
        except Exception as error:  # whatever it is, every caller must hear that nothing was recorded
            for _, done in group:
                done.set_exception(error)
            return
        for (_, done), record in zip(group, records, strict=True):
            done.set_result(record)
