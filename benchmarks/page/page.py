"""docs/benchmarks.md out of the results: the table of goals, then a section for each benchmark."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.catalogue import BENCHMARKS, Benchmark, told
from benchmarks.common import ROOT
from benchmarks.goals.every import COUNTED, GOALS
from benchmarks.goals.goal import Judged, judged
from benchmarks.page import customers, features, monitoring, serving, training, words
from benchmarks.page.plots import Picture

NOTES = ROOT / "benchmarks" / "notes"
PAGE, PICTURES = "benchmarks.md", "benchmarks"
SHOWN = customers.SHOWN | features.SHOWN | monitoring.SHOWN | serving.SHOWN | training.SHOWN
Results = Mapping[str, dict[str, Any]]

_HEAD = """# Benchmarks

Made by `python -m benchmarks render` from `benchmarks/results/` and `benchmarks/notes/`; a test holds that it is.
`python -m benchmarks run` measures everything, one after the other; `run NAME` one of them, `run --small` takes a look,
`list` tells what there is. Peers live in environments of their own, which it makes. Studies of seeds go on where they
stopped, `run --anew` begins them again; `run NAME -- --first 400` takes fresh seeds.

Single figures move by tens of percent from run to run: believe ratios and their spread. What was measured on a busy
machine says so. Faults tried on purpose are counted in [reliability.md](reliability.md), unit prices in
[scaling.md](scaling.md). In plots green reaches the goal, or is better than the rival where none is set, red does not,
blue is level or not judged; whiskers are the spread.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """The text of the page and its pictures."""

    text: str
    pictures: tuple[Picture, ...]

    @property
    def files(self) -> dict[str, str]:
        """Every file by its place under docs/."""
        return {PAGE: self.text} | {f"{PICTURES}/{one.name}.svg": one.svg for one in self.pictures}


def make(folder: Path) -> Page:
    """The page that these results make."""
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    parts, pictures = [_HEAD, _goals(found)], []
    for benchmark in BENCHMARKS:
        for block in _section(benchmark, found):
            if isinstance(block, Picture):
                pictures.append(block)
                block = f"![{block.told}]({PICTURES}/{block.name}.svg)"
            parts.append(block.strip("\n") + "\n")
    return Page("\n".join(parts), tuple(pictures))


def write(page: Page, docs: Path) -> None:
    """Write the page and its pictures; pictures that are no longer made go."""
    (docs / PICTURES).mkdir(parents=True, exist_ok=True)
    for name in _left_over(page, docs):
        (docs / name).unlink()
    for name, text in page.files.items():
        (docs / name).write_text(text, encoding="utf-8")


def stale(page: Page, docs: Path) -> list[str]:
    """The files under docs/ that are not what `page` makes."""
    wrong = [name for name, text in page.files.items() if not _is(docs / name, text)]
    return wrong + _left_over(page, docs)


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def _left_over(page: Page, docs: Path) -> list[str]:
    there = {f"{PICTURES}/{path.name}" for path in (docs / PICTURES).glob("*.svg")}
    return sorted(there - page.files.keys())


def _goals(found: Results) -> str:
    """The table of every goal, in the order of the issues."""
    each = [judged(goal, found) for goal in GOALS]
    counts = Counter(one.verdict for one in each)
    lead = (
        f"{counts['met']} goals met, **{counts['missed']} missed**, {counts['undecided']} undecided, "
        f"{counts['not run']} not run; {counts['shown']} figures were only asked to be shown. A goal is judged by "
        "the middle figure, a difference by its interval: undecided where that holds 0."
    )
    rows = [_goal(one, found) for one in each]
    head = ("issue", "goal", "seen (spread)", "", "measured by", "on")
    counted = words.table(("issue", "goal"), ((str(issue), goal) for issue, goal in COUNTED))
    rest = "Goals that count faults, or say what always holds, are tried by the suite and `python -m tests.campaign`"
    return (
        f"## Every goal\n\n{lead}\n\n{words.table(head, rows)}\n\n{rest}; "
        f"[reliability.md](reliability.md) tells how many were tried and what failed:\n\n{counted}\n"
    )


def _goal(one: Judged, found: Results) -> tuple[str, ...]:
    goal, seen = one.goal, one.seen
    run = found.get(goal.result, {}).get("run", {})
    shown = ""
    if seen is not None:
        shown = words.with_spread(seen.value, seen.low, seen.high, goal.form) + (
            f"; {seen.words}" if seen.words else ""
        )
    on = "" if seen is None else run["at"][:10] if run.get("at") else "not kept"
    on += ", busy machine" if seen and words.is_busy(run) else ""
    return str(goal.issue), goal.words, shown, _verdict(one), f"[{goal.benchmark}](#{anchor(goal.benchmark)})", on


def _verdict(one: Judged) -> str:
    verdict = "**missed**" if one.verdict == "missed" else one.verdict
    by = f" by {one.by}" if one.by else ""
    return verdict + by + ("; the goal lies within the spread" if one.is_doubtful else "")


def anchor(name: str) -> str:
    """Of a benchmark's section, as GitHub makes it of the heading."""
    title = next(one.title for one in BENCHMARKS if one.name == name).lower()
    return "".join(letter for letter in title if letter.isalnum() or letter in " -_").replace(" ", "-")


def _section(benchmark: Benchmark, found: Results) -> list[str | Picture]:
    """Heading, what is compared and how, tables and plots of its results, then the note."""
    blocks: list[str | Picture] = [
        f"## {benchmark.title}",
        f"`python -m benchmarks run {benchmark.name}`",
        told(benchmark),
    ]
    for name in benchmark.kept:
        if name not in found:
            blocks.append(f"**Not run**: there is no `benchmarks/results/{name}.json`.")
            continue
        blocks += [_provenance(found[name]), *SHOWN[benchmark.name](found[name])]
    note = NOTES / f"{benchmark.name}.md"
    return [*blocks, note.read_text(encoding="utf-8")]


def _provenance(found: Mapping[str, Any]) -> str:
    """How these figures came about: when, by what code, on what, how long, and what the spread means."""
    run = found.get("run", {})
    parts = [f"Measured: {words.last_run(found)}; {words.machine(found)}"]
    if run:
        seeds = ", ".join(map(str, run["seeds"]))
        parts += [] if run.get("busy") is None else [words.figure(run["busy"], "{:.0%}") + " of it busy before"]
        parts += [f"{run['seconds'] / 60:.1f} min", f"`{run['command']}`"]
        parts += [f"seeds {seeds}"] if seeds else []
        parts += [f"spread: {run['spread']}"] if run["spread"] else []
    return "; ".join(parts) + "."
