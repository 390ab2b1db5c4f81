"""The subcommands from training to serving: train, models, serve, score, decisions, keys."""

from __future__ import annotations

import datetime as dt
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from configs.console import (
    Arguments,
    Console,
    add_command,
    add_product,
    at_least,
    day,
    read_settings,
    show,
    today,
)
from configs.errors import InputError, Refusal
from configs.settings import Product, Settings, load_product, product_name, product_names
from features.commands import add_places, read_tables
from serving import model_commands, record_commands
from serving.identity import add_by, author
from serving.model_commands import failed

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def add_training(commands: Any) -> None:
    """Add train and models."""
    train = add_command(commands, "train", _train, "train a challenger: tune, fit, calibrate, validate, gate, register")
    add_product(train, required=False)
    add_places(train, required=False, told="raw tables, outcomes among them")
    train.add_argument("--csv", type=Path, metavar="FILE", help="one flat table instead (CSV, TSV, parquet or ARFF)")
    train.add_argument("--label", metavar="COLUMN", help="with --csv: who went bad (two values)")
    train.add_argument("--bad", metavar="VALUE", help="with --csv: the label value that means default, if not plain")
    train.add_argument("--id", metavar="COLUMN", help="with --csv: the customer")
    train.add_argument("--time", metavar="COLUMN", help="with --csv: the date asked at; then the test is out of time")
    train.add_argument("--name", help="with --csv: the product's name (default: the file's)")
    train.add_argument("--now", type=day, metavar="DATE", help="what had matured by then trains (default: today)")
    train.add_argument("--trials", type=at_least(1), help="of the tuner (default: settings)")
    train.add_argument("--workers", type=at_least(1), help="processes that tune together (default: settings)")
    add_by(train)
    train.add_argument("--seed", type=at_least(0), help="of everything random (default: settings)")
    model_commands.add_models(commands)


def add_serving(commands: Any, console: str) -> None:
    """Add serve, score, decisions and keys. `console` names the service with the console mounted."""
    serve = add_command(commands, "serve", _serve, "answer POST /v1/decide over HTTP")
    serve.add_argument(
        "--product", action="append", metavar="NAME", help="repeat for several (default: all with a champion)"
    )
    serve.set_defaults(console=console)
    serve.add_argument("--host", help="to listen on (default: settings, loopback)")
    serve.add_argument("--port", type=at_least(1), help="to listen on (default: settings)")
    score = add_command(commands, "score", _score, "score every customer of raw tables into a file; a rerun goes on")
    add_product(score)
    add_places(score)
    score.add_argument("--as-of", type=day, metavar="DATE", help="the date asked at (default: today)")
    score.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
    score.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster that shall build the features")
    decisions = record_commands.add_decisions(commands)
    replayed = add_command(
        decisions, "replay", _decisions_replay, "decide again what was decided and compare every bit"
    )
    add_product(replayed, required=False)
    replayed.add_argument("--since", type=day, metavar="DATE", help="those made on that day (UTC) or later")
    record_commands.add_keys(commands)


def _train(arguments: Arguments) -> int:
    from serving import authorship, champion
    from serving.command_ledger import command_ledger
    from serving.live import utc_now
    from training import pipeline

    settings = read_settings(arguments)
    by = author(arguments, settings)
    product, tables, notes = _training_data(arguments, settings)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    ledger = command_ledger(arguments, settings)
    current = None
    if champion.current(ledger, product.name) is not None:
        current = champion.load_champion(ledger, settings.home, product.name)
    console = Console()
    now = today() if arguments.now is None else arguments.now
    outcome = pipeline.train(product, tables, settings, now, current, console.trial, console.stage)
    authorship.record(ledger, outcome.bundle, by, utc_now())
    test, named = outcome.validation, arguments.product or product.name
    told = [
        f"model      {outcome.bundle.version} (challenger)",
        f"AUC        {test.auc.value:.4f} ({test.auc.low:.4f} to {test.auc.high:.4f}) on {test.rows:,} unseen rows",
        f"log-loss   {test.log_loss:.4f}, calibration slope {test.calibration_slope.value:.3f}",
        f"gate       {'passed' if outcome.verdict.passed else 'NOT passed: ' + failed(outcome.verdict.to_json())}",
        f"report     {outcome.page}",
        f"bundle     {outcome.bundle.folder}",
        f"MLflow     {settings.stores.tracking}, run {outcome.run_id}",
        f"next       creditloop models promote --product {named} {outcome.bundle.version} --reason WHY",
    ]
    values = {
        "version": outcome.bundle.version,
        "validation": test.to_json(),
        "gate": outcome.verdict.to_json(),
        "run_id": outcome.run_id,
        "report": outcome.page,
    }
    show(arguments, values, "\n".join(told))
    return 0 if outcome.verdict.passed else 1


