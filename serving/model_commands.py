"""The subcommands of models: list, verify, promote, rollback, history, what-was-live.

Those before a promotion are in review_commands.py, those beside a champion in answering_commands.py,
those of less discriminatory alternatives in choice_commands.py.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from configs.console import Arguments, add_command, add_group, add_product, read_settings, show
from configs.errors import BundleError, InputError, Refusal, nearest
from configs.settings import Settings, load_product, product_name, product_names
from serving.answering_commands import add_answering
from serving.choice_commands import add_choosing
from serving.identity import acting
from serving.review_commands import add_decider, add_reviewing, read_version


def add_models(commands: Any) -> None:
    """Add models and its subcommands."""
    models = add_group(commands, "models", "list model versions, make one the champion, go back, what was live when")
    listed = add_command(models, "list", _models_list, "all versions; * marks the champion")
    add_product(listed, required=False)
    verified = add_command(models, "verify", _models_verify, "derive every number of a report again and compare")
    verified.add_argument("version", nargs="?", help="as `models list` names it (default: all of --product)")
    add_product(verified, required=False)
    promote = add_command(models, "promote", _models_promote, "make a version the champion, on record")
    add_product(promote)
    promote.add_argument("version", help="as `models list` names it")
    add_decider(promote)
    promote.add_argument(
        "--despite-gate", metavar="REASON", help="where approvals = 0: although the gate said no, on record"
    )
    add_reviewing(models)
    add_choosing(models)
    rollback = add_command(models, "rollback", _models_rollback, "make the former champion the champion again")
    add_product(rollback)
    add_decider(rollback)
    add_answering(models)
    told = add_command(models, "history", _models_history, "every promotion and rollback of a product, in order")
    add_product(told)
    live = add_command(models, "what-was-live", _models_what_was_live, "which version was champion at a moment")
    add_product(live)
    live.add_argument(
        "--at",
        type=_moment,
        required=True,
        metavar="MOMENT",
        help="2026-01-31T12:00, or a day for its first moment; UTC",
    )


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a moment like 2026-01-31T12:00, got {text!r}") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def failed(gate: Mapping[str, Any]) -> str:
    return ", ".join(check["name"] for check in gate["checks"] if not check["passed"])


def _models_promote(arguments: Arguments) -> int:
    from serving import promoting
    from serving.command_ledger import command_ledger
    from serving.live import utc_now
    from training.registry import mirror_champion

    settings = read_settings(arguments)
    by = acting(arguments, settings, "promote").name
    bundle, product = read_version(settings, arguments.product, arguments.version)
    ledger = command_ledger(arguments, settings)
    made = promoting.promote(ledger, settings, bundle, product, by, arguments.reason, utc_now(), arguments.despite_gate)
    mirrored = mirror_champion(product.name, bundle.version, settings.stores.tracking)
    told = f"{made.version} is champion of {product.name}, in place of {made.previous or 'none'}"
    show(arguments, asdict(made), told if mirrored else f"{told} (MLflow does not know this version)")
    return 0


def _asked_products(arguments: Arguments, settings: Settings) -> list[str]:
    """The one that was named, by its name or its file's path; else all there are."""
    return [product_name(arguments.product, settings.home)] if arguments.product else product_names(settings.home)


def _models_verify(arguments: Arguments) -> int:
    from serving import champion
    from training import bundle as bundles
    from training import verify
    from training.signature import trusted_keys

    if arguments.version is None and arguments.product is None:
        raise InputError("say which: creditloop models verify VERSION, or --product NAME for all of its versions")
    settings = read_settings(arguments)
    names = _asked_products(arguments, settings)
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


def _models_rollback(arguments: Arguments) -> int:
    from serving import champion
    from serving.command_ledger import command_ledger
    from serving.live import utc_now
    from training.registry import mirror_champion

    settings = read_settings(arguments)
    by = acting(arguments, settings, "rollback").name
    product = load_product(arguments.product, settings.home)
    ledger = command_ledger(arguments, settings)
    made = champion.rollback(ledger, settings.home, product, by, arguments.reason, utc_now())
    mirrored = mirror_champion(product.name, made.version, settings.stores.tracking)
    told = f"{made.version} is champion of {product.name} again, in place of {made.previous}"
    show(arguments, asdict(made), told if mirrored else f"{told} (MLflow does not know this version)")
    return 0


def _models_history(arguments: Arguments) -> int:
    from serving import champion
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    name = load_product(arguments.product, settings.home).name
    made = champion.history(command_ledger(arguments, settings), name)
    lines = [
        f"{item.at}  {'rollback ' if item.undoes else 'promotion'}  {item.version}  by {item.by}: {item.reason}"
        for item in made
    ]
    show(arguments, {"history": [asdict(item) for item in made]}, "\n".join(lines) or f"{name} had no champion yet")
    return 0


def _models_what_was_live(arguments: Arguments) -> int:
    from serving import champion
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    name = load_product(arguments.product, settings.home).name
    found = champion.live_at(command_ledger(arguments, settings), name, arguments.at)
    if found is None:
        raise Refusal(f"{name} had no champion at {arguments.at.isoformat()}")
    show(arguments, asdict(found), f"{found.version}, since {found.at}, by {found.by}: {found.reason}")
    return 0


def _models_list(arguments: Arguments) -> int:
    from serving import champion
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    ledger = command_ledger(arguments, settings)
    rows = []
    for name in _asked_products(arguments, settings):
        pointer = champion.current(ledger, name)
        for version in champion.versions(settings.home, name):
            is_champion = bool(pointer and pointer.version == version)
            row = {"product": name, "version": version, "champion": is_champion}
            rows.append({**row, **_found(settings, name, version)})
    if arguments.product and not rows:
        load_product(arguments.product, settings.home)  # no such product: say so
    lines = [f"{'*' if row['champion'] else ' '} {row['version']:<44} {_line(row)}" for row in rows]
    show(arguments, {"models": rows}, "\n".join(lines) or "no model yet: creditloop train")
    return 0


def _found(settings: Settings, product: str, version: str) -> dict[str, Any]:
    """What a version is like, or why it cannot be used: one bad version does not hide the others."""
    from serving import champion
    from training import bundle as bundles
    from training.signature import trusted_keys

    try:
        bundle = bundles.load(champion.bundle_folder(settings.home, product, version), trusted_keys(settings.signing))
    except (BundleError, OSError) as error:
        return {"unusable": str(error)}
    return {
        "auc": round(bundle.validation["auc"]["value"], 4),
        "gate_passed": bundle.training["gate"]["passed"],
        "features": len(bundle.program.features),
        "trees": bundle.booster.num_trees(),
    }


def _line(row: Mapping[str, Any]) -> str:
    if "unusable" in row:
        return f"UNUSABLE: {row['unusable']}"
    gate = "passed" if row["gate_passed"] else "NOT passed"
    return f"AUC {row['auc']:.4f}  {row['features']:>3} features {row['trees']:>5} trees  gate {gate}"
