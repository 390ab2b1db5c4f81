"""The subcommands of governance: write, verify, check, software, incident, change, retire, reviews, review."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from configs.console import Arguments, add_command, add_group, add_product, read_settings, show
from configs.errors import InputError, Refusal
from configs.settings import Settings
from serving.identity import acting
from serving.review_commands import add_decider, calendar_day, read_version


def add_governance(commands: Any) -> None:
    """Add governance and its subcommands."""
    group = add_group(commands, "governance", "the papers of a model version, incidents, reviews that are due")
    write = _of_a_version(group, "write", _write, "write the twelve papers of a version from what is on record, signed")
    write.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where; a folder of its own in it")
    _of_a_version(group, "check", _check, "what a person has still to supply for the papers; exit code 1 if anything")
    verified = add_command(group, "verify", _verify, "whether papers are as they were signed")
    verified.add_argument("folder", type=Path, metavar="FOLDER", help="that `governance write` named")
    software = add_command(group, "software", _software, "a bill of the installed software: versions, licences, hashes")
    software.add_argument("--out", type=Path, required=True, metavar="FILE", help="where, as CycloneDX 1.5 in JSON")
    for kind, told in (
        ("incident", "tell of something that went wrong with a version, on record"),
        ("change", "tell of a change around a version, on record"),
        ("retire", "end a version's life: it is never promoted again"),
    ):
        event = add_command(group, kind, _event, told)
        add_product(event)
        event.add_argument("version", help="as `models list` names it")
        event.add_argument("--since", type=calendar_day, metavar="DATE", help="first day of the decisions it touched")
        event.add_argument("--until", type=calendar_day, metavar="DATE", help="last day of these")
        event.add_argument("--rollback", metavar="VERSION", help="what was gone back to")
        add_decider(event)
        event.set_defaults(kind="retirement" if kind == "retire" else kind)
    reviews = add_command(group, "reviews", _reviews, "reviews of champions that are due; exit code 1 if any")
    add_product(reviews, required=False)
    review = add_command(group, "review", _review, "close a review with what came of it")
    add_product(review)
    review.add_argument("review", metavar="REVIEW", help="its id, as `governance reviews` names it")
    add_decider(review)


def _of_a_version(group: Any, name: str, run: Any, told: str) -> Any:
    parser = add_command(group, name, run, told)
    add_product(parser)
    which = parser.add_mutually_exclusive_group()
    told = "as `models list` names it (default: the champion)"
    which.add_argument("version", nargs="?", default=argparse.SUPPRESS, help=told)  # its default would undo --version
    which.add_argument("--version", metavar="VERSION", help="the same, by name")
    return parser


def _version(settings: Settings, arguments: Arguments, ledger: Any) -> str:
    from configs.settings import load_product
    from serving import champion

    if arguments.version:
        return str(arguments.version)
    name = load_product(arguments.product, settings.home).name
    now = champion.current(ledger, name)
    if now is None:
        raise Refusal(f"{name} has no champion yet; name the version that is meant")
    return now.version


def _papers(arguments: Arguments, settings: Settings) -> tuple[Any, Any]:
    from governance import facts, papers
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    ledger = command_ledger(arguments, settings)
    bundle, product = read_version(settings, arguments.product, _version(settings, arguments, ledger))
    found = facts.gather(bundle, product, settings, ledger, utc_now())
    return found, papers.artefacts(found)


def _write(arguments: Arguments) -> int:
    from governance import papers
    from training.signature import signing_key

    settings = read_settings(arguments)
    found, written = _papers(arguments, settings)
    told = papers.document(found, written)
    index = papers.write(told, arguments.out, signing_key(settings.signing))
    lacking = len(told["missing"])
    values = {"version": told["version"], "index": index, "missing": told["missing"]}
    show(arguments, values, f"{len(written)} papers, {lacking} fields to be supplied by persons\nindex      {index}")
    return 0


def _check(arguments: Arguments) -> int:
    from dataclasses import asdict

    from governance import papers

    found, written = _papers(arguments, read_settings(arguments))
    lacking = papers.missing(written)
    lines = [f"{one.field:<18} {one.supplied_by:<32} asked in {', '.join(map(str, one.asked_in))}" for one in lacking]
    where = f"\n[governance] in $CREDITLOOP_HOME/products/{found.product.name}.toml takes them" if lacking else ""
    told = "\n".join(lines) + where or "every field that a person has to supply is there"
    show(arguments, {"version": found.bundle.version, "missing": [asdict(one) for one in lacking]}, told)
    return 1 if lacking else 0


def _verify(arguments: Arguments) -> int:
    from governance import papers
    from training.signature import trusted_keys

    settings = read_settings(arguments)
    if not (arguments.folder / papers.JSON).is_file():
        raise InputError(f"{arguments.folder}: no {papers.JSON}; creditloop governance write makes it")
    told = papers.read(arguments.folder, trusted_keys(settings.signing))
    values = {key: told[key] for key in ("product", "version", "digest", "written_at")}
    show(arguments, values, f"{told['version']}: the papers are as they were signed on {told['written_at']}")
    return 0


def _software(arguments: Arguments) -> int:
    import msgspec

    from configs.whole import whole
    from governance.software import LOCK, bill_of_software

    bill = bill_of_software(LOCK, {"type": "application", "name": "creditloop"})
    with whole(arguments.out) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(bill), indent=1))
    odd = {
        told: [f"{one['name']} {one['version']}" for one in bill["components"] if key not in one]
        for told, key in (("not_as_locked", "hashes"), ("without_licence", "licenses"))
    }
    lines = [f"{told.replace('_', ' '):<16} {', '.join(names) or 'none'}" for told, names in odd.items()]
    count = len(bill["components"])
    show(arguments, {"out": arguments.out, "components": count, **odd}, "\n".join([f"{count} components", *lines]))
    return 0


def _event(arguments: Arguments) -> int:
    from serving import events
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "retire" if arguments.kind == "retirement" else "incident").name
    bundle, product = read_version(settings, arguments.product, arguments.version)
    since, until = (None if day is None else day.isoformat() for day in (arguments.since, arguments.until))
    said = (bundle.version, arguments.kind, by, arguments.reason, utc_now(), since, until, arguments.rollback)
    made = events.record(command_ledger(arguments, settings), product.name, *said)
    show(arguments, events.plain(made), f"{made.id}: on record")
    return 0


def _reviews(arguments: Arguments) -> int:
    import datetime as dt
    from dataclasses import asdict

    from configs.settings import load_product, product_names
    from governance import reviews
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    ledger, today = command_ledger(arguments, settings), dt.datetime.now(dt.UTC).date()
    names = [arguments.product] if arguments.product else product_names(settings.home)
    products = [load_product(name, settings.home).name for name in names]
    found = [one for name in products for one in reviews.due(ledger, name, settings.governance, today)]
    lines = [
        f"{one.id}  {one.product:<18} since {one.opened}, due {one.due}, with {one.owner:<10} {one.trigger}: {one.told}"
        for one in found
    ]
    show(arguments, {"reviews": [asdict(one) for one in found]}, "\n".join(lines) or "no review is due")
    return 1 if found else 0


def _review(arguments: Arguments) -> int:
    import datetime as dt
    from dataclasses import asdict

    from configs.settings import load_product
    from governance import reviews
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "review").name
    name, today = load_product(arguments.product, settings.home).name, dt.datetime.now(dt.UTC).date()
    said = (arguments.review, by, arguments.reason, utc_now())
    made = reviews.close(command_ledger(arguments, settings), name, settings.governance, today, *said)
    show(arguments, asdict(made), f"{made.id}: closed")
    return 0
