"""The subcommands of policy overlay: add, end, list."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.console import Arguments, add_command, add_group, add_product, read_settings, show
from configs.settings import Product, load_product
from serving.identity import acting
from serving.review_commands import add_decider, calendar_day

if TYPE_CHECKING:  # what a command does not need is not imported for --help
    from serving.ledger import Ledger


def add_overlays(policy: Any) -> None:
    """Add overlay and its subcommands to policy."""
    overlays = add_group(policy, "overlay", "adjust the PDs of live decisions for a time, by name, on record")
    added = add_command(overlays, "add", _add, "shift log-odds of default, or set a floor under PDs, until a day")
    add_product(added)
    size = added.add_mutually_exclusive_group(required=True)
    size.add_argument("--shift", type=float, metavar="LOG_ODDS", help="added to log-odds of default; above 0: prudent")
    size.add_argument("--floor", type=float, metavar="PD", help="no PD is lower")
    added.add_argument("--feature", metavar="NAME", help="of a segment; left out: everybody")
    added.add_argument("--operator", choices=("<", ">="), help="with --feature")
    added.add_argument("--bound", type=float, help="with --feature")
    added.add_argument("--until", type=calendar_day, required=True, metavar="DATE", help="the last day it is in force")
    add_decider(added)
    ended = add_command(overlays, "end", _end, "end an overlay before its day")
    add_product(ended)
    ended.add_argument("overlay", metavar="OVERLAY", help="its id, as `policy overlay list` names it")
    add_decider(ended)
    add_product(add_command(overlays, "list", _list, "every overlay there was; exit code 1 if any is in force"))


def _add(arguments: Arguments) -> int:
    import msgspec

    from serving import overlay
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "overlay").name
    ledger, product = command_ledger(arguments, settings), load_product(arguments.product, settings.home)
    features = features_of_all(ledger, settings.home, product)
    wanted = overlay.Overlay(
        id="",
        effect="shift" if arguments.floor is None else "floor",
        size=arguments.shift if arguments.floor is None else arguments.floor,
        feature=arguments.feature,
        operator=arguments.operator,
        bound=arguments.bound,
        by=by,
        reason=arguments.reason,
        until=arguments.until.isoformat(),
    )
    made = overlay.record(ledger, product.name, features, wanted, settings.governance.overlay_days, utc_now())
    show(arguments, msgspec.structs.asdict(made), f"{_line(made)}\na running service applies it within seconds")
    return 0


def features_of_all(ledger: Ledger, home: Path, product: Product) -> tuple[str, ...]:
    """The features that each version which decides has: the champion's, and where there is a canary its own too."""
    from serving import canary, champion

    names, beside = (
        champion.load_champion(ledger, home, product.name).program.names,
        canary.current(ledger, product.name),
    )
    if beside is None:
        return names
    others = champion.challenger_scorer(home, product, beside.version, beside.digest).bundle.program.names
    return tuple(name for name in names if name in others)


def _end(arguments: Arguments) -> int:
    import msgspec

    from serving import overlay
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "overlay").name
    name = load_product(arguments.product, settings.home).name
    made = overlay.end(command_ledger(arguments, settings), name, arguments.overlay, by, arguments.reason, utc_now())
    show(arguments, msgspec.structs.asdict(made), f"{made.id} is ended")
    return 0


def _list(arguments: Arguments) -> int:
    import msgspec

    from serving import overlay
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    name = load_product(arguments.product, settings.home).name
    found = overlay.overlays(command_ledger(arguments, settings), name)
    in_force = overlay.standing(found, dt.datetime.now(dt.UTC).date())
    values = [{**msgspec.structs.asdict(one), "in_force": one in in_force} for one in found]
    lines = [f"{'in force' if one in in_force else 'over    '}  {_line(one)}" for one in found]
    show(arguments, {"overlays": values}, "\n".join(lines) or f"no overlay of {name}")
    return 1 if in_force else 0


def _line(one: Any) -> str:
    where = "everybody" if one.feature is None else f"{one.feature} {one.operator} {one.bound:g}"
    return f"{one.id}  {one.effect} {one.size:g} for {where}, until {one.until}, by {one.by}: {one.reason}"
