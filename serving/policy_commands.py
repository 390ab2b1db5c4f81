"""The subcommands about policies: what a change would do before it goes live, and decisions set aside by a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from functools import cache
from typing import Any

from configs.console import Arguments, add_command, add_group, add_product, day, read_settings, show
from configs.errors import InputError, Refusal
from configs.settings import Product, Settings, load_product, product_name
from serving import overlay_commands
from serving.identity import acting, add_by

_EPOCH = dt.date(1970, 1, 1)


def add_policy(commands: Any) -> None:
    """Add policy diff, overlay and override."""
    policy = add_group(commands, "policy", "hold two policies against each other, decide otherwise on record")
    told = "what differs between two product files; with --decisions, what it does to recorded decisions"
    diff = add_command(policy, "diff", _diff, told)
    diff.add_argument("before", metavar="A", help="a product file's name, or a path to one")
    diff.add_argument("after", metavar="B", help="the same; what is thought of in its place")
    add_product(diff, required=False)
    diff.add_argument("--decisions", action="store_true", help="decide the ledger's decisions anew under both")
    diff.add_argument("--since", type=day, metavar="DATE", help="with --decisions: those asked as of then or later")
    overlay_commands.add_overlays(policy)
    override = add_command(policy, "override", _override, "decide otherwise than the policy did, on record")
    override.add_argument("decision_id", help="of a recorded decision")
    override.add_argument("--decision", required=True, choices=("approve", "refer", "decline"))
    override.add_argument("--limit", type=float, default=0.0, metavar="AMOUNT", help="with approve")
    override.add_argument("--authority", required=True, metavar="LEVEL", help="one of the product's authorities")
    add_by(override)
    override.add_argument("--reason", required=True, help="why")


def _diff(arguments: Arguments) -> int:
    from serving.compare import compare, differences
    from serving.compare_table import table, told_differences

    settings = read_settings(arguments)
    before, after = (load_product(name, settings.home) for name in (arguments.before, arguments.after))
    if arguments.since is not None and not arguments.decisions:
        raise InputError("--since DATE goes with --decisions")
    found = differences(before, after)
    values: dict[str, Any] = {"differences": [dict(zip(("key", "before", "after"), one, strict=True)) for one in found]}
    told = told_differences(found)
    if arguments.decisions:
        name = product_name(arguments.product, settings.home) if arguments.product else before.name
        comparison = compare(before, after, _recorded(settings, name, (before, after), arguments.since))
        values["decisions"] = asdict(comparison)
        told += f"\n\n{table(comparison, before.currency)}"
    show(arguments, values, told)
    return 0


def _recorded(settings: Settings, product: str, policies: Sequence[Product], since: int | None) -> Sequence[Any]:
    from serving import champion
    from serving.ledger import open_ledger
    from serving.recorded import cases
    from training import bundle as bundles
    from training.signature import trusted_keys

    @cache
    def names_of(version: str) -> Sequence[str]:
        folder = champion.bundle_folder(settings.home, product, version)
        return bundles.load(folder, trusted_keys(settings.signing)).program.names

    first = None if since is None else _EPOCH + dt.timedelta(days=since)
    with closing(open_ledger(settings)) as ledger:
        found = list(cases(ledger.records("decision", product), policies, names_of, first))
    if not found:
        when = f" as of {first} or later" if first else ""
        raise Refusal(f"the ledger holds no decision of {product}{when}: nothing to hold the policies against")
    return found


def _override(arguments: Arguments) -> int:
    from serving.command_ledger import command_ledger
    from serving.live import utc_now
    from serving.override import Override, authorise, entry_of

    settings = read_settings(arguments)
    by = acting(arguments, settings, "override").name
    ledger = command_ledger(arguments, settings)
    record = ledger.by_id(arguments.decision_id)
    if record is None or record.entry.kind != "decision":
        raise InputError(f"the ledger has no decision {arguments.decision_id!r}")
    override = Override(record.entry.id, arguments.decision, arguments.limit, arguments.authority, by, arguments.reason)
    authorise(load_product(record.entry.product, settings.home), record.body()["answer"], override)
    made = ledger.append([entry_of(record, override, utc_now())])[0]
    told = f"{override.decision} with a limit of {override.limit:,.0f}, by {override.by} ({override.authority})"
    show(arguments, {"id": made.entry.id, **asdict(override)}, f"{told}, on record as {made.entry.id}")
    return 0
