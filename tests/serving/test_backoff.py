"""Backoff: what is new is tried at once, what failed ever less often."""

from __future__ import annotations

import itertools

from serving.backoff import LONGEST_SECONDS, Backoff


def tries(seconds: int) -> list[int]:
    """The seconds at which something that always fails is tried, looked at each second."""
    backoff, made = Backoff(), []
    for now in range(seconds):
        if backoff.due("p", "v1", now):
            backoff.failed("p", "v1", now)
            made.append(now)
    return made


def test_what_fails_is_tried_after_2_4_8_seconds() -> None:
    assert tries(40) == [0, 2, 6, 14, 30]


def test_the_longest_wait_is_kept() -> None:
    made = tries(4000)
    assert max(later - earlier for earlier, later in itertools.pairwise(made)) == LONGEST_SECONDS


def test_something_new_is_tried_at_once() -> None:
    backoff = Backoff()
    backoff.failed("p", "v1", 0.0)
    assert (backoff.due("p", "v1", 0.5), backoff.due("p", "v2", 0.5), backoff.due("q", "v1", 0.5)) == (
        False,
        True,
        True,
    )


def test_what_worked_starts_afresh() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.failed("p", "v1", 0.0)
    backoff.worked("p")
    backoff.failed("p", "v1", 100.0)
    assert backoff.due("p", "v1", 102.0)
