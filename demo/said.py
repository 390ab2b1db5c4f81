"""What the process of one product says to the one that a person looks at, and how that is shown."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import msgspec
from tqdm import tqdm

from configs.console import Console


class Stage(msgspec.Struct, frozen=True, tag=True):
    """What happens next."""

    told: str


class Step(msgspec.Struct, frozen=True, tag=True):
    """So much of something is done."""

    what: str
    done: int
    wanted: int
    note: str = ""


class Trained(msgspec.Struct, frozen=True, tag=True):
    """There is a champion, and the questions of the next months are put: the service may start."""


class Ended(msgspec.Struct, frozen=True, tag=True):
    """The story, line by line, and how many of the product's decisions were decided again, and equal."""

    lines: tuple[str, ...]
    decisions: int
    equal: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """An error written for a person, and the exit code that goes with it."""

    told: str
    exit_code: int


class Go(msgspec.Struct, frozen=True, tag=True):
    """The one word in the other direction: where the service answers, and the key it knows."""

    address: str
    key: str


Said = Stage | Step | Trained | Ended | Failed
_said = msgspec.json.Decoder(Said)
_go = msgspec.json.Decoder(Go)


def say(line: Connection, word: Said | Go) -> None:
    """Send one word. Raises BrokenPipeError where nobody listens any more."""
    line.send_bytes(msgspec.json.encode(word))


def hear(line: Connection) -> Said:
    """The next word of a product's process. Raises EOFError where it ended."""
    return _said.decode(line.recv_bytes())


def wait_for_go(line: Connection) -> Go:
    """Wait until the service answers. Raises EOFError where the other process ended."""
    return _go.decode(line.recv_bytes())


class Teller:
    """What a product's process speaks with: it has the methods of a Console."""

    def __init__(self, line: Connection) -> None:
        self._line = line

    def stage(self, told: str) -> None:
        """What happens next."""
        say(self._line, Stage(told))

    def trial(self, done: int, wanted: int, best: float) -> None:
        """A trial of the tuner ended."""
        self.step("tuning", done, wanted, f"best log-loss {best:.5f}")

    def step(self, what: str, done: int, wanted: int, note: str = "") -> None:
        """So much is done."""
        say(self._line, Step(what, done, wanted, note))


class Screen:
    """Stages as lines, and below them a bar for each product that counts something; in a log only the lines."""

    def __init__(self, products: Sequence[str]) -> None:
        self._consoles = {name: Console(f"{name}: ") for name in products}
        self._places = {name: place for place, name in enumerate(products)}
        self._bars: dict[str, tuple[str, Any]] = {}

    def show(self, product: str, word: Said) -> None:
        """Show one word of a product's process."""
        if isinstance(word, Stage):
            self._close(product)
            with tqdm.external_write_mode(sys.stderr):
                self._consoles[product].stage(word.told)
        elif isinstance(word, Step):
            self._step(product, word)

    def close(self) -> None:
        """Take away what bars there are."""
        for product in list(self._bars):
            self._close(product)

    def _step(self, product: str, step: Step) -> None:
        what, bar = self._bars.get(product, ("", None))
        if what != step.what:
            self._close(product)
            bar = tqdm(
                desc=f"{product}: {step.what}",
                total=step.wanted,
                position=self._places[product],
                leave=False,
                disable=None,  # where nobody looks, a bar is a log full of lines
            )
            self._bars[product] = step.what, bar
        bar.set_postfix_str(step.note, refresh=False)
        bar.update(step.done - bar.n)
        if step.done == step.wanted:
            self._close(product)

    def _close(self, product: str) -> None:
        with suppress(KeyError):
            self._bars.pop(product)[1].close()
