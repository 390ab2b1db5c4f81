"""A person's choice among the alternatives of a version: which model, why, and why not each that had to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs.errors import InputError, Refusal, nearest
from training.alternatives import CHOSEN


@dataclass(frozen=True, slots=True)
class Choice:
    """Which model of the search was taken, why, and by name why each alternative that had to be shown was not."""

    model: str
    reason: str
    refusals: Mapping[str, str]


def choose(found: Mapping[str, Any], model: str, reason: str, refusals: Mapping[str, str]) -> Choice:
    """A choice among what was `found`, the section `alternatives` of training.json; `chosen` is the version itself.

    Raises InputError where a model is none of those judged or no reason is given, and Refusal where an alternative that
    had to be shown is neither taken nor its refusal explained.
    """
    judged = list(dict.fromkeys([CHOSEN, *(one["name"] for part in found["attributes"] for one in part["models"])]))
    for name in (model, *refusals):
        if name not in judged:
            hint = nearest(name, judged) or f"; there are {', '.join(judged)}"
            raise InputError(f"alternatives: no model {name!r} was judged{hint}")
    if not reason.strip():
        raise InputError("a choice is on record with its reason: it may not be empty")
    silent = [name for name in found["must_be_shown"] if name != model and not refusals.get(name, "").strip()]
    if silent:
        raise Refusal(f"not inferior, less discriminatory, and refused without a reason: {', '.join(silent)}")
    return Choice(model, reason, {name: why for name, why in refusals.items() if name != model})
