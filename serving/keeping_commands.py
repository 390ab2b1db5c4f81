"""The subcommands of decisions about who may see and who keeps: show, reads, retain, hold, holds, release."""

from __future__ import annotations

import datetime as dt
import sys
from dataclasses import asdict
from typing import Any

from configs.console import Arguments, add_command, read_settings, show
from configs.errors import InputError
from serving.identity import acting, add_by
from serving.review_commands import add_decider, calendar_day


def add_keeping(decisions: Any) -> None:
    """Add the subcommands to decisions."""
    shown = add_command(decisions, "show", _show, "one decision and what was done about it since; a look is recorded")
    shown.add_argument("decision", metavar="DECISION_ID", help="as the answer named it")
    add_by(shown)
    looks = add_command(decisions, "reads", _reads, "who looked at records of customers, when, and how")
    looks.add_argument("--customer", metavar="CUSTOMER", help="of this one alone")
    add_by(looks)
    retain = add_command(decisions, "retain", _retain, "customers whose records are all older than [retention] says")
    retain.add_argument("--as-of", type=calendar_day, metavar="DATE", help="the day asked at (default: today)")
    retain.add_argument("--apply", action="store_true", help="erase them, but for those under a hold")
    add_by(retain)
    hold = add_command(decisions, "hold", _hold, "keep a customer's records from erasure, for a dispute at law")
    hold.add_argument("customer", metavar="CUSTOMER", help="as the requests named them")
    add_decider(hold)
    add_command(decisions, "holds", _holds, "every hold; exit code 1 if any stands")
    release = add_command(decisions, "release", _release, "let go of a hold")
    release.add_argument("hold", metavar="HOLD", help="its id, as `decisions holds` names it")
    add_decider(release)


def _show(arguments: Arguments) -> int:
    import msgspec

    from serving import reads
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by, ledger = acting(arguments, settings, "read").name, command_ledger(arguments, settings)
    record = ledger.by_id(arguments.decision)
    if record is None or record.entry.kind != "decision":
        raise InputError(f"the ledger has no decision {arguments.decision!r}")
    customer, body = record.entry.subject, record.body()
    reads.record(ledger, customer, by, record.entry.id, utc_now())
    later = [made for made in ledger.about([record.entry.id, customer]) if _is_of(made, record.entry.id)]
    since = [{"id": made.entry.id, "kind": made.entry.kind, "at": made.entry.at, **made.body()} for made in later]
    values = {"id": record.entry.id, "customer": customer, "at": record.entry.at, **body, "since": since}
    show(arguments, values, msgspec.json.format(msgspec.json.encode(values), indent=1).decode())
    return 0


def _is_of(made: Any, decision_id: str) -> bool:
    return not made.erased and (
        made.entry.subject == decision_id
        or (made.entry.kind == "override" and made.body()["decision_id"] == decision_id)
    )


def _reads(arguments: Arguments) -> int:
    from serving import reads
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    acting(arguments, settings, "read")
    found = list(reads.reads(command_ledger(arguments, settings), arguments.customer))
    lines = [f"{one.at}  {one.by:<20} {one.customer:<20} {one.what}" for one in found]
    show(arguments, {"reads": [asdict(one) for one in found]}, "\n".join(lines) or "nobody looked yet")
    return 0


def _retain(arguments: Arguments) -> int:
    from serving import retention
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by, ledger = acting(arguments, settings, "erase").name, command_ledger(arguments, settings)
    today = dt.datetime.now(dt.UTC).date()
    on = arguments.as_of or today
    if arguments.apply and on > today:
        raise InputError(f"--as-of {on}: what is not past its time yet is not erased")
    found = retention.expired(ledger, settings.retention, on)
    wanted, why_erased = found if arguments.apply else [], f"past its time by [retention] on {on}"
    gone, left = retention.erase(ledger, wanted, by, why_erased, utc_now())
    for why in left:
        print(f"note: not erased: {why}", file=sys.stderr)
    held = sum(one.held for one in found)
    told = f"{len(found):,} customers are past their time, {held:,} of them under a hold; {len(gone):,} erased"
    show(arguments, {"expired": [asdict(one) for one in found], "erased": len(gone)}, told)
    return 0


def _hold(arguments: Arguments) -> int:
    from serving import retention
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "hold").name
    made = retention.hold(command_ledger(arguments, settings), arguments.customer, by, arguments.reason, utc_now())
    show(arguments, asdict(made), f"{made.id}: the records about {made.customer} are kept until it is released")
    return 0


def _holds(arguments: Arguments) -> int:
    from serving import retention
    from serving.command_ledger import command_ledger

    found = retention.holds(command_ledger(arguments, read_settings(arguments)))
    lines = [
        f"{one.id}  {one.customer:<20} {one.by}: {one.reason}"
        + (f"; released by {one.released_by}" if one.released_by else "")
        for one in found
    ]
    show(arguments, {"holds": [asdict(one) for one in found]}, "\n".join(lines) or "no hold")
    return 1 if any(one.released_by is None for one in found) else 0


def _release(arguments: Arguments) -> int:
    from serving import retention
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "hold").name
    made = retention.release(command_ledger(arguments, settings), arguments.hold, by, arguments.reason, utc_now())
    show(arguments, asdict(made), f"{made.id} is released")
    return 0
