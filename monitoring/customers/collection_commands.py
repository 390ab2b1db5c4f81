"""The subcommands about overdue customers and figures: collections, contact, promise, hold, release, kpi."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from configs.console import Arguments, add_command, add_product, day, read_settings, show, today
from configs.settings import load_product
from features.commands import add_places, read_tables
from serving.identity import acting, add_by

if TYPE_CHECKING:
    from monitoring.customers.kpi import Figure

_EPOCH = dt.date(1970, 1, 1)


def add_collections(customers: Any) -> None:
    """Add the subcommands of overdue customers to the group."""
    told = "ageing, roll rates, vintages, and whom to call first: a page and JSON"
    book = add_command(customers, "collections", _collections, told)
    add_product(book)
    add_places(book)
    book.add_argument("--as-of", type=day, metavar="DATE", help="the day looked at (default: today)")
    told = "the monthly pack: approval, referral, automation, bad rates, losses, DSO, each with its definition"
    figures = add_command(customers, "kpi", _kpi, told)
    add_product(figures)
    add_places(figures, required=False, told="raw tables, for DSO and the overdue ratio")
    figures.add_argument("--as-of", type=day, metavar="DATE", help="the last day of the pack (default: today)")
    for name, told in (
        ("contact", "record that an overdue customer was contacted"),
        ("promise", "record that a customer promised to pay"),
        ("hold", "hold collection of a customer, for a dispute"),
        ("release", "let collection of a customer go on"),
    ):
        step = add_command(customers, name, _record, told)
        add_product(step)
        step.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
        add_by(step)
        step.add_argument("--note", required=True, metavar="TEXT", help="what was said, on record")
        step.add_argument("--on", type=day, metavar="DATE", help="the day it was (default: today)")
        step.set_defaults(what=name, amount=None, due=None)
        if name == "promise":
            step.add_argument("--amount", type=float, required=True, help="in the product's currency")
            step.add_argument("--due", type=day, required=True, metavar="DATE", help="by when")


def _collections(arguments: Arguments) -> int:
    from features.contracts import iso
    from monitoring.customers import contacts, overdue, pages, review_report
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    as_of = today() if arguments.as_of is None else arguments.as_of
    ledger = command_ledger(arguments, settings)
    steps, known = contacts.steps_of(ledger, product.name), review_report.latest_pds(ledger, product.name, as_of)
    values = overdue.overview(product, read_tables(arguments.data, product, settings), steps, known, as_of)
    path = settings.home / "customers" / product.name / f"collections-{iso(as_of)}.html"
    page = pages.write(path, "collections.html", values)
    lines = [f"{name:<8} {value:>18,.2f}" for name, value in zip(values["buckets"], values["amounts"][-1], strict=True)]
    calls = sum(row["held"] is None for row in values["queue"])
    lines += [f"owed     {values['owed']:>18,.2f} {product.currency}, {calls:,} customers to call", f"page     {page}"]
    show(arguments, {**values, "page": page}, "\n".join(lines))
    return 0


def _kpi(arguments: Arguments) -> int:
    from features.contracts import iso
    from monitoring.customers import kpi, pages
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    as_of = today() if arguments.as_of is None else arguments.as_of
    tables = read_tables(arguments.data, product, settings) if arguments.data else {}
    values = kpi.pack(product, command_ledger(arguments, settings).records(product=product.name), tables, as_of)
    path = settings.home / "customers" / product.name / f"kpi-{iso(as_of)}.html"
    page = pages.write(path, "kpi.html", values)
    lines = [
        f"{one.name:<20} {_last(one):>14} {product.currency if one.unit == 'currency' else one.unit}".rstrip()
        for one in values["figures"]
    ]
    show(arguments, {**pages.plain(values), "page": page}, "\n".join([*lines, f"page                 {page}"]))
    return 0


def _last(figure: Figure) -> str:
    """The newest value: counts whole, money to the cent."""
    last, decimals = figure.values[-1], {"": 0, "currency": 2}.get(figure.unit, 3)
    return "-" if last is None else f"{last:,.{decimals}f}"


def _record(arguments: Arguments) -> int:
    from monitoring.customers import contacts
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "customers").name
    product = load_product(arguments.product, settings.home)
    step = contacts.Step(
        customer_id=arguments.customer,
        what=arguments.what,
        by=by,
        note=arguments.note,
        on=_iso(today() if arguments.on is None else arguments.on),
        amount=arguments.amount,
        due=None if arguments.due is None else _iso(arguments.due),
    )
    ledger = command_ledger(arguments, settings)
    made = contacts.record(ledger, product.name, step, product.customers.collections, utc_now())
    told = "recorded" if made.new else "was on record already"
    show(arguments, {"id": made.entry.id, "new": made.new, **made.body()}, f"{made.entry.id} {told}")
    return 0


def _iso(days: int) -> str:
    return (_EPOCH + dt.timedelta(days)).isoformat()
