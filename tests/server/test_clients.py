"""Real mail clients talk to a real relay: a mail with a usage, and a plain one."""

from __future__ import annotations

import email
import email.policy
import json
import select
import smtplib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.message import EmailMessage

import pytest

from tests.server.relay_process import RelayProcess, Shown, running_relay
from tests.server.tools import need, need_nodemailer

SENDER = "app@example.com"
RECIPIENT = "ann@example.com"
TEXT = "first line\n.second line begins with a dot\nlast line\n"

# A client: sends one mail with these further headers to 127.0.0.1 on this port.
Client = Callable[[int, Mapping[str, str]], None]


def _message(headers: Mapping[str, str]) -> bytes:
    fields = {"From": SENDER, "To": RECIPIENT, "Subject": "Hello", **headers}
    header = "".join(f"{name}: {value}\n" for name, value in fields.items())
    return f"{header}\n{TEXT}".encode()


def _run(
    command: list[str], stdin: bytes = b"", env: dict[str, str] | None = None
) -> None:
    done = subprocess.run(
        command, input=stdin, env=env, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def _swaks(port: int, headers: Mapping[str, str]) -> None:
    named = [word for name, value in headers.items() for word in (f"-h-{name}", value)]
    command = [need("swaks"), "--server", f"127.0.0.1:{port}", "--from", SENDER]
    command += ["--to", RECIPIENT, "-h-Subject", "Hello", "--body", TEXT, *named]
    _run(command)


def _curl(port: int, headers: Mapping[str, str]) -> None:
    command = [need("curl"), "--silent", "--show-error", f"smtp://127.0.0.1:{port}"]
    command += ["--mail-from", SENDER, "--mail-rcpt", RECIPIENT, "--upload-file", "-"]
    _run(command, _message(headers).replace(b"\n", b"\r\n"))


def _msmtp(port: int, headers: Mapping[str, str]) -> None:
    command = [need("msmtp"), "--host=127.0.0.1", f"--port={port}", f"--from={SENDER}"]
    _run([*command, "-t"], _message(headers))


def _nodemailer(port: int, headers: Mapping[str, str]) -> None:
    mail = {"from": SENDER, "to": RECIPIENT, "subject": "Hello", "text": TEXT}
    mail["headers"] = headers  # type: ignore[assignment]  # JSON, of any shape
    script = f"""
        const relay = require("nodemailer").createTransport(
            {{ host: "127.0.0.1", port: {port} }});
        relay.sendMail({json.dumps(mail)}).then((info) => {{
            if (!info.response.startsWith("250 2.0.0 captured as ")) process.exit(1);
        }}, (error) => {{ console.error(error); process.exit(1); }});
    """
    _run(["node", "-e", script], env=need_nodemailer())


def _smtplib(port: int, headers: Mapping[str, str]) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = SENDER, RECIPIENT, "Hello"
    for name, value in headers.items():
        mail[name] = value
    mail.set_content(TEXT)
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
        assert smtp.send_message(mail) == {}


CLIENTS = {
    "swaks": _swaks,
    "curl": _curl,
    "msmtp": _msmtp,
    "nodemailer": _nodemailer,
    "smtplib": _smtplib,
}


@pytest.fixture(scope="module")
def relay() -> Iterator[RelayProcess]:
    with running_relay() as running:
        yield running


def _sent(relay: RelayProcess, client: Client, headers: Mapping[str, str]) -> Shown:
    client(relay.port(), headers)
    shown = relay.next_captured()
    assert relay.captured_so_far() == []
    return shown


def _parsed(shown: Shown) -> EmailMessage:
    return email.message_from_bytes(shown.content, policy=email.policy.default)


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text.replace("\r\n", "\n")


@contextmanager
def losing_the_reply(port: int) -> Iterator[int]:
    """A way to the relay that ends where its reply to a mail would come by."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def lead() -> None:
            client, _ = listening.accept()
            with client, socket.create_connection(("127.0.0.1", port)) as relay:
                other = {client: relay, relay: client}
                while True:
                    for ready in select.select(list(other), [], [])[0]:
                        data = ready.recv(65_536)
                        if not data or b"250 2.0.0 captured" in data:
                            return
                        other[ready].sendall(data)

        thread = threading.Thread(target=lead)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_whose_reply_was_lost_sends_again_and_the_mail_goes_once(
    relay: RelayProcess, name: str
) -> None:
    key = {"X-Relay-Idempotency-Key": f"order-17-{name}"}
    with (
        losing_the_reply(relay.port()) as port,
        pytest.raises((AssertionError, smtplib.SMTPException)),
    ):
        CLIENTS[name](port, key)
    assert b"Idempotency" not in relay.next_captured().content
    CLIENTS[name](relay.port(), key)
    assert relay.captured_so_far() == []


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_mail_with_a_usage_becomes_the_templated_one(
    relay: RelayProcess, client: Client
) -> None:
    # Long enough for libraries that fold, or encode, a long header value.
    long = "word " * 40 + "end"
    variables = json.dumps({"code": "123456", "note": long})
    shown = _sent(
        relay,
        client,
        {"X-Relay-Usage": "SignIn", "X-Relay-Variables": variables},
    )

    assert (shown.words["usage"], shown.words["template"]) == ("SignIn", "SignIn")
    assert shown.parameters["EmailTags"] == [{"Name": "usage", "Value": "SignIn"}]
    assert shown.recipients == [RECIPIENT]
    assert b"x-relay" not in shown.content.lower()
    mail = _parsed(shown)
    assert mail.get_content_type() == "multipart/alternative"
    assert mail["From"] == SENDER
    assert mail["To"] == RECIPIENT
    assert "123456" in mail["Subject"]
    assert "123456" in _body(mail, "html")
    assert "123456" in _body(mail, "plain")
    assert "second line" not in shown.content.decode()


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_a_plain_mail_passes_as_it_is(relay: RelayProcess, client: Client) -> None:
    shown = _sent(relay, client, {"X-Mailer": "a legacy app"})

    assert (shown.words["usage"], shown.words["template"]) == ("-", "-")
    assert shown.recipients == [RECIPIENT]
    mail = _parsed(shown)
    assert (mail["From"], mail["To"]) == (SENDER, RECIPIENT)
    assert mail["Subject"] == "Hello"
    assert mail["X-Mailer"] == "a legacy app"
    assert _body(mail, "plain").rstrip("\n") == TEXT.rstrip("\n")
