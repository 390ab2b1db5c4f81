"""Who acts at the command line: the holder of the key in $CREDITLOOP_KEY, whose role must allow it."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from configs.console import Arguments
from configs.errors import InputError, Refusal
from configs.persons import known_as
from configs.settings import Settings
from serving import access
from serving.access import ACTIONS, PERSONS, Action, Caller

KEY, KEY_FILE = "CREDITLOOP_KEY", "CREDITLOOP_KEY_FILE"
NAMED = "named"


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts, by the name that goes on record, and the role of their key; `named` where no key proved the name."""

    name: str
    role: str


def add_by(parser: argparse.ArgumentParser) -> None:
    """Add --by, which says who acts only where [governance] identity = "named"."""
    parser.add_argument("--by", metavar="NAME", help=f'who acts, where identity = "named"; else ${KEY} tells')


def acting(arguments: Arguments, settings: Settings, may: Action) -> Person:
    """The person who acts, allowed to do what `may` names.

    Raises InputError where nobody is told, and Refusal where the role does not allow it.
    """
    said = (getattr(arguments, "by", None) or "").strip()
    if settings.governance.identity == NAMED:
        if not said:
            raise InputError('--by NAME: with [governance] identity = "named" whoever acts says who they are')
        return Person(said, NAMED)
    who = holder(settings)
    if who is None:
        raise InputError(
            f"who acts is read from a key, and {KEY} is not set. The first key of a home is free to make: "
            f"export {KEY}=$(creditloop keys create YOU --role admin)"
        )
    if said and known_as(said) != known_as(who.name):
        raise InputError(f"--by {said}: the key is {who.name}'s; leave --by away")
    return allowed(who, may)


def allowed(who: Caller, may: Action) -> Person:
    """The person, where their role allows what `may` names. Raises Refusal."""
    if not who.may(may):
        roles = ", ".join(sorted(ACTIONS[may] & PERSONS))
        raise Refusal(f"{who.name} has the role {who.role}; {may} needs one of {roles}")
    return Person(who.name, who.role)


def holder(settings: Settings) -> Caller | None:
    """The person whose key is in $CREDITLOOP_KEY, or in the file $CREDITLOOP_KEY_FILE names; None without a key.

    Raises InputError where it is no person's.
    """
    key = os.environ.get(KEY, "").strip()
    if not key and (file := os.environ.get(KEY_FILE, "")):
        key = Path(file).read_text(encoding="utf-8").strip()
    if not key:
        return None
    who = access.person(access.load_keys(settings.home), key)
    if who is None:
        raise InputError(f"the key in {KEY} belongs to no person here; creditloop keys list names the keys there are")
    return who


def keeper_of_keys(arguments: Arguments, settings: Settings) -> Person | None:
    """Who makes or revokes a key: an administrator, from the first one on; None while there is none yet.

    Where persons are only named it is who --by names, an empty name where nobody does.

    Raises as `acting` does.
    """
    keys = access.load_keys(settings.home)
    if settings.governance.identity == NAMED:
        return Person((arguments.by or "").strip(), NAMED)
    if not any(who.role == "admin" for who in keys.values()):
        return None
    return acting(arguments, settings, "keys")


def author(arguments: Arguments, settings: Settings) -> str | None:
    """Who has a version trained, as it goes on record; None where nobody says so and one pair of eyes is enough.

    Raises as `acting` does.
    """
    if settings.governance.identity == NAMED:
        return (getattr(arguments, "by", None) or "").strip() or None
    if settings.governance.approvals == 0 and holder(settings) is None:
        return None
    return acting(arguments, settings, "train").name
