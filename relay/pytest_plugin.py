"""A pytest plug-in: a captured relay for tests of apps that send mail.

`pytest_plugins = ["relay.pytest_plugin"]` in a conftest.py gives the fixture `relay`.
It runs in a process of its own on free ports, and nothing leaves the machine. The
option `relay_config` of pytest's settings names a settings file with templates.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

import pytest

STARTS_WITHIN = 60.0  # seconds
STOPS_WITHIN = 30.0
# What the fixture needs, whatever the settings file says: where it asks and finds what,
# without a password, as fast as a test sends, and with no secret's file read.
OURS = {
    "RELAY_LISTENERS": '[{"name": "tests", "address": "127.0.0.1:0"}]',
    "RELAY_TLS__CERT_FILE": "",
    "RELAY_TLS__KEY_FILE": "",
    "RELAY_TLS__SELF_SIGNED": "false",
    "RELAY_USERS": "[]",
    "RELAY_SES__ACCESS_KEY_ID": "",
    "RELAY_SES__ACCESS_KEY_ID_FILE": "",
    "RELAY_SES__ACCESS_KEY_SECRET": "",
    "RELAY_SES__ACCESS_KEY_SECRET_FILE": "",
    "RELAY_PACE__RATE": "auto",
    "RELAY_LIMITS__CONNECTIONS_PER_CLIENT": "0",
    "RELAY_LIMITS__MESSAGES_PER_MINUTE": "0",
    "RELAY_WEB__LISTEN": "127.0.0.1:0",
    "RELAY_WEB__USER": "",
    "RELAY_WEB__PASSWORD_HASH": "",
    "RELAY_WEB__PASSWORD_HASH_FILE": "",
    "RELAY_INTAKE__TOKEN": "",
    "RELAY_INTAKE__TOKEN_FILE": "",
    "RELAY_HEALTH__LISTEN": "",
    "RELAY_LOG__FORMAT": "json",
    "RELAY_LOG__LEVEL": "info",
}


@dataclass(frozen=True, slots=True)
class CapturedMail:
    """A mail that the app sent; `code` is the one-time code in it, "" for none."""

    id: str
    to: tuple[str, ...]
    sender: str | None
    subject: str
    text: str = field(repr=False)
    html: str | None = field(repr=False)
    code: str
    links: tuple[str, ...]
    usage: str
    locale: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)

    def header(self, name: str) -> str:
        """The first header of this name, in any case; "" where there is none."""
        found = (value for key, value in self.headers if key.lower() == name.lower())
        return next(found, "")


class NoMail(AssertionError):  # noqa: N818 - a statement, which fails a test
    """No such mail came in time."""


class CapturedRelay:
    """A running relay: its SMTP port for the app, its mails for the test."""

    host = "127.0.0.1"

    def __init__(self, port: int, url: str) -> None:
        self.port = port
        self.url = url
        # A proxy from the environment is for other machines.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def wait(
        self,
        to: str = "",
        *,
        usage: str = "",
        subject: str = "",
        after: CapturedMail | None = None,
        timeout: float = 10.0,
    ) -> CapturedMail:
        """The newest mail that fits, at once or when it comes. Raises NoMail.

        `subject` is a part of it; `after` a mail that it must have come after.
        """
        asked = {"to": to, "usage": usage, "subject": subject, "timeout": timeout}
        if after is not None:
            asked["after"] = after.id
        given = {name: value for name, value in asked.items() if value != ""}
        try:
            found = self._ask(
                f"/api/v1/wait?{urllib.parse.urlencode(given)}", within=timeout + 10
            )
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 404:
                    raise
            seen = ", ".join(
                f"{' '.join(mail['to'])} ({mail['subject']})" for mail in self.mails()
            )
            raise NoMail(
                f"no mail to {to or 'anybody'} within {timeout:g} s; "
                f"there are: {seen or 'none'}"
            ) from None
        return CapturedMail(
            id=found["id"],
            to=tuple(found["to"]),
            sender=found["sender"],
            subject=found["subject"],
            text=found["text"],
            html=found["html"],
            code=found["code"],
            links=tuple(found["links"]),
            usage=found["usage"],
            locale=found["locale"],
            headers=tuple((name, value) for name, value in found["headers"]),
        )

    def mails(self) -> list[dict[str, Any]]:
        """What came, the newest first: id, to, subject, usage, state, reply."""
        mails: list[dict[str, Any]] = self._ask("/api/v1/mails?limit=500")["mails"]
        return mails

    def raw(self, mail: CapturedMail) -> bytes:
        """The mail as it would have gone to SES."""
        return self._open(f"/api/v1/mails/{mail.id}/raw")

    def clear(self) -> None:
        """Forget all mails."""
        self._open("/api/v1/mails", method="DELETE")

    def _ask(self, path: str, within: float = 10.0) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self._open(path, within=within))

    def _open(self, path: str, *, method: str = "GET", within: float = 10.0) -> bytes:
        request = urllib.request.Request(self.url + path, method=method)  # noqa: S310
        with self._opener.open(request, timeout=within) as answer:
            content: bytes = answer.read()
            return content


@contextmanager
def captured_relay(config: Path | None = None) -> Iterator[CapturedRelay]:
    """Run `relay serve --capture` on free ports until the context ends."""
    environment = {
        name: value for name, value in os.environ.items() if name[:6] != "RELAY_"
    }
    environment |= OURS
    options = [] if config is None else ["-c", str(config.absolute())]
    with TemporaryDirectory() as directory:  # no config.toml is in there
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "relay", "serve", "--capture", *options],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        log = _Log(process.stderr)
        try:
            yield log.relay(process)
        finally:
            process.terminate()
            try:
                process.wait(STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()


class _Log:
    """What the relay says, read while it runs, so that it never waits for us."""

    def __init__(self, stream: IO[str] | None) -> None:
        assert stream is not None  # noqa: S101 - it is a pipe
        self._stream = stream
        self._lines: list[str] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            if not self._ready.is_set():
                self._lines.append(line)
                if '"event": "ready"' in line:
                    self._ready.set()
        self._ready.set()

    def relay(self, process: subprocess.Popen[str]) -> CapturedRelay:
        self._ready.wait(STARTS_WITHIN)
        events = [json.loads(line) for line in self._lines if line.startswith("{")]
        if not any(event["event"] == "ready" for event in events):
            process.kill()
            raise RuntimeError(f"the relay did not start:\n{''.join(self._lines)}")
        where = {
            event["listener"]: event["address"]
            for event in events
            if event["event"] == "listening"
        }
        return CapturedRelay(
            int(where["tests"].rpartition(":")[2]), f"http://{where['web']}"
        )

    def close(self) -> None:
        self._thread.join()
        self._stream.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `relay_config` to pytest's settings."""
    parser.addini("relay_config", "settings file of the captured relay", default="")


@pytest.fixture(scope="session")
def relay_session(pytestconfig: pytest.Config) -> Iterator[CapturedRelay]:
    """One captured relay for the whole run."""
    named: str | Sequence[str] = pytestconfig.getini("relay_config")
    config = pytestconfig.rootpath / str(named) if named else None
    with captured_relay(config) as relay:
        yield relay


@pytest.fixture
def relay(relay_session: CapturedRelay) -> CapturedRelay:
    """A captured relay without mail in it."""
    relay_session.clear()
    return relay_session
