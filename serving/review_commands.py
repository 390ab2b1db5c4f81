"""The subcommands of models before a promotion: approve, reject, waive, finding add|close|list."""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from configs.console import Arguments, add_command, add_group, add_product, read_settings, show
from configs.errors import InputError, nearest
from configs.settings import Product, Settings, load_product
from serving.identity import acting, add_by

if TYPE_CHECKING:  # what a command does not need is not imported for --help
    from serving.finding import Finding
    from training.bundle import Bundle


def add_reviewing(models: Any) -> None:
    """Add the subcommands to models."""
    for word, does in (("approve", "say yes to a version under the policy as it is"), ("reject", "say no to it")):
        said = _about_a_version(models, word, _approve, f"{does}, on record, before it is promoted")
        said.set_defaults(word=word)
    waive = _about_a_version(models, "waive", _waive, "let a version stand that the gate did not pass, for a time")
    waive.add_argument("--until", type=calendar_day, required=True, metavar="DATE", help="the last day it stands")
    finding = add_group(models, "finding", "what a validator or an auditor found about a version; what is open blocks")
    added = add_command(finding, "add", _finding_add, "record a finding")
    add_product(added)
    added.add_argument("version", help="as `models list` names it")
    added.add_argument("--severity", required=True, choices=("low", "medium", "high"))
    added.add_argument("--due", type=calendar_day, required=True, metavar="DATE", help="when it shall be mended by")
    added.add_argument("--text", required=True, help="what was found")
    add_by(added)
    closed = add_command(finding, "close", _finding_close, "record what was done about a finding")
    add_product(closed)
    closed.add_argument("finding", metavar="FINDING", help="its id, as `models finding list` names it")
    closed.add_argument("--remedy", required=True, help="what was done")
    add_by(closed)
    add_product(add_command(finding, "list", _finding_list, "every finding of a product; exit code 1 if any is open"))


def add_decider(parser: argparse.ArgumentParser) -> None:
    """Add --reason and --by."""
    add_by(parser)
    parser.add_argument("--reason", required=True, help="why")


def calendar_day(text: str) -> dt.date:
    """A date of the command line."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a date like 2026-01-31, got {text!r}") from None


def _about_a_version(models: Any, name: str, run: Any, told: str) -> argparse.ArgumentParser:
    parser = add_command(models, name, run, told)
    add_product(parser)
    parser.add_argument("version", help="as `models list` names it")
    add_decider(parser)
    return parser


def _approve(arguments: Arguments) -> int:
    from serving import approval
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "approve").name
    bundle, product = read_version(settings, arguments.product, arguments.version)
    ledger, policy = command_ledger(arguments, settings), product.digest()
    made = approval.record(ledger, bundle, policy, arguments.word, by, arguments.reason, utc_now())
    said = approval.standing(ledger, bundle, policy)
    lines = [f"{one.word:<8} {one.by}: {one.reason}" for one in said]
    told = f"{bundle.version} ({bundle.digest[:12]}) under policy {policy[:12]}\n" + "\n".join(lines)
    show(arguments, {**asdict(made), "standing": [asdict(one) for one in said]}, told)
    return 0


def _waive(arguments: Arguments) -> int:
    from serving import waiver
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "waive").name
    bundle, product = read_version(settings, arguments.product, arguments.version)
    longest, said = settings.governance.waiver_days, (by, arguments.reason, arguments.until)
    made = waiver.record(command_ledger(arguments, settings), bundle, product.digest(), *said, longest, utc_now())
    told = f"{made.version}: {', '.join(made.checks)} waived to the end of {made.until} by {made.by}"
    show(arguments, asdict(made), told)
    return 0


def _finding_add(arguments: Arguments) -> int:
    from serving import finding
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "validate").name
    bundle, _ = read_version(settings, arguments.product, arguments.version)
    said = (arguments.severity, arguments.due, arguments.text, by)
    made = finding.add(command_ledger(arguments, settings), bundle, *said, utc_now())
    show(arguments, asdict(made), _line(made))
    return 0


def _finding_close(arguments: Arguments) -> int:
    from serving import finding
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "validate").name
    name = load_product(arguments.product, settings.home).name
    made = finding.close(command_ledger(arguments, settings), name, arguments.finding, arguments.remedy, by, utc_now())
    show(arguments, asdict(made), _line(made))
    return 0


def _finding_list(arguments: Arguments) -> int:
    from serving import finding
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    name = load_product(arguments.product, settings.home).name
    found = finding.findings(command_ledger(arguments, settings), name)
    lines = [_line(one) for one in found]
    show(arguments, {"findings": [asdict(one) for one in found]}, "\n".join(lines) or f"no finding about {name}")
    return 1 if any(one.state == "open" for one in found) else 0


def _line(one: Finding) -> str:
    done = f"closed by {one.closed_by}: {one.remedy}" if one.state == "closed" else f"open, due {one.due}"
    return f"{one.id}  {one.severity:<6} {one.version}  {one.text} ({one.by}); {done}"


def read_version(settings: Settings, name: str, version: str) -> tuple[Bundle, Product]:
    """A version that is loaded, fits its product and is known. Raises InputError, BundleError or ConfigError."""
    from serving import champion
    from serving.score import make_scorer
    from training import bundle as bundles
    from training.signature import trusted_keys

    product = load_product(name, settings.home)
    known = champion.versions(settings.home, product.name)
    if version not in known:
        hint = nearest(version, known) or "; creditloop models list names them"
        raise InputError(f"{product.name} has no version {version!r}{hint}")
    folder = champion.bundle_folder(settings.home, product.name, version)
    bundle = bundles.load(folder, trusted_keys(settings.signing))
    make_scorer(bundle, product)
    return bundle, product
