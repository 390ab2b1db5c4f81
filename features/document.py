"""The reference pages, written from the declarations: every raw table, every feature with a worked number."""

from __future__ import annotations

import numpy as np
import pandas as pd

from configs.settings import HERE, read_toml
from features import matrix
from features.catalogue import DECLARED, compile_program
from features.check import check_frame
from features.contracts import TABLES, Column, Columns, Table, to_day
from features.declaration import Feature
from features.example import EXAMPLE_DAY, example_rows

_GROUPS = {
    "financial": "Financial position, out of reports known at as_of: solvency, profitability, efficiency, cash.",
    "operating": "Operations: growth, margins, their steadiness, and the course of trade with us.",
    "behavioral": "Behaviour: how the customer uses credit, pays statements and pays invoices.",
    "bureau": "Credit investigation: court, tax and news events, inquiries and trade references.",
    "management": "Management: five ordered answers, 1 weak to 5 strong.",
}
_ABOUT = {
    "customers": "a customer",
    "statements": "an account month",
    "financials": "a financial report",
    "invoices": "an invoice",
    "investigations": "a credit investigation event",
    "questionnaires": "an answer about a company's management",
    "outcomes": "what became of a customer asked about at as_of",
    "protected": "a customer's group by a protected attribute (never a feature; joined by the fairness report alone)",
    "declined": "an applicant who was declined at as_of, so that no outcome was seen (for reject inference alone)",
}


def pages() -> dict[str, str]:
    """The Markdown pages by file name."""
    return {"data.md": data_page(), "features.md": features_page()}


def data_page() -> str:
    """Every raw table with its columns, and the rules that go for all."""
    tables = "\n".join(_table(table) for table in TABLES.values())
    return _DATA_HEAD + tables + _DATA_TAIL


def _table(table: Table) -> str:
    key = ", ".join(f"`{name}`" for name in table.key) or "the customer"
    rows = [
        f"| `{name}` | {column.kind} | {_needed(column)} | {_holds(column)} |" for name, column in table.columns.items()
    ]
    head = f"## {table.name}\n\nOne row: {_ABOUT[table.name]}. Happened on: `{table.event}`. Key: {key}.\n\n"
    return head + "| column | kind | column and value | holds |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _needed(column: Column) -> str:
    if not column.required:
        return "optional"
    return "required, may be missing" if column.missing else "required"


def _holds(column: Column) -> str:
    if column.one_of:
        return "one of " + ", ".join(f"`{value}`" for value in column.one_of)
    whole = "whole, " if column.whole else ""
    if np.isfinite(column.high):
        return f"{whole}{column.low:g} to {column.high:g}"
    return f"{whole}{column.low:g} or more" if np.isfinite(column.low) else ""


def features_page() -> str:
    """Every declared feature by group, with its value for one worked example."""
    values = example_values()
    protected = read_toml(HERE / "protected.toml")
    lines = [_FEATURES_HEAD.format(count=len(DECLARED), day=EXAMPLE_DAY.isoformat())]
    lines += [_example_tables(), "## Never a feature\n"]
    lines += [f"- `{place}`: {', '.join(rule['attributes'])}" for place, rule in protected.items()]
    for group, about in _GROUPS.items():
        lines += [
            f"\n## {group}\n\n{about}\n",
            "| feature | meaning | unit | risk | reason | example |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_row(item, values[item.name]) for item in DECLARED if item.group == group]
    return "\n".join(lines) + "\n"


def _row(feature: Feature, value: float) -> str:
    shown = "missing" if np.isnan(value) else f"{value:.4g}"
    reason = f"{feature.reason} / {feature.reason_zh}"
    return f"| `{feature.name}` | {feature.meaning} | {feature.unit} | {feature.risk} | {reason} | {shown} |"


def example_values() -> dict[str, float]:
    """Every declared feature of the example customer."""
    program = compile_program(DECLARED)
    as_of = np.array([to_day(EXAMPLE_DAY)], np.int32)
    values = matrix.build(program, example_columns(), np.array(["example"], object), as_of)[0]
    return dict(zip(program.names, values.tolist(), strict=True))


def example_columns() -> dict[str, Columns]:
    """The example customer's raw tables, checked."""
    return {name: check_frame(TABLES[name], pd.DataFrame(rows), "example") for name, rows in example_rows().items()}


def _example_tables() -> str:
    parts = []
    for name, rows in example_rows().items():
        columns = [column for column in rows[0] if column != "customer_id"]
        cells = ["| " + " | ".join("" if row[c] is None else f"{row[c]}" for c in columns) + " |" for row in rows]
        head = "| " + " | ".join(columns) + " |\n|" + "---|" * len(columns)
        parts.append(f"`{name}`\n\n{head}\n" + "\n".join(cells) + "\n")
    return "\n".join(parts)


_DATA_HEAD = """# The raw tables

Written by `creditloop features document` from the contracts themselves.

Each table is `<table>.parquet` or `<table>.csv` in a folder given as `--data`, a folder `<table>/` of parquet
parts, or a table of a database given as a SQLAlchemy URL; several `--data` are joined. A product says which
tables it has (`tables` in its file); the rest are absent, not empty. Every table has `customer_id` and may have
`known_time`, the day a row could be known (default: the day it happened; it cannot lie before). A row with the
same key known later replaces the earlier one from that day on: a restated report, a corrected invoice.
`(customer_id, key, known_time)` is unique.

Numbers may be missing (empty, null), never infinite. Dates are ISO. Columns beyond these are ignored, unless one
is nearly the name of a missing one: then the check asks. Rows that break their contract are set aside, each with
row number and reason, as long as they are no more than `data.quarantine_share` of the table; more is an error
that lists them.

"""
_DATA_TAIL = """
## facts

One row: a customer's flat columns on a `date` (key: `date`). The product file declares the columns
(`[[columns]]`: name, kind `number` or `category`, direction of risk, unit, reasons). `creditloop train --csv`
writes such a product file for a flat table. Of the table it leaves out a text that is another in nearly every row
that holds one: it names rows, and may be what `--id` or `--time` should name; a note says so. Declared in the product
file it is taught.

## Notes

- `statements` of several accounts on one day: the worst `days_past_due` counts; balances, limits and payments add
  up.
- An invoice's `paid` date acts from that day on: before it, the invoice is open. A question asked earlier does
  not see it.
- `outcomes.as_of` is the day the question was asked; `observed_until` (default: the end of the outcome window)
  says how long the customer was watched. A row trains or judges only when its window has closed and it was
  observed that long.
- `outcomes`, `protected` and `declined` judge a model and never feed one: no feature reads them, and a book is
  scored without them. The latter two are listed under `tables` by a product that has them (`docs/fairness.md`).
- `outcomes.defaulted` is 1 where the customer went bad within the product's window (`[outcome]` in the product
  file).
- Where `outcomes` tells more, the product's definition decides: `days_past_due_max` of its `days_past_due` or more is
  a default unless `amount_past_due` stays within a threshold of materiality; `defaulted_on` inside the window is a
  default though cured; one on or before as_of, or in probation after `cured_on`, leaves the row out."""
_FEATURES_HEAD = """# The features

Written by `creditloop features document` from the declarations themselves: {count} features. The last column is
the value for the company below, asked on {day}. A window of n months holds the facts after the same day n months
before (month ends go to month ends). Nothing known is missing, never zero; a ratio over zero or less is missing,
never infinite. Risk `rises` or `falls` with the value: LightGBM is held to it. The reason is what a customer is
told.

## The example
"""
