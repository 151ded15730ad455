"""A relay whose settings file a test changes while it runs."""

from __future__ import annotations

import asyncio
import json
import signal
import smtplib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tests.fake_ses import FakeSes
from tests.server.relay_process import WAIT, RelayProcess, running_relay, until

LOCAL = {"name": "local", "address": "127.0.0.1:0"}
ENDS = ("reloaded", "not reloaded")
CODE = (
    b"From: app@acme.example\r\nTo: ann@example.com\r\nSubject: old\r\n"
    b"X-Relay-Usage: SignIn\r\nX-Relay-Variable-code: 123456\r\n\r\nold\r\n"
)
PLAIN = b"From: app@acme.example\r\nSubject: plain\r\n\r\nplain\r\n"


def toml(value: Any) -> str:  # noqa: ANN401 - what settings hold
    """A value as TOML has it, on one line."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def template(content: str, usage: str = "SignIn", **more: object) -> dict[str, object]:
    return {"usageType": usage, "subject": content, "content": content, **more}


class Settings:
    """The settings file `config.toml` in `directory`, changed by the test alone."""

    def __init__(self, directory: Path, **settings: object) -> None:
        self.file = directory / "config.toml"
        self.now: dict[str, object] = {
            "listeners": [LOCAL],
            "reload": "signal",
            **settings,
        }
        self.write()

    @property
    def text(self) -> str:
        return "".join(f"{name} = {toml(value)}\n" for name, value in self.now.items())

    def write(self) -> None:
        """Put a whole file in the place of the one before, as editors do."""
        new = self.file.with_suffix(".new")
        new.write_text(self.text, "utf-8")
        new.rename(self.file)

    def set(self, **changes: object) -> None:
        """Write the file with these settings changed; None: not given."""
        self.now.update(changes)
        self.now = {
            name: value for name, value in self.now.items() if value is not None
        }
        self.write()


class Reloading:
    """A relay that runs by `settings`; what it said last is asked for in order."""

    def __init__(self, relay: RelayProcess, settings: Settings) -> None:
        self.relay = relay
        self.settings = settings
        self._said = 0

    def said(self, *events: str) -> list[dict[str, Any]]:
        return [entry for entry in list(self.relay.log) if entry["event"] in events]

    def next(self) -> dict[str, Any]:
        """Wait until settings were read once more: what came of it."""
        until(lambda: len(self.said(*ENDS)) > self._said)
        self._said += 1
        return self.said(*ENDS)[self._said - 1]

    def hup(self) -> dict[str, Any]:
        """Ask for it."""
        self.relay.process.send_signal(signal.SIGHUP)
        return self.next()

    def change(self, **changes: object) -> dict[str, Any]:
        """Change these settings, and have them taken."""
        self.settings.set(**changes)
        return self.hup()

    def submit(
        self,
        content: bytes = CODE,
        *,
        port: int = 0,
        sender: str = "app@acme.example",
        recipients: tuple[str, ...] = ("ann@example.com",),
        login: tuple[str, str] | None = None,
    ) -> str:
        """The first reply of a mail that is a refusal, else the last one."""
        client = smtplib.SMTP("127.0.0.1", port or self.relay.port(), timeout=WAIT)
        with client as smtp:
            smtp.ehlo()
            if login is not None:
                try:
                    smtp.login(*login)
                except smtplib.SMTPResponseException as error:
                    return f"{error.smtp_code} {_text(error.smtp_error)}"
            code, text = smtp.mail(sender)
            if code >= 400:
                return f"{code} {text.decode()}"
            for recipient in recipients:
                code, text = smtp.rcpt(recipient)
                if code >= 400:
                    return f"{code} {text.decode()}"
            code, text = smtp.data(content)
            return f"{code} {text.decode()}"


def _text(given: bytes | str) -> str:
    return given.decode() if isinstance(given, bytes) else given


T = TypeVar("T")


async def reloading(
    settings: Settings,
    use: Callable[[Reloading], T],
    *,
    environment: Mapping[str, str | None] | None = None,
) -> T:
    """Run `use` in a thread with a relay by these settings: what it gives."""

    def inside() -> T:
        with running_relay(
            "-c",
            str(settings.file),
            settings={
                "RELAY_LISTENERS": None,
                "RELAY_QUEUE__ENGINE": None,
                **(environment or {}),
            },
        ) as relay:
            return use(Reloading(relay, settings))

    return await asyncio.to_thread(inside)


def ses(fake: FakeSes, **more: object) -> dict[str, object]:
    """`[ses]` of the fake one."""
    return {
        "region": "eu-west-1",
        "accessKeyId": "AKIAFAKE",
        "accessKeySecret": "fake-secret",
        "endpointUrl": fake.url,
        "emailAddress": "noreply@acme.example",
        **more,
    }


def no_queue() -> dict[str, object]:
    return {"engine": "none"}


def spool(directory: Path, **more: object) -> dict[str, object]:
    """A queue that a test can wait for."""
    return {
        "path": str(directory / "spool.db"),
        "answerWithin": 2,
        "retryDelays": [0.2, 0.5],
        "slowDelays": [0.4],
        "unseenDelays": [0.3],
        **more,
    }


def kubernetes_volume(directory: Path, number: int, files: Mapping[str, str]) -> None:
    """Write `files` as the kubelet does: into a new folder, and then one link moves."""
    folder = directory / f"..2026_{number}"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(Path("..data") / name)
    link = directory / "..data_tmp"
    link.symlink_to(folder.name)
    link.replace(directory / "..data")
