"""A relay with its page, and requests to it as they are written."""

from __future__ import annotations

import asyncio
import json
import smtplib
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from tests.fake_ses import Answer as SesAnswer
from tests.fake_ses import FakeSes
from tests.server.relay_process import WAIT, RelayProcess, environment, running_relay


@dataclass(frozen=True, slots=True)
class Answer:
    """What the site said; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        return json.loads(self.body)


class Site:
    """The page of a running relay."""

    def __init__(self, relay: RelayProcess, listener: str = "web") -> None:
        self.relay = relay
        self.port = relay.port(listener)
        self.url = f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; a `body` that is no bytes goes as JSON."""
        sent = dict(headers or {})
        data = body if isinstance(body, bytes) else None
        if body is not None and data is None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        try:
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(
        self, path: str, body: object, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self.ask("POST", path, body, headers)

    def submit(self, message: EmailMessage) -> str:
        """Send a mail by SMTP: the reply, whatever it is."""
        return submit(self.relay.port(), message)


def submit(port: int, message: EmailMessage) -> str:
    with smtplib.SMTP("127.0.0.1", port, timeout=WAIT) as client:
        client.ehlo()
        client.mail(message["From"])
        for recipient in message["To"].split(", "):
            client.rcpt(recipient)
        code, text = client.data(message.as_bytes())
        return f"{code} {text.decode()}"


def mail(
    to: str = "ann@example.com", subject: str = "Hello", text: str = "hello\n"
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "app@acme.example"
    message["To"] = to
    message["Subject"] = subject
    message.set_content(text)
    return message


def templated(code: str, to: str = "ann@example.com") -> EmailMessage:
    """A mail that asks for the template of SignIn."""
    message = mail(to)
    message["X-Relay-Usage"] = "SignIn"
    message["X-Relay-Variables"] = json.dumps({"code": code})
    return message


@contextmanager
def running_site(
    *arguments: str, settings: Mapping[str, str] | None = None
) -> Iterator[Site]:
    """Run a relay with its page on a free port; by default in capture mode."""
    chosen = {"RELAY_WEB__LISTEN": "127.0.0.1:0", **(settings or {})}
    with running_relay(*arguments, settings=chosen) as relay:
        yield Site(relay)


def refused_start(settings: Mapping[str, str], *, code: int = 2) -> str:
    """What `relay serve --capture` says that does not start."""
    with TemporaryDirectory() as directory:
        found = subprocess.run(
            [sys.executable, "-m", "relay", "serve", "--capture"],
            cwd=directory,
            env=environment(
                {"RELAY_LISTENERS": '[{"address": "127.0.0.1:0"}]', **settings}
            ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert found.returncode == code, found.stderr
    return found.stderr


@contextmanager
def sending_site(settings: Mapping[str, str]) -> Iterator[Site]:
    """The same for a relay that sends; its spool goes with it."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "config.toml"
        file.touch()
        with running_site("-c", str(file), settings=settings) as site:
            yield site


@contextmanager
def fake_ses(*answers: SesAnswer, seconds: float = 0) -> Iterator[FakeSes]:
    """The fake SES, on a loop in a thread of its own; it takes `seconds` a mail."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    ses = FakeSes(*answers, seconds=seconds)

    def run(work: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(WAIT)

    try:
        run(ses.__aenter__())
        try:
            yield ses
        finally:
            run(ses.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


TEMPLATE = json.dumps(
    [
        {
            "usageType": "SignIn",
            "subject": "Your code is {{code}}",
            "content": "<p>Your code is <b>{{code}}</b>.</p>",
        }
    ]
)
