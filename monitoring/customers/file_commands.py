"""The subcommands about one customer, file and report; and what the subcommands over a whole book share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from configs.console import Arguments, add_command, add_product, day, read_settings, show, today
from configs.errors import InputError
from configs.settings import Settings, load_product
from features.commands import add_places
from serving.identity import acting, add_by


def add_file(customers: Any) -> None:
    """Add file and report to the group."""
    for name, told in (
        (
            "file",
            "one customer's credit file at any day: score, reasons, limit, history, facts as they were known then",
        ),
        (
            "report",
            "one customer's credit report: two printable pages, each figure with its trend, peers and source rows",
        ),
    ):
        file = add_command(customers, name, _file, told)
        file.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
        over_a_book(file, "the day asked at")
        add_by(file)
        file.add_argument("--out", type=Path, metavar="FILE", help="a .html file; its JSON is written beside it")
        file.set_defaults(page=name)


def over_a_book(parser: Any, told: str) -> None:
    """The arguments of a subcommand that looks at a book on a day."""
    add_product(parser)
    add_places(parser)
    parser.add_argument("--as-of", type=day, metavar="DATE", help=f"{told} (default: today)")


def folder_of(settings: Settings, product: str) -> Path:
    """Where the pages of a product's customers lie."""
    return settings.home / "customers" / product


def _file(arguments: Arguments) -> int:
    from features.contracts import iso
    from features.sources import open_source
    from monitoring.customers import pages
    from monitoring.customers.credit_file import credit_file
    from monitoring.customers.credit_report import credit_report
    from serving import champion, reads
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "read").name
    product = load_product(arguments.product, settings.home)
    ledger = command_ledger(arguments, settings)
    scorer = champion.champion_scorer(ledger, settings.home, product)
    as_of = today() if arguments.as_of is None else arguments.as_of
    source = open_source(arguments.data, product.reader)
    file = credit_file(scorer, source, ledger, arguments.customer, as_of)
    reads.record(ledger, arguments.customer, by, f"credit {arguments.page}", utc_now())
    values = file if arguments.page == "file" else credit_report(file)
    name = f"{arguments.page}-{_plain_name(arguments.customer)}-{iso(as_of)}.html"
    path = arguments.out or folder_of(settings, product.name) / name
    if path.suffix != ".html":
        raise InputError(f"{path}: expected a name ending in .html")
    page = pages.write(path, f"credit_{arguments.page}.html", values)
    score = values["score"]
    told = (
        f"{arguments.customer}: grade {score['grade']}, PD {score['default_probability']:.4f}, {score['decision']}, "
        f"limit {score['limit']:,.0f} {product.currency}; {len(file['events'])} events\npage       {page}"
    )
    show(arguments, {**values, "page": page}, told)
    return 0


def _plain_name(customer_id: str) -> str:
    """An id as part of a file's name: no separator of folders can stand in it."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", customer_id)
