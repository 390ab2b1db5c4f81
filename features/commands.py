"""The subcommands of this room: features list, build, document; data check, describe, simulate."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from configs.console import (
    Arguments,
    add_command,
    add_group,
    add_product,
    at_least,
    day,
    read_settings,
    show,
    today,
)
from configs.errors import InputError, Refusal, listed
from configs.settings import Product, Settings, load_product

PLACES = "a folder of parquet or CSV, or a SQLAlchemy URL; repeat to join several"


def add(commands: Any) -> None:
    """Add this room's subcommands."""
    features = add_group(
        commands, "features", "the features of a product: list them, build their matrix, document them"
    )
    listed = add_command(features, "list", _list, "what each feature means and how it bears on risk")
    add_product(listed)
    build = add_command(features, "build", _build, "write the matrix of every customer at a date, in bounded memory")
    add_product(build)
    add_places(build)
    build.add_argument("--as-of", type=day, metavar="DATE", help="the date asked at (default: today)")
    build.add_argument("--out", type=Path, required=True, metavar="FILE", help="a .parquet file")
    build.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster that shall build it")
    document = add_command(features, "document", _document, "write the catalogue and the raw tables as Markdown pages")
    document.add_argument("--out", type=Path, default=Path("docs"), metavar="FOLDER", help="(%(default)s)")
    data = add_group(commands, "data", "check and describe raw tables, simulate a portfolio")
    check = add_command(data, "check", _check, "hold every row against its contract, every table against its freshness")
    add_product(check)
    add_places(check)
    check.add_argument("--as-of", type=day, metavar="DATE", help="freshness is seen from then (default: today)")
    describe = add_command(
        data, "describe", _describe, "rows, gaps, ranges, freshness, rows set aside: a page and JSON"
    )
    add_product(describe)
    add_places(describe)
    describe.add_argument("--as-of", type=day, metavar="DATE", help="freshness is seen from then (default: today)")
    simulated = add_command(data, "simulate", _simulate, "write a simulated portfolio with known true PDs, of any size")
    add_product(simulated)
    simulated.add_argument("--customers", type=at_least(1), default=6000, help="how many (%(default)s)")
    simulated.add_argument("--seed", type=at_least(0), default=2026, help="(%(default)s)")
    simulated.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where to write parquet files")


def add_places(parser: Any, required: bool = True, told: str = "raw tables") -> None:
    """Add --data, which may stand several times."""
    parser.add_argument("--data", action="append", required=required, metavar="PLACE", help=f"{told}: {PLACES}")


def read_tables(places: Sequence[str], product: Product, settings: Settings) -> Mapping[str, Any]:
    """The checked tables of --data. Rows set aside are written to `home`/quarantine and told on standard error."""
    from features.load import load
    from features.sources import open_source

    loaded = load(open_source(places, product.reader), product, settings.data.quarantine_share)
    if len(loaded.quarantine):
        _set_aside(loaded.quarantine, product, settings)
    return loaded.tables


def _set_aside(quarantine: Any, product: Product, settings: Settings) -> None:
    from features.quality import quarantine_csv

    path = settings.home / "quarantine" / f"{product.name}.csv"
    quarantine_csv(quarantine, path)
    rows = len(quarantine[["table", "row"]].drop_duplicates())
    print(f"note: {rows:,} bad rows set aside, each with its reason: {path}", file=sys.stderr)


def _list(arguments: Arguments) -> int:
    from features import catalogue

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    features = catalogue.product_features(product, {})
    program = catalogue.compile_program(features)
    told = [f"{len(features)} features of {product.name}, program {program.digest}"]
    told += [f"  {f.name:<30} {f.group:<11} {f.unit:<18} risk {f.risk:<8} {f.meaning}" for f in features]
    values = {"program": program.digest, "features": [catalogue.describe(item) for item in features]}
    show(arguments, values, "\n".join(told))
    return 0


def _build(arguments: Arguments) -> int:
    from features.book import write_matrix

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    as_of = today() if arguments.as_of is None else arguments.as_of
    rows, aside = write_matrix(
        arguments.data, product, as_of, arguments.out, settings.data.quarantine_share, arguments.scheduler
    )
    if aside:
        how = "`creditloop data check` writes each with its row and reason"
        print(f"note: bad rows set aside: {'; '.join(aside)}; {how}", file=sys.stderr)
    show(arguments, {"rows": rows, "out": arguments.out}, f"{rows:,} customers into {arguments.out}")
    return 0


def _document(arguments: Arguments) -> int:
    from features.document import pages

    written = []
    for name, text in pages().items():
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / name).write_text(text, encoding="utf-8")
        written.append(str(arguments.out / name))
    show(arguments, {"files": written}, "\n".join(written))
    return 0


def _check(arguments: Arguments) -> int:
    from features.contracts import iso
    from features.quality import stale

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    tables = read_tables(arguments.data, product, settings)
    as_of = today() if arguments.as_of is None else arguments.as_of
    if old := stale(tables, product.freshness, as_of):
        raise Refusal(listed(f"{product.name} at {iso(as_of)}", old))
    rows = {name: len(table["customer_id"]) for name, table in tables.items()}
    told = "these rows hold their contracts: " + ", ".join(f"{name} {count:,}" for name, count in rows.items())
    show(arguments, {"rows": rows}, told)
    return 0


def _describe(arguments: Arguments) -> int:
    from features.load import load
    from features.quality import page, summarise
    from features.sources import open_source

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    source = open_source(arguments.data, product.reader)
    # Whatever share is bad: this page is where one looks to find out.
    quality = summarise(
        load(source, product, quarantine_share=1.0),
        source.told(),
        today() if arguments.as_of is None else arguments.as_of,
    )
    path = settings.home / "reports" / product.name / "data-quality.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(quality), encoding="utf-8")
    told = [
        f"{t.name:<15} {t.rows:>11,} rows {t.customers:>10,} customers  newest {t.newest}  set aside {t.set_aside:,}"
        for t in quality.tables
    ]
    show(arguments, {**quality.to_json(), "page": path}, "\n".join([*told, f"page  {path}"]))
    return 0


def require_simulated(product: Product) -> None:
    """InputError where the simulated portfolio lacks a table of the product."""
    if "facts" in product.tables or product.reader != "tables":
        raise InputError(f"{product.name}: its tables cannot be simulated; bring a folder of your own with --data")


def _simulate(arguments: Arguments) -> int:
    from tqdm import tqdm

    from features.simulate import Scenario, write

    product = load_product(arguments.product, read_settings(arguments).home)
    require_simulated(product)
    scenario = Scenario(arguments.customers, arguments.seed, companies="invoices" in product.tables)
    with tqdm(total=arguments.customers, unit="customer", leave=False, disable=None) as bar:
        written = write(scenario, arguments.out, lambda done, _: bar.update(done - bar.n))
    show(arguments, {"files": written}, "\n".join(f"{path}  {rows:,} rows" for path, rows in written.items()))
    return 0
