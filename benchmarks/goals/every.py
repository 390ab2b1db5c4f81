"""Every goal of issues 2 to 8, in their order."""

from __future__ import annotations

from benchmarks.goals import customers, features, monitoring, serving, training
from benchmarks.goals.goal import Goal

_ROOMS = (training, features, serving, monitoring, customers)
GOALS: tuple[Goal, ...] = tuple(sorted((goal for room in _ROOMS for goal in room.GOALS), key=lambda goal: goal.issue))

COUNTED: tuple[tuple[int, str], ...] = (
    (2, "bad input: a clear error each, exit code 2, nothing half-written"),
    (3, "one request equals the bulk row bit for bit; 2,000 damaged inputs: an error or a documented quarantine"),
    (4, "kill -9 at 200 moments of training and registering; 2,000 damaged training sets"),
    (
        5,
        "R1, R2, R4 to R10, R14, R15, R19: malformed requests, kills, damaged bundles, overload, logs, replays",
    ),
    (6, "R11, R13: poisoned outcomes, damaged windows; concurrent retrainings: one runs"),
    (7, "invariants of limits, terms, hysteresis and buckets"),
    (8, "R3, R9, R18: kills and racers of a promotion, a home of the last release; no serious finding of axe"),
)
"""Goals that are counts of faults or invariants: the suite and its campaign try them, docs/reliability.md counts."""
