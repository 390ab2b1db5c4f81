"""The subcommands about customers the lender has: review, warn, watchlist, acknowledge, close, indicators, file."""

from __future__ import annotations

import sys
from typing import Any

from configs.console import Arguments, Console, add_command, add_group, add_product, day, read_settings, show, today
from configs.errors import Refusal
from configs.settings import load_product
from features.commands import add_places, read_tables
from monitoring.customers.collection_commands import add_collections
from monitoring.customers.exchange_commands import add_exchange
from monitoring.customers.file_commands import add_file, folder_of, over_a_book
from serving.identity import acting, add_by


def add_customers(commands: Any) -> None:
    """Add customers and its subcommands."""
    customers = add_group(commands, "customers", "customers the lender has: grades that move, limits, early warning")
    told = "score a whole book anew: grades and limits that move, notices with reasons"
    over_a_book(add_command(customers, "review", _review, told), "the day of the review")
    told = "look a whole book over for early signs; what is new goes on the watchlist"
    over_a_book(add_command(customers, "warn", _warn, told), "the day looked at")
    _add_watchlist(customers)
    add_collections(customers)
    add_exchange(customers)
    add_file(customers)
    told = "precision and lead time of each early sign against matured outcomes"
    indicators = add_command(customers, "indicators", _indicators, told)
    add_product(indicators)
    add_places(indicators, told="raw tables, outcomes among them")
    indicators.add_argument("--now", type=day, metavar="DATE", help="what had matured by then counts (default: today)")


def _add_watchlist(customers: Any) -> None:
    listed = add_command(customers, "watchlist", _watchlist, "open warnings, the worst first; exit code 1 if any")
    add_product(listed)
    for name, told in (
        ("acknowledge", "say that somebody takes care of a warning"),
        ("close", "close a warning, and say whether it had been justified"),
    ):
        step = add_command(customers, name, _act, told)
        add_product(step)
        step.add_argument("warning", metavar="WARNING", help="its id, as watchlist shows it")
        add_by(step)
        step.add_argument("--reason", required=True, metavar="WHY", help="what was found or agreed, on record")
        step.set_defaults(act=name, finding=None)
        if name == "close":
            step.add_argument("--finding", required=True, choices=("justified", "false_alarm"))


def _review(arguments: Arguments) -> int:
    from features.portfolio import Tally
    from features.sources import open_source
    from monitoring.customers import called, news, review_report
    from monitoring.customers.review import make_question, review
    from serving import champion
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    ledger = command_ledger(arguments, settings)
    scorer = champion.champion_scorer(ledger, settings.home, product)
    as_of = today() if arguments.as_of is None else arguments.as_of
    found = review_report.previous_of(ledger, product.name, as_of)
    record, previous = (None, None) if found is None else found
    source = open_source(arguments.data, product.reader)
    tally = Tally(source.told(), settings.data.quarantine_share)
    console = Console()
    asked = make_question(scorer, as_of, previous, *called.since(ledger, product.name, record, as_of))
    parts = review(asked, source, tally, lambda done, of: console.stage(f"{done:,} of {of:,} customers"))
    folder = folder_of(settings, product.name)
    kept, entry, told = review_report.keep(parts, product, scorer.bundle.version, as_of, record, folder, utc_now())
    _say_set_aside(tally.told())
    ledger.append([entry])
    _say_untold(news.tell(ledger, news.of_review(told, entry.id, entry.at), settings.notices, entry.at))
    moves, limit = told["moves"], told["limit"]
    breaches = told["breaches"]
    lines = [
        f"{told['customers']:,} customers, {told['new']:,} new; grades: {moves['up']:,} up, {moves['down']:,} down "
        f"({moves['without_hysteresis']:,} if every PD were followed)",
        f"limits {limit['before']:,.0f} -> {limit['after']:,.0f} {product.currency}; {told['changed']:,} notices",
        f"breaches: {breaches['customers']:,} customers above their limit, {len(breaches['groups']):,} groups",
        f"customers  {kept.parquet}",
        f"page       {kept.page}",
    ]
    show(arguments, {**told, "parquet": kept.parquet, "page": kept.page}, "\n".join(lines))
    return 0


