"""The demo as a person sees it: a process for each product, one service between them, one summary of both."""

from __future__ import annotations

import multiprocessing
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TypeVar

import httpx

from configs.console import Console
from configs.errors import CreditloopError, InputError
from configs.settings import Settings, load_product, load_settings
from demo.said import Ended, Failed, Go, Said, Screen, Trained, hear, say
from features.commands import require_simulated
from serving import key_record
from serving.ledger import open_ledger
from serving.live import utc_now
from training.signature import signing_key

_Last = TypeVar("_Last", Trained, Ended)


def run(settings: Settings, products: Sequence[str], customers: int, seed: int) -> int:
    """Go once round the loop with each product below `home`/demo, which is made anew. 0 if every step held."""
    started = time.monotonic()
    if customers < 2000:
        raise InputError(f"--customers {customers}: with fewer than 2000 there are too few defaults to learn from")
    if len(set(products)) < len(products):
        raise InputError(f"--products {','.join(products)}: name each once")
    for name in products:  # before what the last demo left is removed
        require_simulated(load_product(name, settings.home / "demo"))
    settings = _own_settings(settings)
    signing_key(settings.signing)
    with closing(open_ledger(settings)) as ledger:
        ended = _side_by_side(settings, products, customers, seed)
        Console().stage("verify the ledger")
        count, _ = ledger.verify()
    decisions, equal = sum(one.decisions for one in ended), sum(one.equal for one in ended)
    print(f"{count:,} records, every hash holds; {equal:,} of {decisions:,} decisions equal bit for bit")
    _summary(ended, settings, equal == decisions, time.monotonic() - started)
    return 0 if equal == decisions else 1


def _own_settings(settings: Settings) -> Settings:
    home = settings.home / "demo"
    if home.exists():
        shutil.rmtree(home)
    home.mkdir(parents=True)
    overrides = {
        # On so few rows more threads gain little, and the other product needs the other core.
        "training": {"trials": min(settings.training.trials, 4), "folds": 3, "max_rounds": 300, "threads": 1},
        "explanation": {"refits": 1},
        "seed_stability": {"seeds": 1},
        "monitoring": {"evidently_columns": 20},
        "serving": {"port": _free_port()},
    }
    return load_settings(home, overrides)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class _Part:
    """The process that tells one product's story, and the line to it."""

    name: str
    line: Connection


def _side_by_side(settings: Settings, products: Sequence[str], customers: int, seed: int) -> list[Ended]:
    """Every product's story at once; in the order of `products`, how each ended."""
    screen = Screen(products)
    with closing(open_ledger(settings)) as ledger:
        key = key_record.make(ledger, settings.home, "demo", "score", None, utc_now())
    with ExitStack() as stack:
        stack.callback(screen.close)
        parts = [
            stack.enter_context(_part(name, (settings, name, customers, seed + place)))
            for place, name in enumerate(products)
        ]
        _follow(parts, screen, Trained)
        address = stack.enter_context(_service(settings, tuple(products)))
        for part in parts:
            say(part.line, Go(address, key))
        return _follow(parts, screen, Ended)


@contextmanager
def _part(name: str, told: tuple[Settings, str, int, int]) -> Iterator[_Part]:
    """Spawned: a process forked after LightGBM ran hangs. Whatever happens here, it does not outlive the block."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_tell, args=(*told, theirs), name=name)
    process.start()
    theirs.close()  # so that its end is heard
    try:
        yield _Part(name, ours)
    finally:
        ours.close()
        process.join(timeout=5)
        process.terminate()
        process.join()


def _tell(settings: Settings, name: str, customers: int, seed: int, line: Connection) -> None:
    """The product's process. What it needs takes seconds to import, and only it does."""
    from demo import story

    story.tell(settings, name, customers, seed, line)


def _follow(parts: Sequence[_Part], screen: Screen, last: type[_Last]) -> list[_Last]:
    """Show what all say until each has said its `last` word; those words. Raises CreditloopError where one fails."""
    heard: dict[str, _Last] = {}
    talking = {id(part.line): part for part in parts}
    while talking:
        for line in wait([part.line for part in talking.values()]):
            part = talking[id(line)]
            word = _word(part)
            if isinstance(word, last):
                heard[part.name] = word
                del talking[id(line)]
            else:
                screen.show(part.name, word)
    return [heard[part.name] for part in parts]


def _word(part: _Part) -> Said:
    try:
        word = hear(part.line)
    except (EOFError, ConnectionError):
        raise CreditloopError(
            f"{part.name}: its process ended before its story did; what went wrong stands above"
        ) from None
    if isinstance(word, Failed):
        error = CreditloopError(f"{part.name}: {word.told}")
        error.exit_code = word.exit_code
        raise error
    return word


@contextmanager
def _service(settings: Settings, products: tuple[str, ...]) -> Iterator[str]:
    """The real service in its own process, on loopback; ended when the block ends."""
    from serving import service  # it takes seconds to import; meanwhile the products are busy

    Console().stage("start the service")
    address = f"http://{settings.serving.host}:{settings.serving.port}"
    log = settings.home / "service.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            service.command(settings),
            env=service.environment(settings, products),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_ready(address, process, log)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(480):
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{address}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    raise CreditloopError(f"the service did not become ready; see {log}")


def _summary(ended: Sequence[Ended], settings: Settings, held: bool, seconds: float) -> None:
    print(f"\n{'=' * 100}\nOnce round the loop in {seconds:.0f} s\n")
    for one in ended:
        print("\n".join(one.lines), end="\n\n")
    print(f"ledger  {settings.stores.ledger}")
    print(f"MLflow  mlflow ui --backend-store-uri {settings.stores.tracking}")
    print(f"go on   CREDITLOOP_HOME={settings.home} creditloop models list")
    print("proof   " + ("every decision replays bit for bit" if held else "SOME DECISIONS DO NOT REPLAY"))
