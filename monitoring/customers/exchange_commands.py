"""The subcommands that exchange with other systems, and those of limits that persons grant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs.console import Arguments, add_command, add_product, day, read_settings, show, today
from configs.errors import DataError, InputError
from configs.settings import load_product
from serving.identity import acting, add_by


def add_exchange(customers: Any) -> None:
    """Add export, import, request, requests and grant to the group."""
    told = "grades, limits and terms of the last review as CSV or parquet, for a CRM"
    out = add_command(customers, "export", _export, told)
    add_product(out)
    out.add_argument("--format", choices=("csv", "parquet"), default="csv", help="(%(default)s)")
    out.add_argument(
        "--since", type=day, metavar="DATE", help="only customers who changed since the review of that day"
    )
    out.add_argument("--as-of", type=day, metavar="DATE", help="the last review by then (default: today)")
    out.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: beside the review)")
    told = "contacts, promises or payments from a CSV file; each row once, by its key"
    taken = add_command(customers, "import", _import, told)
    add_product(taken)
    taken.add_argument("kind", choices=("contacts", "promises", "payments"))
    taken.add_argument("file", type=Path, metavar="FILE", help="columns key, customer_id, on, by, note; amount; due")
    _add_requests(customers)


def _add_requests(customers: Any) -> None:
    asked = add_command(customers, "request", _request, "ask for a limit above what a review may grant")
    add_product(asked)
    asked.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
    asked.add_argument("--limit", type=float, required=True, help="in the product's currency")
    asked.add_argument("--until", type=day, required=True, metavar="DATE", help="how long it shall stand")
    _named(asked)
    listed = add_command(
        customers, "requests", _requests, "limits asked for and what became of them; code 1 if any waits"
    )
    add_product(listed)
    for name, told in (("grant", "agree to a limit somebody else asked for"), ("refuse", "say no to such a limit")):
        said = add_command(customers, name, _decide, told)
        add_product(said)
        said.add_argument("request", metavar="REQUEST", help="its id, as requests shows it")
        said.add_argument("--authority", required=True, metavar="LEVEL", help="the level of who decides")
        _named(said)
        said.set_defaults(word="approve" if name == "grant" else "decline")


def _named(parser: Any) -> None:
    add_by(parser)
    parser.add_argument("--reason", required=True, metavar="WHY", help="on record")


def _export(arguments: Arguments) -> int:
    from features.contracts import iso
    from monitoring.customers import exchange, review_report
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    ledger = command_ledger(arguments, settings)
    as_of = today() if arguments.as_of is None else arguments.as_of
    latest = review_report.previous_of(ledger, product.name, as_of + 1)
    if latest is None:
        raise InputError(f"no review of {product.name} by {iso(as_of)}: run creditloop customers review first")
    since = None
    if arguments.since is not None:
        found = review_report.previous_of(ledger, product.name, arguments.since + 1)
        since = None if found is None else found[1]
    path = latest[1].path
    out = arguments.out or path.with_name(f"crm-{path.stem}.{arguments.format}")
    if out.suffix != f".{arguments.format}":
        raise InputError(f"{out}: expected a name ending in .{arguments.format}")
    rows = exchange.export(product, latest[1], since, arguments.since is not None, out)
    day_of = iso(latest[1].as_of)
    show(arguments, {"review": day_of, "customers": rows, "file": out}, f"{rows:,} customers of {day_of}  {out}")
    return 0


def _import(arguments: Arguments) -> int:
    from monitoring.customers import exchange
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    ledger = command_ledger(arguments, settings)
    try:
        taken = exchange.take_in(ledger, product.name, arguments.kind, arguments.file, utc_now())
    except UnicodeDecodeError as wrong:
        raise DataError(f"{arguments.file}: expected UTF-8 text: {wrong}") from None
    told = f"{taken.rows:,} rows, {taken.new:,} new, {taken.rows - taken.new:,} on record already"
    show(arguments, {"rows": taken.rows, "new": taken.new}, told)
    return 0


def _request(arguments: Arguments) -> int:
    from features.contracts import iso
    from monitoring.customers import requests
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "customers").name
    product = load_product(arguments.product, settings.home)
    made = requests.ask(
        command_ledger(arguments, settings),
        product,
        arguments.customer,
        arguments.limit,
        iso(arguments.until),
        by,
        arguments.reason,
        utc_now(),
    )
    told = "recorded; another person decides it" if made.new else "was on record already"
    show(arguments, {"id": made.entry.id, "new": made.new, **made.body()}, f"{made.entry.id} {told}")
    return 0


def _requests(arguments: Arguments) -> int:
    from monitoring.customers import requests
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    found = requests.requests_of(command_ledger(arguments, settings), product.name)
    lines = [
        f"{one.word or 'waits':<8} {one.customer_id:<12} {one.limit:>14,.0f} until {one.until}  {one.by:<12} {one.id}"
        for one in found
    ]
    values = {"requests": [requests.plain(one) for one in found]}
    show(arguments, values, "\n".join(lines) or "nobody asked for a limit")
    return 1 if any(one.word is None for one in found) else 0


def _decide(arguments: Arguments) -> int:
    from monitoring.customers import requests
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "override").name
    product = load_product(arguments.product, settings.home)
    ledger = command_ledger(arguments, settings)
    stands = requests.stands(ledger, product, arguments.request, today())
    made = requests.decide(
        ledger,
        product,
        arguments.request,
        arguments.word,
        by,
        arguments.authority,
        arguments.reason,
        stands,
        utc_now(),
    )
    told = "recorded; the next review keeps to it" if made.new else "was on record already"
    show(arguments, {"id": made.entry.id, "new": made.new, **made.body()}, f"{made.entry.id} {told}")
    return 0
