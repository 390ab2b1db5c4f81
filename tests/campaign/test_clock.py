"""The clock of a running service set back and forth (R7): the record's order is its own, and nobody is refused.

A few lines of C stand between the service and the system's clock; only the wall clock jumps, as a wrong time server or
an administrator would have it.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest

from configs.settings import Settings
from serving import champion
from serving.ledger import open_ledger
from tests.campaign.callers import Callers
from tests.campaign.trials import Trials
from training.bundle import Bundle

HOUR, DAY, YEAR = 3600, 86_400, 31_622_400
MOMENTS = (
    *(
        "2028-02-29T23:59:58+00:00",
        "2026-03-29T00:59:58+00:00",
        "2026-10-25T00:59:58+00:00",
        "2027-12-31T23:59:58+00:00",
    ),
)
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static long offset(void) {
  static volatile long *at, none;
  if (!at) {
    const char *name = getenv("CLOCK_OFFSET");
    int file = name ? open(name, O_RDONLY) : -1;
    void *map = file < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    at = map == MAP_FAILED ? &none : map;
  }
  return *at;
}
int clock_gettime(clockid_t which, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(which, now);
  if (!result && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += offset();
  return result;
}
int gettimeofday(struct timeval *now, void *zone) {
  struct timespec found;
  int result = clock_gettime(CLOCK_REALTIME, &found);
  now->tv_sec = found.tv_sec;
  now->tv_usec = found.tv_nsec / 1000;
  return result;
}
time_t time(time_t *into) {
  struct timespec found;
  clock_gettime(CLOCK_REALTIME, &found);
  if (into) *into = found.tv_sec;
  return found.tv_sec;
}
"""


class Clock:
    """The wall clock of every process started under it: the system's, and `offset` seconds."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        compiler = shutil.which("cc")
        if sys.platform != "linux" or compiler is None:
            pytest.skip("the clock of a process is set by a C library that is made here: no Linux, or no C compiler")
        source, made, self._offset = folder / "clock.c", folder / "clock.so", folder / "offset"
        source.write_text(SHIM, encoding="utf-8")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
        self.set(0)
        monkeypatch.setenv("LD_PRELOAD", str(made))
        monkeypatch.setenv("CLOCK_OFFSET", str(self._offset))

    def set(self, offset: int) -> None:
        with self._offset.open("r+b" if self._offset.exists() else "wb") as file:
            file.write(struct.pack("l", offset))

    def reads(self) -> float:
        """What a process that is started now takes for the time."""
        told = subprocess.run(
            [sys.executable, "-Sc", "import time; print(time.time())"], capture_output=True, check=True
        )
        return float(told.stdout)


def jump(rng: random.Random) -> int:
    """An offset: an hour, a day, a year, to and fro, none, or to two seconds before a moment calendars trip over."""
    if rng.random() < 0.25:
        return round(dt.datetime.fromisoformat(rng.choice(MOMENTS)).timestamp() - time.time())
    return rng.choice([0, HOUR, -HOUR, DAY, -DAY, YEAR, -YEAR])


@pytest.mark.campaign
def test_a_clock_that_jumps_changes_no_order_and_refuses_nobody(
    tmp_path: Path,
    furnish: Callable[[Path], Settings],
    start: Callable[[Settings], AbstractContextManager[Any]],
    bodies: list[dict[str, Any]],
    successor: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    trials: Trials,
) -> None:
    home, rng = tmp_path / "home", random.Random(trials.seed)
    home.mkdir()
    (home / "creditloop.toml").write_text("[serving]\nrequests_per_second = 2000.0\nburst = 2000\n", encoding="utf-8")
    settings, clock = furnish(home), Clock(tmp_path, monkeypatch)
    clock.set(HOUR)
    assert clock.reads() == pytest.approx(time.time() + HOUR, abs=60)
    clock.set(0)
    today = {key: value for key, value in bodies[0].items() if key != "as_of"}
    with start(settings) as service, Callers(service, bodies, count=3, pause=0.01) as callers:
        for number in trials:
            asked = {**today, "idempotency_key": f"over-{number}"}
            first = service.score.post("/v1/decide", json=asked)
            clock.set(jump(rng))
            callers.wait_for(3)
            again = service.score.post("/v1/decide", json=asked)
            assert (first.status_code, again.content) == (200, first.content), (first.text[:500], again.text[:500])
        clock.set(-YEAR)
        _is_followed(service, settings, successor)
    assert (set(callers.statuses), dict(callers.broken)) == ({200}, {})
    with closing(open_ledger(settings)) as ledger:
        ledger.verify()
        records = list(ledger.records())
    recorded = {record.entry.id: record.body()["answer"] for record in records if record.entry.kind == "decision"}
    assert {key: recorded.get(key) for key in callers.acknowledged} == callers.acknowledged
    times = [record.entry.at for record in records]
    back = sum(later < earlier for earlier, later in itertools.pairwise(times))
    trials.found(decisions=len(recorded), times_that_went_back=back)
    assert back or trials.count < 5


def _is_followed(service: Any, settings: Settings, successor: Bundle) -> None:
    """A promotion dated long before the champion's is the later all the same."""
    with closing(open_ledger(settings)) as ledger:
        now = champion.current(ledger, successor.product)
        champion.promote(ledger, successor, now, "tests", "the clock was set back", "2025-01-31T00:00:00+00:00")
    deadline = time.monotonic() + 180
    while service.score.get("/v1/models").json()[0]["model"] != successor.version:
        assert time.monotonic() < deadline, "the promotion was not followed"
        time.sleep(0.2)
