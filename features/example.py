"""The customer of docs/features.md: one company small enough to follow every feature by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

EXAMPLE_DAY = dt.date(2025, 6, 30)
Row = dict[str, Any]
_MONTHS = (  # month end, balance, due, paid, days past due
    ("2025-03-31", 400.0, 80.0, 80.0, 0.0),
    ("2025-04-30", 500.0, 100.0, 50.0, 30.0),
    ("2025-05-31", 700.0, 140.0, 0.0, 60.0),
    ("2025-06-30", 600.0, 120.0, 120.0, 0.0),
)
_INVOICES = (  # issued, due, paid, amount, disputed
    ("2025-03-01", "2025-03-31", "2025-03-26", 100.0, 0),
    ("2025-04-01", "2025-05-01", "2025-05-16", 200.0, 1),
    ("2025-05-15", "2025-06-14", None, 300.0, 0),
)
_FINDINGS = (("2024-11-30", "court", 3, 500.0), ("2025-05-31", "inquiry", 0, None))
_ANSWERS = {"experience": 4, "governance": 3, "staff": 3, "information_systems": 2, "planning": 4}


def example_rows() -> dict[str, list[Row]]:
    """Its raw tables: four statement months, two reports, three invoices, two findings, five answers."""
    tables: dict[str, list[Row]] = {
        "customers": [{"since": "2024-06-30", "kind": "company"}],
        "statements": [_statement(*month) for month in _MONTHS],
        "financials": [_report(2023, 1000.0), _report(2024, 1200.0)],
        "invoices": [_invoice(str(number), *said) for number, said in enumerate(_INVOICES, start=1)],
        "investigations": [_finding(*said) for said in _FINDINGS],
        "questionnaires": [{"date": "2025-01-31", "item": item, "level": level} for item, level in _ANSWERS.items()],
    }
    return {name: [{"customer_id": "example", **row} for row in rows] for name, rows in tables.items()}


def _statement(month: str, balance: float, due: float, paid: float, days_past_due: float) -> Row:
    return {
        "account_id": "main",
        "month": month,
        "balance": balance,
        "credit_limit": 1000.0,
        "amount_due": due,
        "amount_paid": paid,
        "days_past_due": days_past_due,
        "inflow": 2000.0,
        "outflow": 1900.0,
        "transactions": 20.0,
    }


def _report(year: int, revenue: float) -> Row:
    return {
        "period_end": f"{year}-12-31",
        "known_time": f"{year + 1}-04-30",
        "revenue": revenue,
        "cost_of_sales": 0.7 * revenue,
        "ebit": 0.1 * revenue,
        "interest": 20.0,
        "net_income": 0.06 * revenue,
        "cash": 50.0,
        "receivables": 150.0,
        "inventory": 100.0,
        "current_assets": 300.0,
        "total_assets": 800.0,
        "current_liabilities": 200.0,
        "total_liabilities": 500.0,
        "equity": 300.0,
        "retained_earnings": 120.0,
        "operating_cash_flow": 90.0,
    }


def _invoice(number: str, issued: str, due: str, paid: str | None, amount: float, disputed: int) -> Row:
    return {
        "invoice_id": number,
        "issued": issued,
        "due": due,
        "paid": paid,
        "amount": amount,
        "disputed": disputed,
    }


def _finding(date: str, kind: str, severity: int, amount: float | None) -> Row:
    return {"date": date, "source": "agency", "type": kind, "severity": severity, "amount": amount}
