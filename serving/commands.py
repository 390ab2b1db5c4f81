"""The subcommands from training to serving: train, models, serve, score, decisions, keys."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from configs.console import (
    Arguments,
    Console,
    add_command,
    add_group,
    add_product,
    at_least,
    day,
    read_settings,
    show,
    today,
)
from configs.errors import InputError, Refusal, nearest
from configs.settings import Product, Settings, load_product, product_names
from features.commands import add_places, read_tables


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
    train.add_argument("--seed", type=at_least(0), help="of everything random (default: settings)")
    models = add_group(commands, "models", "list model versions, make one the champion")
    listed = add_command(models, "list", _models_list, "all versions; * marks the champion")
    add_product(listed, required=False)
    verified = add_command(models, "verify", _models_verify, "derive every number of a report again and compare")
    verified.add_argument("version", nargs="?", help="as `models list` names it (default: all of --product)")
    add_product(verified, required=False)
    promote = add_command(models, "promote", _models_promote, "make a version the champion, on record")
    add_product(promote)
    promote.add_argument("version", help="as `models list` names it")
    promote.add_argument("--by", required=True, metavar="NAME", help="who decides")
    promote.add_argument("--reason", required=True, help="why")
    promote.add_argument("--despite-gate", metavar="REASON", help="promote although the gate said no, on record")


def add_serving(commands: Any) -> None:
    """Add serve, score, decisions and keys."""
    serve = add_command(commands, "serve", _serve, "answer POST /v1/decide over HTTP")
    serve.add_argument(
        "--product", action="append", metavar="NAME", help="repeat for several (default: all with a champion)"
    )
    serve.add_argument("--host", help="to listen on (default: settings, loopback)")
    serve.add_argument("--port", type=at_least(1), help="to listen on (default: settings)")
    score = add_command(commands, "score", _score, "score every customer of a folder of tables into a file")
    add_product(score)
    add_places(score)
    score.add_argument("--as-of", type=day, metavar="DATE", help="the date asked at (default: today)")
    score.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
    decisions = add_group(commands, "decisions", "verify the ledger, replay decisions")
    add_command(decisions, "verify", _decisions_verify, "recompute every hash of the ledger")
    replayed = add_command(
        decisions, "replay", _decisions_replay, "decide again what was decided and compare every bit"
    )
    add_product(replayed, required=False)
    keys = add_group(commands, "keys", "API keys of the service, the key that signs model versions")
    create = add_command(keys, "create", _keys_create, "make a key, replacing the former of that name")
    create.add_argument("name", help="whose it is")
    create.add_argument("--role", required=True, help="score, read or admin")
    told = "show the public half of the key that signs model versions; make the key where there is none"
    add_command(keys, "signing", _keys_signing, told)


def _train(arguments: Arguments) -> int:
    from serving import champion
    from serving.ledger import Ledger
    from training import pipeline

    settings = read_settings(arguments)
    product, tables, notes = _training_data(arguments, settings)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    ledger = Ledger(settings.stores.ledger)
    current = None
    if champion.current(ledger, product.name) is not None:
        current = champion.load_champion(ledger, settings.home, product.name)
    console = Console()
    now = today() if arguments.now is None else arguments.now
    outcome = pipeline.train(product, tables, settings, now, current, console.trial, console.stage)
    test = outcome.validation
    told = [
        f"model      {outcome.bundle.version} (challenger)",
        f"AUC        {test.auc.value:.4f} ({test.auc.low:.4f} to {test.auc.high:.4f}) on {test.rows:,} unseen rows",
        f"log-loss   {test.log_loss:.4f}, calibration slope {test.calibration_slope.value:.3f}",
        f"gate       {'passed' if outcome.verdict.passed else 'NOT passed: ' + failed(outcome.verdict.to_json())}",
        f"report     {outcome.page}",
        f"bundle     {outcome.bundle.folder}",
        f"MLflow     {settings.stores.tracking}, run {outcome.run_id}",
        f"next       creditloop models promote --product {product.name} {outcome.bundle.version} --by YOU --reason WHY",
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


def failed(gate: Mapping[str, Any]) -> str:
    return ", ".join(check["name"] for check in gate["checks"] if not check["passed"])


def _training_data(arguments: Arguments, settings: Settings) -> tuple[Product, Mapping[str, Any], Sequence[str]]:
    from features.flat import keep_product, read_flat

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
    flat = read_flat(arguments.csv, arguments.label, name, arguments.id, arguments.time, arguments.bad)
    path, kept = keep_product(flat.product, settings.home)
    notes = [*flat.notes, f"product file {path}: edit grades, limits and deny there"]
    return kept, flat.tables, notes


def _models_promote(arguments: Arguments) -> int:
    from serving import champion
    from serving.ledger import Ledger
    from serving.live import utc_now
    from serving.score import make_scorer
    from training import bundle as bundles
    from training.registry import mirror_champion
    from training.signature import trusted_keys

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    known = champion.versions(settings.home, product.name)
    if arguments.version not in known:
        hint = nearest(arguments.version, known) or "; creditloop models list names them"
        raise InputError(f"{product.name} has no version {arguments.version!r}{hint}")
    folder = champion.bundle_folder(settings.home, product.name, arguments.version)
    bundle = bundles.load(folder, trusted_keys(settings.signing))
    make_scorer(bundle, product)
    gate = bundle.training["gate"]
    if not gate["passed"] and arguments.despite_gate is None:
        raise Refusal(
            f"{bundle.version} did not pass the gate ({failed(gate)}); --despite-gate REASON overrides, on record"
        )
    ledger = Ledger(settings.stores.ledger)
    expected = champion.current(ledger, product.name)
    reason = arguments.reason if gate["passed"] else f"{arguments.reason}; despite the gate: {arguments.despite_gate}"
    made = champion.promote(ledger, bundle, expected, arguments.by, reason, utc_now())
    mirrored = mirror_champion(product.name, bundle.version, settings.stores.tracking)
    told = f"{made.version} is champion of {product.name}, in place of {made.previous or 'none'}"
    show(arguments, asdict(made), told if mirrored else f"{told} (MLflow does not know this version)")
    return 0


def _models_list(arguments: Arguments) -> int:
    from serving import champion
    from serving.ledger import Ledger
    from training import bundle as bundles
    from training.signature import trusted_keys

    settings = read_settings(arguments)
    ledger = Ledger(settings.stores.ledger)
    rows = []
    for name in [arguments.product] if arguments.product else product_names(settings.home):
        pointer = champion.current(ledger, name)
        for version in champion.versions(settings.home, name):
            folder = champion.bundle_folder(settings.home, name, version)
            bundle = bundles.load(folder, trusted_keys(settings.signing))
            rows.append(
                {
                    "product": name,
                    "version": version,
                    "champion": bool(pointer and pointer.version == version),
                    "auc": round(bundle.validation["auc"]["value"], 4),
                    "gate_passed": bundle.training["gate"]["passed"],
                    "features": len(bundle.program.features),
                    "trees": bundle.booster.num_trees(),
                }
            )
    if arguments.product and not rows:
        load_product(arguments.product, settings.home)  # no such product: say so
    lines = [
        f"{'*' if row['champion'] else ' '} {row['version']:<44} AUC {row['auc']:.4f}  {row['features']:>3} features "
        f"{row['trees']:>5} trees  gate {'passed' if row['gate_passed'] else 'NOT passed'}"
        for row in rows
    ]
    show(arguments, {"models": rows}, "\n".join(lines) or "no model yet: creditloop train")
    return 0


def _models_verify(arguments: Arguments) -> int:
    from serving import champion
    from training import bundle as bundles
    from training import verify
    from training.signature import trusted_keys

    if arguments.version is None and arguments.product is None:
        raise InputError("say which: creditloop models verify VERSION, or --product NAME for all of its versions")
    settings = read_settings(arguments)
    names = [arguments.product] if arguments.product else product_names(settings.home)
    known = {version: name for name in names for version in champion.versions(settings.home, name)}
    if arguments.product and not known:
        load_product(arguments.product, settings.home)  # no such product: say so
        raise InputError(f"{arguments.product} has no version to verify: creditloop train makes one")
    if arguments.version is not None and arguments.version not in known:
        hint = nearest(arguments.version, known) or "; creditloop models list names them"
        raise InputError(f"no version {arguments.version!r}{hint}")
    checked, lines = [], []
    for version in [arguments.version] if arguments.version else sorted(known):
        folder = champion.bundle_folder(settings.home, known[version], version)
        bundle = bundles.load(folder, trusted_keys(settings.signing))
        compared, found = verify.verify(bundle)
        checked.append({"version": version, "compared": compared, "differences": [asdict(one) for one in found]})
        lines.append(verify.told(version, compared, found))
    show(arguments, {"models": checked}, "\n".join(lines))
    return 1 if any(one["differences"] for one in checked) else 0


def _serve(arguments: Arguments) -> int:
    from serving import access, champion
    from serving.ledger import Ledger
    from serving.score import make_scorer

    settings = read_settings(arguments)
    ledger = Ledger(settings.stores.ledger)
    products = tuple(arguments.product or [n for n in product_names(settings.home) if champion.current(ledger, n)])
    if not products:
        raise Refusal("no product has a champion; creditloop train, then creditloop models promote")
    for name in products:
        product = load_product(name, settings.home)
        make_scorer(champion.load_champion(ledger, settings.home, name), product)
    ledger.close()
    if not access.load_keys(settings.home):
        raise InputError("no API key exists, so nobody could be served: creditloop keys create NAME --role score")
    from serving import service

    address = f"http://{settings.serving.host}:{settings.serving.port}"
    print(f"serving {', '.join(products)} on {address} (docs at {address}/)", file=sys.stderr, flush=True)
    command = service.command(settings)
    os.execve(command[0], command, service.environment(settings, products))


def _score(arguments: Arguments) -> int:
    from serving import batch, champion
    from serving.ledger import Ledger
    from serving.score import make_scorer

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    scorer = make_scorer(champion.load_champion(Ledger(settings.stores.ledger), settings.home, product.name), product)
    tables = read_tables(arguments.data, product, settings)
    scores = batch.score_tables(scorer, tables, today() if arguments.as_of is None else arguments.as_of)
    batch.write_scores(scores, arguments.out)
    by_decision = scores["decision"].value_counts().to_dict()
    told = f"{len(scores):,} customers scored by {scorer.bundle.version} into {arguments.out}: " + ", ".join(
        f"{count:,} {name}" for name, count in by_decision.items()
    )
    show(arguments, {"rows": len(scores), "out": arguments.out, "decisions": by_decision}, told)
    return 0


def _decisions_verify(arguments: Arguments) -> int:
    from serving.ledger import Ledger, LedgerError

    ledger = Ledger(read_settings(arguments).stores.ledger)
    try:
        count, head = ledger.verify()
    except LedgerError as error:
        raise Refusal(str(error)) from None
    show(arguments, {"records": count, "head": head}, f"{count:,} records, every hash holds; head {head}")
    return 0


def _decisions_replay(arguments: Arguments) -> int:
    from serving.ledger import Ledger
    from serving.replay import replay

    settings = read_settings(arguments)
    replayed = list(replay(Ledger(settings.stores.ledger), settings.home, arguments.product))
    if arguments.product and not replayed:
        load_product(arguments.product, settings.home)  # no such product: say so
    unequal = [item for item in replayed if not item.equal]
    told = f"{len(replayed):,} decisions replayed, {len(replayed) - len(unequal):,} equal bit for bit"
    told += "".join(f"\n  {item.decision_id}: {item.detail}" for item in unequal[:20])
    show(arguments, {"replayed": len(replayed), "unequal": [asdict(item) for item in unequal]}, told)
    return 1 if unequal else 0


def _keys_create(arguments: Arguments) -> int:
    from serving import access

    key = access.create_key(read_settings(arguments).home, arguments.name, arguments.role)
    print(
        f"key of {arguments.name} ({arguments.role}); it is shown this once, only its hash is kept:",
        file=sys.stderr,
    )
    show(arguments, {"name": arguments.name, "role": arguments.role, "key": key}, key)
    return 0


def _keys_signing(arguments: Arguments) -> int:
    from training.signature import public_key, signing_key

    settings = read_settings(arguments)
    public = public_key(signing_key(settings.signing))
    print(
        f"private key {settings.signing.private_key}; where others load its versions, add this to signing.trusted:",
        file=sys.stderr,
    )
    show(arguments, {"private_key": settings.signing.private_key, "public_key": public}, public)
    return 0
