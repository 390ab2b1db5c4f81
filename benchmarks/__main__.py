"""Every comparison by one command: what there is, running it, and the page made of the results."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import catalogue, running
from benchmarks.common import ROOT, kept_as, results
from benchmarks.goals.every import GOALS
from benchmarks.page import page
from benchmarks.page.words import last_run
from configs.errors import InputError, Refusal, nearest

LOOKS = ROOT / "var" / "benchmarks" / "looks"


def main() -> int:
    """0: done; 1: something failed, or the page is not what the results make; 2: wrong usage."""
    arguments = parsed(sys.argv[1:])
    try:
        return {"list": listed, "run": run, "render": rendered}[arguments.command](arguments)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except Refusal as error:
        print(error, file=sys.stderr)
        return 1


def parsed(words: list[str]) -> argparse.Namespace:
    """What is asked for; what stands behind `--` goes to the benchmark as it is."""
    at = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="each benchmark: goals, minutes, peers, last run")
    some = commands.add_parser("run", help="all, or some by name, one after the other")
    some.add_argument("names", nargs="*", metavar="NAME", help="none: all of them")
    some.add_argument("--small", action="store_true", help=f"a look that shows it works; results go to {LOOKS}")
    some.add_argument("--anew", action="store_true", help="forget the kept seeds and portfolios of studies first")
    some.add_argument("--data", type=Path, default=catalogue.data_folder(), help="the public data sets (%(default)s)")
    some.epilog = "What stands behind -- goes to the benchmark: python -m benchmarks run faults -- --first 400 --jobs 2"
    page = commands.add_parser("render", help="docs/benchmarks.md from the results")
    page.add_argument("--check", action="store_true", help="write nothing; fail where the page would differ")
    page.add_argument("--results", type=Path, default=results(), help="(%(default)s)")
    page.add_argument("--docs", type=Path, default=ROOT / "docs", help="the folder of the page (%(default)s)")
    arguments = parser.parse_args(words[:at])
    arguments.more = tuple(words[at + 1 :])
    return arguments


def listed(arguments: argparse.Namespace) -> int:
    """Every benchmark, with what its last results say of their run."""
    for one in catalogue.BENCHMARKS:
        print(f"{one.name:<16}{one.title}")
        peers = f"; peers' environment: {one.peers}" if one.peers else ""
        print(f"{'':<16}about {one.minutes:g} min{peers}")
        for goal in GOALS:
            if goal.benchmark == one.name:
                print(f"{'':<16}issue {goal.issue}: {goal.words}")
        for name in one.kept:
            print(f"{'':<16}{name}.json: {last_run(kept_as(name))}")
    return 0


def run(arguments: argparse.Namespace) -> int:
    """One after the other; at last a line for each."""
    try:
        chosen = catalogue.named(arguments.names)
    except KeyError as error:
        known = [one.name for one in catalogue.BENCHMARKS]
        raise InputError(f"no benchmark is called {error}{nearest(error.args[0], known)}; see `list`") from None
    if arguments.more and len(chosen) != 1:
        raise InputError("arguments behind -- are for one benchmark: name it")
    into = LOOKS if arguments.small else results()
    plan = running.Plan(arguments.small, arguments.data.resolve(), arguments.more, into, arguments.anew)
    ended = list(running.run_all(chosen, plan, lambda words: print(words, flush=True)))
    for one in ended:
        print(f"{one.name:<16}{one.seconds:8,.0f} s  {one.wrong or 'done'}")
    print(f"results: {into}; `python -m benchmarks render` writes the page")
    return int(any(one.wrong for one in ended))


def rendered(arguments: argparse.Namespace) -> int:
    """The page and its pictures, written or held against what is there."""
    made = page.make(arguments.results)
    if not arguments.check:
        page.write(made, arguments.docs)
        return 0
    stale = page.stale(made, arguments.docs)
    for name in stale:
        print(f"{arguments.docs / name} is not what the results make: python -m benchmarks render", file=sys.stderr)
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
