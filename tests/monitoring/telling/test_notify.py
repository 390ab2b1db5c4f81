"""Notices reach real receivers on loopback, are tried again, and are kept where nobody answers."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from configs.errors import ConfigError
from configs.settings import load_settings
from configs.watching import Notices
from monitoring.telling.notify import Notice, tell, undelivered
from serving.ledger import Ledger

AT, LATER = "2025-02-01T05:00:00+00:00", "2025-02-02T05:00:00+00:00"
NOTICE = Notice(
    "verdict-1", "consumer_platform", "retrain", "Retrain: ranks no more.", ("AUC 0.61", "promised 0.78"), AT
)


@dataclass
class Receiver:
    """A webhook's other end: answers with the statuses given, then 200; keeps what came."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    came: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real HTTP server on loopback."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            found.keys.append(self.headers["Idempotency-Key"])
            self.send_response(found.statuses.pop(0) if found.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}/hook?token=s3cret"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def mailbox() -> Iterator[tuple[str, list[str]]]:
    """A real SMTP server on loopback that knows enough to take a message: its address, and what it took."""
    with _mailbox() as (address, taken):
        yield address, taken


@contextmanager
def _mailbox(certified: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    """With a certificate it offers STARTTLS."""
    taken: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 test")
            while line := self.rfile.readline().decode().strip().upper():
                if line.startswith("EHLO") and certified is not None:
                    self._say("250-test")
                    self._say("250 STARTTLS")
                    continue
                if line == "STARTTLS" and certified is not None:
                    self._say("220 go on")
                    if not self._is_trusted(certified):
                        return
                    continue
                if line == "DATA":
                    self._say("354 go on")
                    lines = []
                    while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                        lines.append(text)
                    taken.append("\n".join(lines))
                self._say("221 bye" if line == "QUIT" else "250 ok")
                if line == "QUIT":
                    return

        def finish(self) -> None:
            super().finish()
            self.request.close()  # the server closes the socket it knows: the one before TLS

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        def _is_trusted(self, certified: ssl.SSLContext) -> bool:
            try:
                self.request = certified.wrap_socket(self.request, server_side=True)
            except ssl.SSLError:
                return False
            self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", 0)
            return True

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", taken
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Notices]:
    """The shipped settings with other receivers."""
    return lambda **given: load_settings(tmp_path, {"notices": {"timeout_seconds": 2.0, **given}}).notices


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    return Ledger(f"sqlite:///{tmp_path}/ledger.db")


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_webhook_receives_the_notice(ledger, settings, receiver) -> None:
    done = tell(ledger, NOTICE, settings(webhooks=[receiver.url]), AT, lambda _: None)
    assert [one.error for one in done] == [""]
    assert receiver.came[0]["told"] == NOTICE.told
    assert receiver.came[0]["evidence"] == ["AUC 0.61", "promised 0.78"]
    assert receiver.keys == ["verdict-1"]


def test_a_receiver_that_fails_twice_hears_the_third_time(ledger, settings, receiver) -> None:
    receiver.statuses, pauses = [500, 503], []
    done = tell(ledger, NOTICE, settings(webhooks=[receiver.url]), AT, pauses.append)
    assert [one.error for one in done] == [""]
    assert (len(receiver.came), pauses) == (3, [2.0, 4.0])
    assert len(set(receiver.keys)) == 1  # the receiver can tell that it is the same


def test_what_cannot_be_delivered_is_on_record_and_goes_out_with_the_next(ledger, settings, receiver) -> None:
    receiver.statuses = [500] * 3
    hook = settings(webhooks=[receiver.url])
    tell(ledger, NOTICE, hook, AT, lambda _: None)
    assert [(one.notice.id, one.error) for one in undelivered(ledger, NOTICE.product)] == [("verdict-1", "HTTP 500")]
    quiet = Notice("verdict-2", NOTICE.product, "nothing", "Nothing to do.", (), AT)
    tell(ledger, quiet, hook, "2025-02-02T05:00:00+00:00", lambda _: None)
    assert receiver.came[-1]["id"] == "verdict-1"  # nobody asked to hear of the second
    assert undelivered(ledger, NOTICE.product) == []
    tell(ledger, quiet, hook, "2025-02-03T05:00:00+00:00", lambda _: None)
    assert len(receiver.came) == 4


