"""The subcommands of the record and its keys: decisions verify, checkpoint, outcome, export and erase; keys."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

from configs.console import Arguments, add_command, add_group, day, read_settings, show
from configs.errors import CreditloopError, InputError, Refusal
from serving import keeping_commands
from serving.access import ROLES
from serving.identity import acting, add_by, keeper_of_keys


def add_decisions(commands: Any) -> Any:
    """Add decisions and its subcommands; the group, for those that others add."""
    decisions = add_group(commands, "decisions", "verify and witness the ledger, replay decisions, record outcomes")
    add_command(decisions, "verify", _verify, "recompute every hash of the ledger and meet every signed checkpoint")
    add_command(decisions, "checkpoint", _checkpoint, "verify the ledger, then sign its head into the anchor folder")
    outcome = add_command(decisions, "outcome", _outcome, "record what became of a decision")
    outcome.add_argument("decision", metavar="DECISION_ID", help="as the answer named it")
    outcome.add_argument("--defaulted", required=True, choices=("0", "1"), help="1: a default")
    outcome.add_argument("--on", required=True, type=day, metavar="DATE", help="the day this was so")
    outcome.add_argument("--correction", metavar="REASON", help="why the outcome on record was wrong")
    export = add_command(decisions, "export", _export, "all that is on record about a customer, as JSON, one a line")
    export.add_argument("customer", metavar="CUSTOMER", help="as the requests named them")
    add_by(export)
    keeping_commands.add_keeping(decisions)
    erase = add_command(decisions, "erase", _erase, "delete a customer's key: nobody can read their records any more")
    erase.add_argument("customer", metavar="CUSTOMER", help="as the requests named them")
    add_by(erase)
    erase.add_argument("--reason", required=True, metavar="WHY", help="on whose wish or by which rule; names nobody")
    return decisions


def add_keys(commands: Any) -> None:
    """Add keys and its subcommands."""
    keys = add_group(commands, "keys", "API keys of the service, the key that signs model versions")
    create = add_command(keys, "create", _keys_create, "make a key, replacing the former of that name")
    create.add_argument("name", help="whose it is")
    create.add_argument("--role", required=True, help=f"of a machine or a person: {', '.join(ROLES)}")
    add_by(create)
    add_command(keys, "list", _keys_list, "names, roles and ids of the keys; the keys themselves are not kept")
    revoke = add_command(keys, "revoke", _keys_revoke, "make a key worthless; a running service follows in seconds")
    revoke.add_argument("key", metavar="NAME|ID", help="as `keys list` names it")
    add_by(revoke)
    told = "show the public half of the key that signs model versions; make the key where there is none"
    add_command(keys, "signing", _keys_signing, told)


def _verify(arguments: Arguments) -> int:
    from serving import checkpoint
    from serving.command_ledger import command_ledger
    from serving.ledger import LedgerError
    from serving.verify_ledger import Breach, read_anchors

    settings = read_settings(arguments)
    anchor = settings.serving.anchor
    ledger = command_ledger(arguments, settings)  # one that cannot be opened is wrong input, a broken one is a no
    try:
        anchors = read_anchors(Path(anchor), checkpoint.witnesses(settings.signing)) if anchor else []
        count, head = ledger.verify(anchors)
    except (LedgerError, Breach) as error:
        raise Refusal(str(error)) from None
    values = {"records": count, "head": head, "checkpoints": len(anchors)}
    show(arguments, values, f"{count:,} records, every hash holds; head {head}\n{checkpoint.told(anchors)}")
    return 0


def _checkpoint(arguments: Arguments) -> int:
    from serving import checkpoint
    from serving.command_ledger import command_ledger
    from serving.ledger import LedgerError
    from serving.live import utc_now
    from serving.verify_ledger import Breach, read_anchors
    from training.signature import public_key, signing_key

    settings = read_settings(arguments)
    if not settings.serving.anchor:
        raise InputError("serving.anchor is empty: name the folder that keeps the checkpoints in creditloop.toml")
    folder, key = Path(settings.serving.anchor), signing_key(settings.signing)
    try:
        ledger = command_ledger(arguments, settings)
        seq, head = ledger.verify(read_anchors(folder, checkpoint.witnesses(settings.signing)))
    except (LedgerError, Breach) as error:
        raise Refusal(f"{error}; nothing was signed") from None
    if not seq:
        raise Refusal("the ledger holds no record yet: there is nothing to sign")
    path = checkpoint.write(seq, head, utc_now(), key, folder)
    values = {"sequence": seq, "head": head, "file": path, "public_key": public_key(key)}
    show(arguments, values, f"record {seq:,}, head {head}, signed by {public_key(key)} into {path}")
    return 0


def _outcome(arguments: Arguments) -> int:
    from serving.command_ledger import command_ledger
    from serving.live import utc_now
    from serving.outcomes import record_outcome

    ledger = command_ledger(arguments, read_settings(arguments))
    on = dt.date(1970, 1, 1) + dt.timedelta(arguments.on)
    defaulted = arguments.defaulted == "1"
    made = record_outcome(ledger, arguments.decision, defaulted, on, utc_now(), arguments.correction)
    told = "recorded" if made.new else "was on record already"
    show(arguments, {"id": made.entry.id, "new": made.new, **made.body()}, f"{made.entry.id} {told}")
    return 0


def _export(arguments: Arguments) -> int:
    from serving import reads
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by, ledger = acting(arguments, settings, "read").name, command_ledger(arguments, settings)
    found = [record for record in ledger.about([arguments.customer]) if not record.erased]
    if found:
        reads.record(ledger, arguments.customer, by, "export", utc_now())
    for record in found:
        entry = record.entry
        line = {"seq": record.seq, "id": entry.id, "kind": entry.kind, "product": entry.product, "at": entry.at}
        print(json.dumps({**line, "body": record.body()}, ensure_ascii=False))
    if not found:
        raise Refusal(f"nothing that can be read is on record about {arguments.customer!r}")
    return 0


def _erase(arguments: Arguments) -> int:
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = acting(arguments, settings, "erase").name
    ledger = command_ledger(arguments, settings)
    count = ledger.erase(arguments.customer, by, arguments.reason, utc_now())
    told = f"{count} records about {arguments.customer} cannot be read any more; the chain is whole"
    show(arguments, {"customer": arguments.customer, "records": count}, told)
    return 0


def _keys_create(arguments: Arguments) -> int:
    from serving import key_record
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = keeper_of_keys(arguments, settings)
    ledger = command_ledger(arguments, settings)
    key = key_record.make(ledger, settings.home, arguments.name, arguments.role, by, utc_now())
    print(
        f"key of {arguments.name} ({arguments.role}); it is shown this once, only its hash is kept:",
        file=sys.stderr,
    )
    show(arguments, {"name": arguments.name, "role": arguments.role, "key": key}, key)
    return 0


def _keys_list(arguments: Arguments) -> int:
    from serving import access

    keys = access.load_keys(read_settings(arguments).home)
    rows = [{"id": access.key_id(digest), "name": who.name, "role": who.role} for digest, who in keys.items()]
    lines = [f"{row['id']}  {row['role']:<9}  {row['name']}" for row in sorted(rows, key=lambda row: row["name"])]
    show(arguments, {"keys": rows}, "\n".join(lines) or "no key yet: creditloop keys create NAME --role ROLE")
    return 0


def _keys_revoke(arguments: Arguments) -> int:
    from serving import access, key_record
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = keeper_of_keys(arguments, settings)
    digest, gone = access.revoke_key(settings.home, arguments.key)  # a key that leaked does not wait for the ledger
    try:
        key_record.ended(command_ledger(arguments, settings), digest, gone, by, utc_now())
    except CreditloopError as why:
        raise InputError(f"the key of {gone.name} is revoked, but that is not on record: {why}") from None
    show(arguments, {"name": gone.name, "role": gone.role}, f"the key of {gone.name} ({gone.role}) is revoked")
    return 0


def _keys_signing(arguments: Arguments) -> int:
    from training.signature import public_key, signing_key

    settings = read_settings(arguments)
    public = public_key(signing_key(settings.signing))
    print(
        f"private key {settings.signing.private_key}; where others load its versions, add this to signing.trusted:",
        file=sys.stderr,
    )
    show(arguments, {"private_key": settings.signing.private_key, "public_key": public}, public)
    return 0
