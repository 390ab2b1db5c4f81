"""When the monitor runs next, and the loop that waits for it. The clock and the waiting come in from outside."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable

from configs.errors import CreditloopError
from configs.watching import Schedule

log = logging.getLogger("creditloop.monitoring")


def due(last: dt.datetime | None, schedule: Schedule, now: dt.datetime) -> dt.datetime:
    """The next moment to run, UTC: at the stated time, the last one within so many days of the `last` run.

    Without a last run, and where a run was missed, that is now: missed runs are made up by one, not by many. A last run
    that lies ahead is one of a clock that was wrong, and counts as one of now.
    """
    if last is None:
        return now
    last = min(last, now)
    day = last.astimezone(dt.UTC).date()
    planned = dt.datetime.combine(day, schedule.at, dt.UTC)
    planned += dt.timedelta(days=schedule.every_days - (planned > last))
    return max(planned, now)


def keep_watch(
    run: Callable[[dt.datetime], None],
    failed: Callable[[CreditloopError, dt.datetime], None],
    last: dt.datetime | None,
    schedule: Schedule,
    clock: Callable[[], dt.datetime],
    wait: Callable[[float], bool],
) -> int:
    """Run whenever it is due until `wait` (seconds) answers that somebody wants an end; how many runs there were.

    A run that fails is told to `failed` and is not tried again before the next moment: the loop lives on.
    """
    runs = 0
    while True:
        moment = due(last, schedule, clock())
        if wait(max(0.0, (moment - clock()).total_seconds())):
            return runs
        last, runs = clock(), runs + 1
        try:
            run(last)
        except CreditloopError as error:
            log.error("the run of %s failed: %s", last.isoformat(timespec="seconds"), error)
            failed(error, last)
