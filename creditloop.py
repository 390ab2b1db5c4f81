"""The command: each room adds its subcommands. Exit code 0 done, 1 the answer is no, 2 wrong usage or input."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import features.commands
import governance.commands
import monitoring.commands
import monitoring.customers.commands
import serving.commands
import serving.policy_commands
from configs.console import Arguments, add_command, at_least, read_settings, show
from configs.errors import CreditloopError
from configs.settings import load_product, product_names


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; errors a person can mend are one message, never a traceback."""
    arguments, unknown = _parser().parse_known_args(argv)
    if unknown:  # argparse would show the usage of creditloop, not of the command that was meant
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        with ExitStack() as arguments.ends:
            return int(arguments.run(arguments) or 0)
    except CreditloopError as error:
        print(f"creditloop: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        print(f"creditloop: {error.filename or 'input/output'}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("creditloop: stopped; what was tuned so far is kept, run again to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="creditloop",
        description="Credit scoring as one closed loop: features, training, serving, monitoring, retraining.",
        epilog="All is kept in $CREDITLOOP_HOME, or ./var. Exit code 0: done, 1: the answer is no, 2: wrong input.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_demo(commands)
    serving.commands.add_training(commands)
    serving.commands.add_serving(commands, console="console.service:Creditloop")
    serving.policy_commands.add_policy(commands)
    monitoring.commands.add_monitoring(commands)
    monitoring.customers.commands.add_customers(commands)
    governance.commands.add_governance(commands)
    features.commands.add(commands)
    add_command(commands, "doctor", _doctor, "versions, stores, and whether settings and products are sound")
    return parser


def _add_demo(commands: Any) -> None:
    demo = add_command(commands, "demo", _demo, "the whole loop on simulated portfolios, in about two minutes")
    demo.add_argument("--products", default="consumer_platform,trade_credit", help="which, with commas (%(default)s)")
    demo.add_argument("--customers", type=at_least(1), default=6000, help="of each portfolio (%(default)s)")
    demo.add_argument("--seed", type=at_least(0), default=2026, help="of the simulation (%(default)s)")


def _demo(arguments: Arguments) -> int:
    from demo import loop

    return loop.run(read_settings(arguments), arguments.products.split(","), arguments.customers, arguments.seed)


_CREDENTIALS = re.compile(r"(?<=://)[^/]*(?=@)")  # of a URL; a password may hold an @


def _doctor(arguments: Arguments) -> int:
    import sqlite3
    from importlib.metadata import version

    from serving.store import loses_commits

    settings = read_settings(arguments)
    libraries = ("lightgbm", "optuna", "mlflow", "bentoml", "evidently", "pandas", "numpy", "numba")
    values = {
        "python": sys.version.split()[0],
        "home": settings.home,
        "stores": {name: _CREDENTIALS.sub("***", url) for name, url in settings.stores.model_dump().items()},
        "products": product_names(settings.home),
        "libraries": {name: version(name) for name in libraries},
    }
    for name in product_names(settings.home):
        load_product(name, settings.home)
    told = [*(f"{key:<10} {value}" for key, value in values.items()), "settings and products are sound"]
    if settings.serving.workers > 1 and loses_commits(settings.stores.ledger, sqlite3.sqlite_version_info):
        values["warning"] = (
            f"{settings.serving.workers} workers share a ledger in SQLite {sqlite3.sqlite_version}, which may "
            "very rarely lose a commit: use 3.51.3 or later, PostgreSQL, or one worker (docs/operations.md)"
        )
        told.append(f"warning: {values['warning']}")
    show(arguments, values, "\n".join(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
