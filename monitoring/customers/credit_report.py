"""The credit report of one customer on two pages: what the credit file says, ordered as a credit analyst reads it."""

from __future__ import annotations

from typing import Any

from monitoring.customers import trace

SHOWN = 6  # figures of a section: those that weigh most in the score
YEARS = 3
_SECTIONS = {
    "financial": "Financial position",
    "operating": "Operations",
    "behavioral": "Payment and use of credit",
    "bureau": "Credit investigation",
    "management": "Management",
    "column": "Other facts",
}
_STATEMENT = (
    "revenue",
    "ebit",
    "net_income",
    "operating_cash_flow",
    "current_assets",
    "current_liabilities",
    "total_assets",
    "total_liabilities",
    "equity",
)
_EVENTS = 6
_READ_WHOLE = ("financials", "investigations", "invoices")


def credit_report(file: dict[str, Any]) -> dict[str, Any]:
    """What the report says, out of the values of `credit_file`; each figure with the numbers of its source rows."""
    sections = [_section(group) for group in file["groups"]]
    used = {source["table"] for section in sections for one in section["figures"] for source in one["sources"]}
    facts = file["facts"]
    return {
        **{name: file[name] for name in ("customer_id", "product", "title", "currency", "as_of", "model", "identity")},
        **{name: file[name] for name in ("score", "trend", "reasons", "limit_logic", "advice", "tables")},
        "standing": file["standing"],
        "sections": sections,
        "statements": _statements(facts.get("financials", [])),
        "findings": _findings(facts.get("investigations", [])),
        "payment": _payment(facts.get("invoices", []), file["as_of"]),
        "summary": _summary(file),
        "sources": {name: rows for name, rows in facts.items() if rows and (name in used or name in _READ_WHOLE)},
    }


def _section(group: dict[str, Any]) -> dict[str, Any]:
    """The figures of a group that weigh most, by points lost or gained."""
    known = [one for one in group["features"] if one["value"] is not None]
    most = sorted(known, key=lambda one: -abs(one["points"]))[:SHOWN]
    figures = [
        {
            **one,
            "refs": "; ".join(f"{source['table']} {trace.ranges(source['rows'])}" for source in one["sources"]),
            "bad": _far_out(one),
        }
        for one in most
    ]
    return {
        "name": _SECTIONS.get(group["name"], group["name"]),
        "points": sum(one["points"] for one in group["features"]),
        "known": group["known"],
        "of": group["of"],
        "figures": figures,
    }


def _far_out(figure: dict[str, Any]) -> bool:
    """Whether nine of ten peers stand better."""
    below = figure["peers_below"]
    if below is None:
        return False
    return bool((figure["risk"] == "rises" and below > 0.9) or (figure["risk"] == "falls" and below < 0.1))


def _statements(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The last yearly statements side by side, newest first, each column with its row number."""
    newest = _in_force(rows, "period_end")[:YEARS]
    lines = [
        {"name": name, "values": [row.get(name) for _, row in newest]}
        for name in _STATEMENT
        if any(row.get(name) is not None for _, row in newest)
    ]
    heads = [{"period": row["period_end"], "known": row.get("known_time"), "row": number} for number, row in newest]
    return {"heads": heads, "lines": lines}


def _findings(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest findings but plain inquiries, which anyone may make."""
    numbered = _in_force(rows, "date", "source", "type")
    return [{**row, "row": number} for number, row in numbered if row.get("type") != "inquiry"][:_EVENTS]


def _in_force(rows: list[dict[str, Any]], *key: str) -> list[tuple[int, dict[str, Any]]]:
    """The rows with their numbers, each key once: what was restated stands after its newer version."""
    found: dict[tuple[Any, ...], tuple[int, dict[str, Any]]] = {}
    for number, row in enumerate(rows, 1):
        found.setdefault(tuple(row.get(name) for name in key), (number, row))
    return list(found.values())


def _payment(rows: list[dict[str, Any]], as_of: str) -> dict[str, Any] | None:
    """Open and overdue invoices as they were known; None where the product has none."""
    if not rows:
        return None
    every = _in_force(rows, "invoice_id")
    still = [(number, row) for number, row in every if row.get("paid") is None]
    late = [(number, row) for number, row in still if row["due"] < as_of]
    return {
        "invoices": len(every),
        "open": sum(row["amount"] for _, row in still),
        "open_refs": trace.ranges([number for number, _ in still]),
        "overdue": sum(row["amount"] for _, row in late),
        "overdue_refs": trace.ranges([number for number, _ in late]),
        "oldest_due": min((row["due"] for _, row in late), default=None),
    }


def _summary(file: dict[str, Any]) -> str:
    """One sentence a hurried reader needs."""
    score, trend = file["score"], file["trend"]
    first, now = trend["default_probability"][0], score["default_probability"]
    course = "higher than" if now > 1.25 * first else "lower than" if now < 0.8 * first else "about what it was"
    tail = "" if course.startswith("about") else f" the {100 * first:.2f} % of"
    bound = score["binding_constraint"].replace("_", " ")
    granted = (
        f"a limit of {score['limit']:,.0f} {file['currency']} on {score['terms_days']} days, bound by {bound}"
        if score["limit"]
        else f"no limit ({bound})"
    )
    return (
        f"Grade {score['grade']} with a PD of {100 * now:.2f} %, {course}{tail} a year before; the policy says "
        f"{score['decision']}: {granted}."
    )