def _training_data(arguments: Arguments, settings: Settings) -> tuple[Product, Mapping[str, Any], Sequence[str]]:
    from features.flat import declared_columns, keep_product, read_flat

    if (arguments.csv is None) == (arguments.product is None):
        raise InputError("say either --product NAME with --data FOLDER, or --csv FILE with --label COLUMN")
    if arguments.product is not None:
        if arguments.data is None:
            raise InputError("--product needs --data FOLDER (creditloop data simulate makes one to try)")
        product = load_product(arguments.product, settings.home)
        return product, read_tables(arguments.data, product, settings), ()
    if arguments.label is None:
        raise InputError("--csv needs --label COLUMN: the column that says who went bad")
    name = arguments.name or re.sub(r"[^a-z0-9]+", "_", arguments.csv.stem.lower()).strip("_")
    name = name if name[:1].isalpha() else f"table_{name}"
    declared = declared_columns(name, settings.home)
    flat = read_flat(arguments.csv, arguments.label, name, arguments.id, arguments.time, arguments.bad, declared)
    path, kept = keep_product(flat.product, settings.home)
    notes = [*flat.notes, f"product file {path}: edit grades, limits and deny there"]
    return kept, flat.tables, notes


def _serve(arguments: Arguments) -> int:
    from serving import access, champion
    from serving.ledger import open_ledger
    from serving.live import utc_now
    from serving.loading import Loading

    settings = read_settings(arguments)
    for name in arguments.product or ():
        if Path(name).suffix == ".toml":
            folder, itself = settings.home / "products", product_name(name, settings.home)
            raise InputError(f"a service finds products by name: cp {name} {folder}/{itself}.toml, then {itself}")
    ledger = open_ledger(settings)
    products = tuple(arguments.product or [n for n in product_names(settings.home) if champion.current(ledger, n)])
    if not products:
        raise Refusal("no product has a champion; creditloop train, then creditloop models promote")
    loading = Loading(settings, utc_now)
    for name in products:
        loading.first(ledger, load_product(name, settings.home), time.monotonic())
        if (failed := loading.failed.get(name)) is not None:
            print(f"creditloop: {name}: the scorecard answers in the place of {failed.version}: {failed.reason}",
                  file=sys.stderr)  # fmt: skip
    ledger.close()
    if not any(who.may("score") for who in access.load_keys(settings.home).values()):
        raise InputError("no API key exists that may ask for decisions: creditloop keys create NAME --role score")
    from serving import service

    address = f"http://{settings.serving.host}:{settings.serving.port}"
    shown = settings.console.enabled
    also = f", console at {address}/console" if shown else ""
    print(f"serving {', '.join(products)} on {address} (docs at {address}/{also})", file=sys.stderr, flush=True)
    command = service.command(settings, arguments.console) if shown else service.command(settings)
    os.execve(command[0], command, service.environment(settings, products))


def _score(arguments: Arguments) -> int:
    from serving import champion, referral
    from serving.command_ledger import command_ledger
    from serving.score_book import score_book

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    ledger = command_ledger(arguments, settings)
    if (stands := referral.current(ledger, product.name)) is not None:
        raise Refusal(
            f"{product.name}: every decision is referred to a person since {stands.at}, by {stands.by} "
            f"({stands.reason}); creditloop models resume ends that"
        )
    scorer = champion.champion_scorer(ledger, settings.home, product)
    as_of = today() if arguments.as_of is None else arguments.as_of
    share, scheduler = settings.data.quarantine_share, arguments.scheduler
    done = score_book(scorer, arguments.data, as_of, arguments.out, share, scheduler)
    for told in done.set_aside:
        print(f"note: set aside, {told}; creditloop data check says why", file=sys.stderr)
    if done.resumed:
        print(f"note: {done.resumed:,} customers were scored by an earlier run", file=sys.stderr)
    told = f"{done.customers:,} customers scored by {scorer.bundle.version} into {arguments.out}: " + ", ".join(
        f"{count:,} {name}" for name, count in done.decisions.items()
    )
    show(arguments, {"rows": done.customers, "out": arguments.out, "decisions": done.decisions}, told)
    return 0


def _decisions_replay(arguments: Arguments) -> int:
    from serving.command_ledger import command_ledger
    from serving.replay import replay

    settings = read_settings(arguments)
    since = None if arguments.since is None else _EPOCH + dt.timedelta(days=arguments.since)
    name = product_name(arguments.product, settings.home) if arguments.product else None
    replayed = list(replay(command_ledger(arguments, settings), settings.home, name, since))
    if arguments.product and not replayed:
        load_product(arguments.product, settings.home)  # no such product: say so
    unequal = [item for item in replayed if not item.equal]
    told = f"{len(replayed):,} decisions replayed, {len(replayed) - len(unequal):,} equal bit for bit"
    told += "".join(f"\n  {item.decision_id}: {item.detail}" for item in unequal[:20])
    show(arguments, {"replayed": len(replayed), "unequal": [asdict(item) for item in unequal]}, told)
    return 1 if unequal else 0
