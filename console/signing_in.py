"""Sign in with a key, sign out, and the language one reads."""

from __future__ import annotations

from console import language
from console.visit import Elsewhere, Page, Visit
from serving import access


def page(visit: Visit) -> Page | Elsewhere:
    """The form; who is signed in already goes on."""
    return _form(visit, "", 200) if visit.caller is None else Elsewhere("/")


def asked(visit: Visit) -> Page:
    """The form, where a page was asked for that is not for everybody."""
    return _form(visit, "", 401)


def sign_in(visit: Visit) -> Page | Elsewhere:
    """Begin a session, where the key is a person's and this address has not tried too often."""
    state, now = visit.state, visit.now.timestamp()
    if not state.sessions.attempt(visit.address, now):
        told = "Too many attempts from here. Try again in {minutes} minutes."
        return _form(visit, visit.say(told, minutes=state.settings.console.sign_in_minutes), 429)
    keys = state.live.keys
    caller = access.person(keys, visit.said("key"))
    if caller is None:
        return _form(visit, visit.say("This is no valid key of a person. Nothing was opened."), 401)
    state.sessions.sign_out(visit.session)
    digest = next(one for one, who in keys.items() if who is caller)
    return Elsewhere("/", state.sessions.sign_in(digest, now))


def sign_out(visit: Visit) -> Elsewhere:
    """End the session for every copy of its cookie."""
    visit.state.sessions.sign_out(visit.session)
    return Elsewhere("/sign-in?done=signed-out", visit.state.sessions.visitor(visit.now.timestamp()))


def speak(visit: Visit) -> Elsewhere:
    """Keep the language, and go back to the page one came from."""
    back = visit.said("back")
    path = back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
    return Elsewhere(path, language=language.known(visit.said("language"), visit.language))


def _form(visit: Visit, told: str, status: int) -> Page:
    return Page("sign_in.html", {"told": told}, status)
