"""The subcommands of models about who answers beside the champion: refer, resume, canary."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from configs.console import Arguments, add_command, add_product, read_settings, show
from configs.errors import InputError
from configs.settings import Settings, load_product
from serving.identity import acting, add_by
from serving.review_commands import add_decider, read_version

if TYPE_CHECKING:  # what a command does not need is not imported for --help
    from serving.canary import Canary, Decided
    from serving.ledger import Ledger


def add_answering(models: Any) -> None:
    """Add the subcommands to models."""
    for word, on, does in (
        ("refer", True, "refer everything to a person from now on: the model scores and decides nothing"),
        ("resume", False, "let the model decide again"),
    ):
        said = add_command(models, word, _models_refer, f"{does}, on record; running services follow in seconds")
        add_product(said)
        add_decider(said)
        said.set_defaults(on=on)
    canary = add_command(
        models, "canary", _models_canary, "let a version decide about a share of the customers, or show how it does"
    )
    add_product(canary)
    canary.add_argument("version", nargs="?", help="as `models list` names it; left out: show the canary in force")
    canary.add_argument("--share", type=float, metavar="SHARE", help="of the customers, between 0 and 1, such as 0.05")
    canary.add_argument("--stop", action="store_true", help="give all customers back to the champion")
    add_by(canary)
    canary.add_argument("--reason", help="why")


def _models_refer(arguments: Arguments) -> int:
    from serving import referral
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "refer").name
    name = load_product(arguments.product, settings.home).name
    made = referral.switch(command_ledger(arguments, settings), name, arguments.on, by, arguments.reason, utc_now())
    told = "every decision is referred to a person" if made.on else "its model decides"
    show(arguments, asdict(made), f"{name}: from now on {told}")
    return 0


def _models_canary(arguments: Arguments) -> int:
    from serving import canary
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    if arguments.version is None and arguments.share is not None:
        raise InputError("--share goes with a VERSION")
    if arguments.version is not None and (arguments.share is None) != arguments.stop:
        raise InputError("VERSION goes with --share SHARE; --stop and a bare `models canary` go without")
    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    ledger = command_ledger(arguments, settings)
    if arguments.version is None and not arguments.stop:
        return _shown(arguments, ledger, product.name)
    if not arguments.reason:
        raise InputError("--reason REASON: a change of who answers is on record with it")
    by = acting(arguments, settings, "promote" if arguments.version else "refer").name
    if arguments.stop:
        made = canary.stop(ledger, product.name, by, arguments.reason, utc_now())
    else:
        made = _started(arguments, settings, ledger, by)
    told = f"{made.version} decides about {made.share:.1%} of the customers of {product.name}"
    show(arguments, asdict(made), f"{told}; running services follow once they have tried it" if made.share else told)
    return 0


def _started(arguments: Arguments, settings: Settings, ledger: Ledger, by: str) -> Canary:
    from serving import canary, champion, promoting
    from serving.live import utc_now

    bundle, product = read_version(settings, arguments.product, arguments.version)
    at = utc_now()
    weighed_at, _ = ledger.head()
    waived = promoting.require(ledger, settings, bundle, product, by, at)
    tables = set(champion.load_champion(ledger, settings.home, product.name).program.tables)
    return canary.start(ledger, bundle, tables, arguments.share, by, f"{arguments.reason}{waived}", at, weighed_at)


def _shown(arguments: Arguments, ledger: Ledger, product: str) -> int:
    from serving import canary

    found = canary.current(ledger, product)
    if found is None:
        show(arguments, {"canary": None}, f"{product} has no canary: its champion decides about everybody")
        return 0
    arms = canary.decided(ledger, product, found)
    lines = [f"{found.version} decides about {found.share:.1%} of the customers since {found.at}, by {found.by}"]
    lines += [f"  {name:<10} {_told(arm)}" for name, arm in zip(("challenger", "champion"), arms, strict=True)]
    values = {"canary": asdict(found), "challenger": asdict(arms[0]), "champion": asdict(arms[1])}
    show(arguments, values, "\n".join(lines))
    return 0


def _told(arm: Decided) -> str:
    if not arm.decisions:
        return "has decided nothing"
    approved, referred = arm.approve / arm.decisions, arm.refer / arm.decisions
    money = f"mean PD {arm.mean_default_probability:.2%}; limits {arm.limits:,.0f}"
    return f"{arm.decisions:>7,} decisions: {approved:.1%} approved, {referred:.1%} referred; {money}"
