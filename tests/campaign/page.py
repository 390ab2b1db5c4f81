"""docs/reliability.md, from the list of faults and the results that were kept: python -m tests.campaign.page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.campaign.faults import FAULTS, OTHERWISE, Fault
from tests.campaign.runs import ROOT, Run, runs_of, shown

PAGE = ROOT / "docs" / "reliability.md"
MENDED = ROOT / "tests" / "campaign" / "mended.md"
_HEAD = """# Reliability

Made by `python -m tests.campaign.page` from the results in `tests/campaign/results/`; a test holds that it is true.

Faults tried on purpose: `python -m tests.campaign --list` shows them, `python -m tests.campaign NAME --share 0.1 --seed 7`
tries one at a tenth of its promised count (`make chaos ARGS="..."` from a fresh checkout). Each run is kept, with seed,
version, machine, seconds and command. The table shows the largest run of each fault, and every later one that failed.
"tried" counts trials that ended, and the one in which a test failed: a test ends at its first failure.
"""  # noqa: E501
_COLUMNS = (
    "row",
    "fault",
    "tried of promised",
    "failed",
    "what must hold",
    "seed, commit, day, seconds",
    "what it showed",
)


def page() -> str:
    """The page as it ought to be."""
    machines = {_machine(run): None for fault in FAULTS for run in shown(runs_of(fault))}
    return "\n".join(
        [
            _HEAD,
            f"| {' | '.join(_COLUMNS)} |",
            "|---" * len(_COLUMNS) + "|",
            *(line for fault in FAULTS for line in _lines(fault)),
            "",
            f"Machines: {'; '.join(machines) or 'none yet'}.",
            "",
            "## Rows that are held otherwise\n",
            *(f"- {row}: {told}." for row, told in OTHERWISE.items()),
            "",
            MENDED.read_text(encoding="utf-8"),
        ]
    )


def _lines(fault: Fault) -> Iterator[str]:
    runs, named = shown(runs_of(fault)), f"| {fault.row} | {fault.told} (`{fault.name}`)"
    if not runs:
        yield f"{named} | **0** of {fault.count:,} | | {fault.promise} | | |"
    for run in runs:
        failed = f"**{run['failed']}**" if run["failed"] else "0"
        showed = "; ".join([*_facts(run["facts"]), *([run["failure"].splitlines()[0]] if run["failed"] else [])])
        seed = "as in the test" if run["seed"] is None else run["seed"]
        seconds = "" if run["seconds"] is None else f", {run['seconds']:,.0f} s"
        made = f"{seed}, {run['commit']}, {run['at'][:10]}{seconds}"
        counts = f"{run['tried']:,} of {fault.count:,} | {failed}"
        yield f"{named} | {counts} | {fault.promise} | {made} | {showed.replace('|', '/')} |"


def _facts(facts: dict[str, Any]) -> list[str]:
    return [f"{name.replace('_', ' ')} {_said(value)}" for name, value in facts.items()]


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_said, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_said(one)}" for key, one in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _machine(run: Run) -> str:
    known = run["machine"]
    return f"{known['cpu']}, {known['cores']} cores, Python {known['python']}"


def write() -> None:
    """Write it anew."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write()
