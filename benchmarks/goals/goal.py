"""A goal of an issue as data: what was asked, which result answers it, the bound; and how it is judged.

A goal without a bound asked for a figure to be shown. Where an issue gives no number but a word ("flat", "bounded"),
the bound and the words say how it is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from benchmarks.goals.seen import Look, Result, Seen
from benchmarks.page.words import figure

MONEY, GAIN, AUC = "{:+,.0f}", "{:+.4f}", "{:.4f}"  # forms in which figures are shown


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: `look` reads what was seen out of the result called `result`; None where that does not tell.

    `form` shows a number; `side` says on which side of `bound` it should lie.
    """

    issue: int
    words: str
    benchmark: str
    look: Look
    bound: float | None = None
    side: Literal["least", "most"] = "least"
    form: str = "{:.2f}x"
    kept: str = ""

    @property
    def result(self) -> str:
        """The name of the JSON that answers."""
        return self.kept or self.benchmark


@dataclass(frozen=True, slots=True)
class Judged:
    """A goal beside what was seen, and the verdict.

    `shown`: no bound was set; `not run`: no result tells; `undecided`: a difference whose interval holds 0.
    """

    goal: Goal
    seen: Seen | None
    verdict: Literal["met", "missed", "undecided", "shown", "not run"]

    @property
    def is_doubtful(self) -> bool:
        """Met or missed, but the bound lies inside the spread, so that another run may judge otherwise."""
        return self.verdict in ("met", "missed") and _inside(self.seen, self.goal.bound)

    @property
    def by(self) -> str:
        """How far from the bound: in percent of it, a number where it is 0; nothing where it is reached exactly."""
        goal, seen = self.goal, self.seen
        if goal.bound is None or seen is None or self.verdict == "undecided" or seen.value == goal.bound:
            return ""
        apart = abs(seen.value - goal.bound)
        if goal.bound:
            return figure(apart / goal.bound, "{:.0%}")
        return figure(apart, goal.form.replace("+", ""))


def judged(goal: Goal, results: Mapping[str, Result]) -> Judged:
    """What the results say of a goal."""
    found = results.get(goal.result)
    seen = goal.look(found) if found else None
    if seen is None:
        return Judged(goal, None, "not run")
    if goal.bound is None:
        return Judged(goal, seen, "shown")
    if goal.bound == 0 and _inside(seen, 0.0):
        return Judged(goal, seen, "undecided")
    met = seen.value >= goal.bound if goal.side == "least" else seen.value <= goal.bound
    return Judged(goal, seen, "met" if met else "missed")


def _inside(seen: Seen | None, bound: float | None) -> bool:
    if seen is None or bound is None or seen.low is None or seen.high is None:
        return False
    return seen.low < bound < seen.high