def _warn(arguments: Arguments) -> int:
    from features.contracts import iso
    from features.portfolio import Tally
    from features.sources import open_source
    from monitoring.customers import news, warning_report
    from monitoring.customers.indicators import make_reader
    from monitoring.customers.warning import look_over
    from serving import champion
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    ledger = command_ledger(arguments, settings)
    reader = make_reader(champion.champion_scorer(ledger, settings.home, product))
    as_of = today() if arguments.as_of is None else arguments.as_of
    source = open_source(arguments.data, product.reader)
    tally, console = Tally(source.told(), settings.data.quarantine_share), Console()
    looks = look_over(reader, source, as_of, tally, lambda done, of: console.stage(f"{done:,} of {of:,} customers"))
    at = utc_now()
    _, values = warning_report.raise_all(reader, looks, ledger, as_of, at)
    _say_set_aside(tally.told())
    _say_untold(news.tell(ledger, news.of_warnings(values, at), settings.notices, at))
    page = warning_report.write(folder_of(settings, product.name), f"watchlist-{iso(as_of)}", "warnings.html", values)
    levels = ", ".join(f"{count:,} {level}" for level, count in values["levels"].items())
    told = f"{values['hits']:,} hits, {values['new']:,} of them new; open: {levels}\npage       {page}"
    show(arguments, {**values, "page": page}, told)
    return 0


def _say_set_aside(aside: list[str]) -> None:
    if aside:
        how = "`creditloop data check` writes each with its row and reason"
        print(f"note: bad rows set aside: {'; '.join(aside)}; {how}", file=sys.stderr)


def _say_untold(deliveries: list[Any]) -> None:
    for one in deliveries:
        if one.error:
            print(f"note: NOT told {one.channel}: {one.error}; kept, and tried again next time", file=sys.stderr)


def _watchlist(arguments: Arguments) -> int:
    from monitoring.customers import watchlist
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    still = watchlist.open_ones(watchlist.warnings_of(command_ledger(arguments, settings), product.name))
    lines = [
        f"{one.level:<8} {one.due}  {one.customer_id:<12} {one.indicator:<28} {one.state:<12} {one.owner:<18} {one.id}"
        for one in still
    ]
    told = "\n".join(lines) or "no warning is open"
    show(arguments, {"warnings": [watchlist.plain(one) for one in still]}, told)
    return 1 if still else 0


def _act(arguments: Arguments) -> int:
    from monitoring.customers import watchlist
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "customers").name
    product = load_product(arguments.product, settings.home)
    made = watchlist.act(
        command_ledger(arguments, settings),
        product,
        arguments.warning,
        arguments.act,
        by,
        arguments.reason,
        utc_now(),
        arguments.finding,
    )
    told = "recorded" if made.new else "was on record already"
    show(arguments, {"id": made.entry.id, "new": made.new, **made.body()}, f"{made.entry.id} {told}")
    return 0


def _indicators(arguments: Arguments) -> int:
    from features import outcome
    from features.contracts import iso
    from monitoring.customers import warning_report
    from monitoring.customers.indicators import make_reader
    from monitoring.customers.warning import quality
    from serving import champion
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    ledger = command_ledger(arguments, settings)
    reader = make_reader(champion.champion_scorer(ledger, settings.home, product))
    now = today() if arguments.now is None else arguments.now
    tables = dict(read_tables(arguments.data, product, settings))
    if "outcomes" not in tables or not len(labels := outcome.matured(tables["outcomes"], product.outcome, now)):
        raise Refusal(f"no outcome had matured by {iso(now)}: nothing can be held against the indicators yet")
    values = warning_report.quality_values(reader, labels, quality(reader, tables, labels, now), now)
    page = warning_report.write(folder_of(settings, product.name), f"indicators-{iso(now)}", "indicators.html", values)
    lines = [
        f"{one['name']:<28} {one['hits']:>7,} hits, precision {_percent(one['precision'])} "
        f"(all: {_percent(values['base_rate'])}), {_percent(one['recall'])} of defaults seen"
        for one in values["indicators"]
    ]
    show(arguments, {**values, "page": page}, "\n".join([*lines, f"page       {page}"]))
    return 0


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
