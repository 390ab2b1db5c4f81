"""creditloop-chaos: break things on purpose, count what held.

python -m tests.campaign --list                         what there is, how often it is promised, what was run
python -m tests.campaign kill-service R9 --share 0.1    a tenth of the promised counts of two
python -m tests.campaign --share 0.01                   a hundredth of everything
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from tqdm import tqdm

from tests.campaign import page
from tests.campaign.faults import FAULTS, OTHERWISE, Fault, named
from tests.campaign.runs import RESULTS, keep, runs_of, shown, tried
from tests.campaign.trials import FIRST_SEED


def main(words: list[str] | None = None) -> int:
    """Exit code 0: all held; 1: something did not; 2: wrong usage, or a test that could not run."""
    arguments = _parser().parse_args(words)
    if arguments.list:
        print("\n".join(_listed(arguments.into)))
        return 0
    try:
        chosen = named(arguments.faults)
    except KeyError as error:
        print(f"creditloop-chaos: {error.args[0]!r} names no fault; --list shows them", file=sys.stderr)
        return 2
    command = shlex.join(["python", "-m", "tests.campaign", *(sys.argv[1:] if words is None else words)])
    codes = [_try(fault, arguments.share, arguments.seed, command, arguments.into) for fault in chosen]
    return max(codes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="creditloop-chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="names or rows (R3) of faults; none: all of them")
    parser.add_argument("--list", action="store_true", help="show what there is and end")
    parser.add_argument("--share", type=_share, default=1.0, help="of the promised counts (default 1; may exceed 1)")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="of all that is drawn at random")
    parser.add_argument("--into", type=Path, default=RESULTS, metavar="FOLDER", help="where results are kept")
    return parser


def _share(word: str) -> float:
    value = float(word)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{word}: expected a number above 0")
    return value


def _try(fault: Fault, share: float, seed: int, command: str, into: Path) -> int:
    """Try one fault under a bar, keep what came of it, tell it."""
    each = 0.5 if sys.stderr.isatty() else 60  # seconds between two lines of the bar: a log is not filled with it
    wanted = max(1, round(fault.count * share))
    with tqdm(total=wanted, desc=fault.name, unit=f" {fault.of}", mininterval=each) as bar:

        def follow(so_far: int, wanted: int) -> None:
            bar.total = wanted or bar.total
            if so_far > bar.n:
                bar.update(so_far - bar.n)

        try:
            run = tried(fault, share, seed, command, follow)
        except RuntimeError as error:
            bar.close()
            print(error, file=sys.stderr)
            return 2
    if "skipped" in run:
        print(f"{fault.name}: skipped: {run['skipped']}")
        return 0
    keep(fault, run, into)
    if into == RESULTS:
        page.write()
    print(f"{fault.name}: {run['tried']} tried, {run['failed']} failed, {run['seconds']} s {run['facts'] or ''}")
    if run["failed"]:
        print(run["failure"], file=sys.stderr)
    return 1 if run["failed"] else 0


def _listed(into: Path) -> list[str]:
    lines = [f"{'row':4} {'name':18} {'promised':>17} {'CPU min':>8}  {'largest run':24} fault"]
    for fault in FAULTS:
        told = [f"{run['tried']:,} tried, {run['failed']} failed" for run in shown(runs_of(fault, into))[:1]]
        asked = f"{fault.count:,} {fault.of}"
        told_of = told[0] if told else "none"
        lines.append(f"{fault.row:4} {fault.name:18} {asked:>17} {fault.minutes:8g}  {told_of:24} {fault.told}")
    return [*lines, *(f"{row:4} {said}" for row, said in OTHERWISE.items())]


if __name__ == "__main__":
    sys.exit(main())