def test_nobody_there_is_an_error_on_record_without_the_secret_of_the_url(ledger, settings) -> None:
    url = f"http://127.0.0.1:{_closed_port()}/hook?token=s3cret"
    done = tell(ledger, NOTICE, settings(webhooks=[url]), AT, lambda _: None)
    assert done[0].error == "ConnectError"
    assert b"s3cret" not in b"".join(record.entry.body for record in ledger.records())
    assert done[0].channel.startswith("webhook 127.0.0.1 ")


def test_a_mailbox_receives_the_notice(ledger, settings, mailbox) -> None:
    address, taken = mailbox
    mail = settings(smtp=address, email_from="loop@example.org", email_to=["risk@example.org"])
    done = tell(ledger, NOTICE, mail, AT, lambda _: None)
    assert [(one.channel, one.error) for one in done] == [("e-mail risk@example.org", "")]
    assert "Subject: creditloop, consumer_platform: Retrain: ranks no more." in taken[0]
    assert "AUC 0.61" in taken[0]


def test_mail_goes_to_no_server_whose_certificate_nobody_vouches_for(ledger, settings, tmp_path, monkeypatch) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(_certificate(tmp_path / "own.pem"))
    with _mailbox(server) as (address, taken):
        mail = settings(smtp=address, email_from="loop@example.org", email_to=["risk@example.org"])
        (refused,) = tell(ledger, NOTICE, mail, AT, lambda _: None)
        assert "certificate verify failed: self-signed certificate" in refused.error
        assert taken == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
        (done,) = tell(ledger, msgspec.structs.replace(NOTICE, id="verdict-2"), mail, LATER, lambda _: None)[-1:]
        assert done.error == ""
        assert len(taken) == 2  # what could not be delivered goes out with it


def _certificate(path: Path) -> Path:
    """A key and a certificate of 127.0.0.1 that it signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")]), dt.datetime.now(dt.UTC)
    where = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(1))
    signed = made.add_extension(where, critical=False).sign(key, hashes.SHA256())
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*plain) + signed.public_bytes(serialization.Encoding.PEM))
    return path


def test_what_went_wrong_in_several_lines_is_mailed_under_one(ledger, settings, mailbox) -> None:
    address, taken = mailbox
    mail = settings(smtp=address, email_from="loop@example.org", email_to=["risk@example.org"], remedies=["failed"])
    wrong = Notice(
        "failed-1", NOTICE.product, "failed", "The monitor could not run: statements: 1 problem\n  row 2", (), AT
    )
    done = tell(ledger, wrong, mail, AT, lambda _: None)
    assert [one.error for one in done] == [""]
    assert "statements: 1 problem" in taken[0]


def test_one_dead_receiver_keeps_no_other_from_hearing(ledger, settings, receiver, mailbox) -> None:
    address, taken = mailbox
    dead = f"http://127.0.0.1:{_closed_port()}/"
    everyone = settings(
        webhooks=[dead, receiver.url], smtp=address, email_from="loop@example.org", email_to=["risk@example.org"]
    )
    done = tell(ledger, NOTICE, everyone, AT, lambda _: None)
    assert [bool(one.error) for one in done] == [True, False, False]
    assert (len(receiver.came), len(taken)) == (1, 1)
    assert ledger.verify()[0] == 3


def test_a_dead_mail_server_is_an_error_on_record(ledger, settings) -> None:
    mail = settings(smtp=f"127.0.0.1:{_closed_port()}", email_from="l@example.org", email_to=["risk@example.org"])
    assert "ConnectionRefusedError" in tell(ledger, NOTICE, mail, AT, lambda _: None)[0].error


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"email_to": ["risk@example.org"]}, "email_to needs smtp"),
        ({"webhooks": ["ftp://x"]}, "notices.webhooks"),
        ({"smtp": "no port"}, "notices.smtp"),
        ({"webhok": []}, "did you mean 'webhooks'"),
    ],
)
def test_receivers_that_cannot_be_reached_are_refused_at_the_start(settings, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        settings(**given)
