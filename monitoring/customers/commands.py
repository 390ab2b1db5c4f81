"""The subcommands about customers the lender has: customers review."""

from __future__ import annotations

import sys
from typing import Any

from configs.console import Arguments, Console, add_command, add_group, add_product, day, read_settings, show, today
from configs.settings import load_product
from features.commands import add_places


def add_customers(commands: Any) -> None:
    """Add customers and its subcommands."""
    customers = add_group(commands, "customers", "customers the lender has: grades and limits that move")
    _add_review(customers)


def _add_review(customers: Any) -> None:
    review = add_command(
        customers, "review", _review, "score a whole book anew: grades and limits that move, notices with reasons"
    )
    add_product(review)
    add_places(review)
    review.add_argument("--as-of", type=day, metavar="DATE", help="the day of the review (default: today)")


def _review(arguments: Arguments) -> int:
    from features.portfolio import Tally
    from features.sources import open_source
    from monitoring.customers import review_report
    from monitoring.customers.review import review
    from serving import champion
    from serving.ledger import Ledger
    from serving.live import utc_now
    from serving.score import make_scorer

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    ledger = Ledger(settings.stores.ledger)
    scorer = make_scorer(champion.load_champion(ledger, settings.home, product.name), product)
    as_of = today() if arguments.as_of is None else arguments.as_of
    found = review_report.previous_of(ledger, product.name, as_of)
    record, previous = (None, None) if found is None else found
    source = open_source(arguments.data, product.reader)
    tally = Tally(source.told(), settings.data.quarantine_share)
    console = Console()
    book = review(
        scorer, source, as_of, previous, tally, lambda done, of: console.stage(f"{done:,} of {of:,} customers")
    )
    if aside := tally.told():
        how = "`creditloop data check` writes each with its row and reason"
        print(f"note: bad rows set aside: {'; '.join(aside)}; {how}", file=sys.stderr)
    folder = settings.home / "customers" / product.name
    kept, entry, told = review_report.keep(book, product, scorer.bundle.version, as_of, record, folder, utc_now())
    ledger.append([entry])
    moves, limit = told["moves"], told["limit"]
    lines = [
        f"{told['customers']:,} customers, {told['new']:,} new; grades: {moves['up']:,} up, {moves['down']:,} down "
        f"({moves['without_hysteresis']:,} if every PD were followed)",
        f"limits {limit['before']:,.0f} -> {limit['after']:,.0f} {product.currency}; {told['changed']:,} notices",
        f"customers  {kept.parquet}",
        f"page       {kept.page}",
    ]
    show(arguments, {**told, "parquet": kept.parquet, "page": kept.page}, "\n".join(lines))
    return 0
