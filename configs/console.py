"""What every subcommand shares: how it speaks on a terminal, and how words of the command line become values."""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from configs.settings import Settings, home_folder, load_settings

Arguments = argparse.Namespace
_EPOCH = dt.date(1970, 1, 1).toordinal()


class Console:
    """Says what happens: stages as lines, trials as a progress bar, in a log as a line every so many seconds."""

    _started = time.monotonic()

    def __init__(self, prefix: str = "", every_seconds: float = 30.0) -> None:
        self._prefix, self._every = prefix, every_seconds
        self._bar: Any = None
        self._told = self._started

    def stage(self, told: str) -> None:
        """What happens next."""
        self._close()
        self._line(f"{told} ...")

    def trial(self, done: int, wanted: int, best: float) -> None:
        """A trial ended."""
        if not sys.stderr.isatty():
            if time.monotonic() - self._told >= self._every:
                self._line(f"tuning: {done} of {wanted} trials, best log-loss {best:.5f}")
            return
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(
                total=wanted,
                initial=done - 1,
                unit="trial",
                desc=f"{self._prefix}  tuning",
                leave=False,
            )
        self._bar.set_postfix_str(f"best log-loss {best:.5f}")
        self._bar.update(1)
        if done == wanted:
            self._close()

    def _line(self, told: str) -> None:
        self._told = time.monotonic()
        print(f"[{self._told - self._started:5.0f} s] {self._prefix}{told}", file=sys.stderr, flush=True)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def read_settings(arguments: Arguments) -> Settings:
    overrides: dict[str, Any] = {}
    for section in ("training", "serving"):
        given = {
            key: getattr(arguments, key)
            for key in ("trials", "seed", "workers", "port", "host")
            if hasattr(arguments, key)
        }
        known = {"training": ("trials", "seed", "workers"), "serving": ("port", "host")}[section]
        overrides[section] = {key: given[key] for key in known if given.get(key) is not None}
    home = home_folder()
    home.mkdir(parents=True, exist_ok=True)
    return load_settings(home, overrides)


def day(text: str) -> int:
    try:
        return dt.date.fromisoformat(text).toordinal() - _EPOCH
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a date like 2026-01-31, got {text!r}") from None


def at_least(lowest: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not re.fullmatch(r"-?\d+", text) or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {lowest}, got {text!r}")
        return int(text)

    return whole


def today() -> int:
    return dt.datetime.now(dt.UTC).date().toordinal() - _EPOCH


def show(arguments: Arguments, values: Mapping[str, Any], told: str) -> None:
    if arguments.json:
        import msgspec

        # Unlike json's, an encoder without NaN and Infinity: what is not a number is null.
        told = msgspec.json.format(msgspec.json.encode(values, enc_hook=str), indent=1).decode()
    print(told)


def add_command(commands: Any, name: str, run: Callable[[Arguments], int], told: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=told, description=told)
    parser.set_defaults(run=run, parser=parser)
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    return parser


def add_group(commands: Any, name: str, told: str) -> Any:
    return commands.add_parser(name, help=told, description=told).add_subparsers(required=True, metavar="COMMAND")


def add_product(parser: argparse.ArgumentParser, required: bool = True) -> None:
    parser.add_argument("--product", required=required, metavar="NAME", help="a product file's name, or a path to one")
