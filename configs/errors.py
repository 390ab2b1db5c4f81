"""The errors a person can meet, and what each means for the command's exit code.

CreditloopError                 never shown as a traceback
├── InputError          exit 2  wrong usage or input: fix it and call again
│   ├── ConfigError             a settings or product file
│   ├── DataError               a table, row, column or label
│   └── BundleError             a model version that is damaged or of another program
└── Refusal             exit 1  the question was well put and the answer is no (a gate, a missing champion)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class CreditloopError(Exception):
    """Root of all errors whose message is written for the person who meets them."""

    exit_code = 2


class InputError(CreditloopError):
    """Wrong usage or wrong input."""


class ConfigError(InputError):
    """A settings or product file says something it may not say."""


class DataError(InputError):
    """A table breaks its contract, or a label cannot be learned from."""


class BundleError(InputError):
    """A model version is damaged, incomplete, or was made for another feature program."""


class Refusal(CreditloopError):
    """A proper question whose answer is no."""

    exit_code = 1


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest known name, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def listed(where: str, problems: Sequence[str], shown: int = 20) -> str:
    """One message for all problems at once: a headline, then a line each."""
    lines = [f"{where}: {len(problems)} problem{'s' if len(problems) != 1 else ''}"]
    lines += [f"  {problem}" for problem in problems[:shown]]
    if len(problems) > shown:
        lines.append(f"  ... and {len(problems) - shown} more")
    return "\n".join(lines)
