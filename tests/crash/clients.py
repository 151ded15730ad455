"""Clients that send unique mails as fast as they are answered, and note the replies."""

from __future__ import annotations

import hashlib
import itertools
import smtplib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

SENDER = "app@a.example"


@dataclass(frozen=True)
class Try:
    """A mail whose final dot was sent, and what was said to it (0: nothing)."""

    mail: int
    recipients: tuple[str, ...]
    digest: bytes | None  # None: a template makes the content
    code: int
    text: str


def a_mail(
    number: int, random: Random, most: int
) -> tuple[tuple[str, ...], bytes, bool]:
    """Recipients (at most so many), content and whether a template is asked for."""
    count = min(random.choice([1, 1, 1, 1, 2, 3, 50, 51, 120]), most)
    to = tuple(f"r{number}-{n}@d{n % 3}.example" for n in range(count))
    templated = random.random() < 0.3
    lines = [
        f"From: <{SENDER}>",
        f"To: <{to[0]}>",
        f"Subject: mail {number}",
        f"Message-ID: <crash-{number}@a.example>",
    ]
    if templated:
        lines += ["X-Relay-Usage: SignIn", f"X-Relay-Variable-Code: {number:06d}"]
    lines.append("")
    if not templated:
        for _ in range(random.choice([0, 1, 5, 20, 1000])):
            lines.append("." * random.randrange(3) + "x" * random.randrange(70))
    return to, "\r\n".join([*lines, ""]).encode(), templated


class Client(threading.Thread):
    """Sends until told to stop; `port` gives None while there is no relay."""

    def __init__(
        self,
        numbers: itertools.count[int],
        port: Callable[[], int | None],
        random: Random,
        pause: float = 0.03,
        most: int = 120,
    ) -> None:
        super().__init__(name="client")
        self.tries: list[Try] = []
        self._numbers = numbers
        self._port = port
        self._random = random
        self._pause = pause
        self._most = most
        self._over = threading.Event()

    def stop(self) -> None:
        """Send nothing more; `join` waits for the last reply."""
        self._over.set()

    def run(self) -> None:
        while not self._over.is_set():
            port = self._port()
            if port is None:
                self._over.wait(0.02)
                continue
            try:
                with smtplib.SMTP("127.0.0.1", port, timeout=20) as smtp:
                    smtp.ehlo("client")
                    while not self._over.is_set():
                        self._send(smtp)
                        self._over.wait(self._random.uniform(0, self._pause))
            except (OSError, smtplib.SMTPException):
                self._over.wait(0.02)  # killed; there will be another

    def _send(self, smtp: smtplib.SMTP) -> None:
        number = next(self._numbers)
        to, content, templated = a_mail(number, self._random, self._most)
        for code, _ in (smtp.mail(SENDER), *(smtp.rcpt(one) for one in to)):
            if code != 250:
                raise smtplib.SMTPServerDisconnected("not now")
        digest = None if templated else hashlib.sha256(content).digest()
        code, text = 0, b""
        try:
            code, text = smtp.data(content)
        finally:
            self.tries.append(Try(number, to, digest, code, text.decode()))
