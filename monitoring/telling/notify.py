"""Notices of verdicts by webhook and e-mail: tried again, and where nobody could be reached kept, never lost."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from urllib.parse import urlsplit

import httpx
import msgspec

from configs.watching import Notices
from serving.ledger import Entry, Ledger, canonical

KIND = "notice"
Sleep = Callable[[float], None]


class Notice(msgspec.Struct, frozen=True):
    """What is told: `kind` is a remedy or what happened, `told` one sentence, `evidence` the sentences behind it.

    It names no customer: it leaves the house.
    """

    id: str
    product: str
    kind: str
    told: str
    evidence: tuple[str, ...]
    at: str


class Delivery(msgspec.Struct, frozen=True):
    """One attempt to tell one receiver, as the ledger keeps it; `error` is empty where it was delivered.

    `channel` names the receiver without the secrets that its URL may hold.
    """

    channel: str
    notice: Notice
    error: str


def channels(settings: Notices) -> dict[str, Callable[[Notice], None]]:
    """Who hears, by name, and how each is told. A name is host and digest of a URL, or an address."""

    def by_webhook(url: str) -> Callable[[Notice], None]:
        return lambda notice: _post(notice, url, settings.timeout_seconds)

    def by_mail(address: str) -> Callable[[Notice], None]:
        return lambda notice: _mail(notice, address, settings)

    hooks = {f"webhook {_name(url)}": by_webhook(url) for url in settings.webhooks}
    return hooks | {f"e-mail {address}": by_mail(address) for address in settings.email_to}


def tell(ledger: Ledger, notice: Notice, settings: Notices, at: str, sleep: Sleep) -> list[Delivery]:
    """Tell every receiver what it has not heard yet, then `notice` where its kind is asked for; all of it on record.

    What cannot be delivered after all attempts is recorded with its error, and goes out at the next call.
    """
    heard = channels(settings)
    waiting = [(one.channel, one.notice) for one in undelivered(ledger, notice.product) if one.channel in heard]
    if notice.kind in settings.remedies:
        waiting += [(channel, notice) for channel in heard]
    done: list[Delivery] = []
    for channel, one in dict.fromkeys(waiting):
        done.append(Delivery(channel, one, _attempt(heard[channel], one, settings, sleep)))
        _record(ledger, done[-1], at, len(done))
    return done


def undelivered(ledger: Ledger, product: str) -> list[Delivery]:
    """The notices whose last delivery failed, in order."""
    latest = {(one.channel, one.notice.id): one for one in _deliveries(ledger, product)}
    return [one for one in latest.values() if one.error]


def _deliveries(ledger: Ledger, product: str) -> Iterator[Delivery]:
    return (msgspec.json.decode(record.entry.body, type=Delivery) for record in ledger.records(KIND, product))


def _record(ledger: Ledger, delivery: Delivery, at: str, number: int) -> None:
    record_id = f"{KIND}-{delivery.notice.product}-{at}-{number}"
    body = canonical(msgspec.to_builtins(delivery))
    ledger.append([Entry(record_id, KIND, delivery.notice.product, delivery.channel, at, body)])


def _attempt(told: Callable[[Notice], None], notice: Notice, settings: Notices, sleep: Sleep) -> str:
    """Nothing once it is delivered, else the last error; the pause doubles after each attempt."""
    error = ""
    for attempt in range(settings.attempts):
        if attempt:
            sleep(settings.pause_seconds * 2 ** (attempt - 1))
        try:
            told(notice)
        except (httpx.HTTPError, httpx.InvalidURL, smtplib.SMTPException, OSError) as failed:
            error = _reason(failed)
        else:
            return ""
    return error


def _reason(failed: Exception) -> str:
    """The error without the URL that httpx puts into its words: it may hold a secret."""
    if isinstance(failed, httpx.HTTPStatusError):
        return f"HTTP {failed.response.status_code}"
    return failed.__class__.__name__ if isinstance(failed, httpx.HTTPError) else f"{type(failed).__name__}: {failed}"


def _name(url: str) -> str:
    return f"{urlsplit(url).hostname} {hashlib.sha256(url.encode()).hexdigest()[:8]}"


def _post(notice: Notice, url: str, timeout: float) -> None:
    # The key lets a receiver drop what it has seen: a lost answer makes us send again.
    headers = {"Content-Type": "application/json", "Idempotency-Key": notice.id}
    httpx.post(url, content=msgspec.json.encode(notice), headers=headers, timeout=timeout).raise_for_status()


def _mail(notice: Notice, address: str, settings: Notices) -> None:
    host, port = settings.smtp.rsplit(":", 1)
    message = EmailMessage()
    message["Subject"] = " ".join(f"creditloop, {notice.product}: {notice.told}".split())  # a header has one line
    message["From"], message["To"], message["Message-ID"] = (
        settings.email_from,
        address,
        f"<{_plain(notice.id)}@creditloop>",
    )
    message.set_content("\n".join([notice.told, "", *notice.evidence, "", f"{notice.id}, {notice.at}"]))
    with smtplib.SMTP(host, int(port), timeout=settings.timeout_seconds) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())  # trusts what SSL_CERT_FILE names
        server.send_message(message)


def _plain(text: str) -> str:
    return "".join(letter if letter.isalnum() else "." for letter in text)
