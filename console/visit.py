"""One request as a page sees it, and what all pages of a process share."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from configs.errors import InputError, Refusal
from configs.settings import Settings
from console import language
from console.language import Language
from console.sessions import Session, Sessions
from serving.access import Action, Caller
from serving.ledger import Ledger, open_ledger
from serving.live import Live
from serving.replay import Scorers
from serving.score import Scorer
from training import bundle as bundles
from training.signature import trusted_keys


class State:
    """What the pages of one process read: its own door to the ledger, sessions, versions that were checked."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.settings: Settings = live.settings
        self.ledger: Ledger = open_ledger(live.settings)
        self.sessions = Sessions(live.settings.home, live.settings.console)
        self.past = Scorers(self.ledger, live.settings.home)
        self.replaying = threading.Lock()  # one at a time: a past version is loaded once, whoever asks
        self._facts: dict[tuple[str, str], dict[str, Any]] = {}

    def facts(self, product: str, version: str) -> dict[str, Any]:
        """What a version says of itself, checked when it is first asked for. Raises BundleError."""
        if (product, version) not in self._facts:
            folder = self.settings.home / "bundles" / product / version
            self._facts[product, version] = bundles.read_facts(folder, trusted_keys(self.settings.signing))
        return self._facts[product, version]

    def close(self) -> None:
        """Let go of the ledger."""
        self.ledger.close()


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody's request: who they are (nobody before sign-in), what they asked, and where."""

    state: State
    session: Session
    caller: Caller | None
    language: Language
    path: str
    now: dt.datetime
    query: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    address: str = ""

    @property
    def by(self) -> str:
        """The name that goes on record."""
        if self.caller is None:
            raise Refusal("nobody is signed in")
        return self.caller.name

    def may(self, action: Action) -> bool:
        """Whether who is signed in may do this."""
        return self.caller is not None and self.caller.may(action)

    def say(self, sentence: str, **values: object) -> str:
        """A sentence of ours in the visitor's language."""
        return language.say(self.language, sentence, **values)

    @property
    def products(self) -> list[str]:
        """The products that are served."""
        return list(self.state.live.scorers)

    @property
    def scorer(self) -> Scorer:
        """The champion of the product asked about; of the first where none is named. Raises InputError."""
        name = self.form.get("product") or self.query.get("product") or self.products[0]
        found = self.state.live.scorer_for(name)
        if found is None:
            raise InputError(self.say("no product {name} is served here", name=repr(name)))
        return found

    def asked(self, name: str) -> str:
        """A value of the query, without the blanks around it."""
        return self.query.get(name, "").strip()

    def day(self, name: str) -> dt.date | None:
        """A day of the query, None where none is said. Raises InputError."""
        try:
            return dt.date.fromisoformat(self.asked(name)) if self.asked(name) else None
        except ValueError:
            told = self.say("{name}: expected a day like 2026-01-31", name=name)
            raise InputError(told) from None

    def said_day(self, name: str) -> dt.date:
        """A day of the form. Raises InputError."""
        try:
            return dt.date.fromisoformat(self.said(name))
        except ValueError:
            raise InputError(self.say("{name}: expected a day like 2026-01-31", name=name)) from None

    def said(self, name: str) -> str:
        """What was typed into a field of the form, without the blanks around it."""
        return self.form.get(name, "").strip()


@dataclass(frozen=True, slots=True)
class Page:
    """A template and what it shows."""

    template: str
    values: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Go and look there; `session` takes the place of the visitor's, `language` is kept."""

    path: str
    session: Session | None = None
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """Something that is no page of ours: bytes, their type, and the policy a browser shows them under."""

    body: bytes
    media: str
    policy: str = ""
    name: str = ""


Answer = Page | Elsewhere | Document
