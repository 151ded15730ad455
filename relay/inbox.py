"""The last captured mails, in memory: bounded in count and in bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from relay.model import Mail, MailId


@dataclass(frozen=True, slots=True)
class Captured:
    """A mail that SES would have received.

    `at` is Unix seconds, `subject` is decoded, and `parameters` are those of the
    SendEmail call, without the content, which `mail` has.
    """

    id: MailId
    at: float
    mail: Mail
    subject: str
    parameters: dict[str, Any]


class Inbox:
    """Keeps the newest mails; the oldest make room.

    A mail that alone is larger than `max_bytes` is not kept.
    """

    def __init__(self, max_count: int = 1000, max_bytes: int = 50_000_000) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._kept: deque[Captured] = deque()
        self._bytes = 0

    def put(self, captured: Captured) -> None:
        """Keep `captured`, and drop the oldest of what is then too much."""
        self._kept.append(captured)
        self._bytes += len(captured.mail.content)
        while len(self._kept) > self._max_count or self._bytes > self._max_bytes:
            self._bytes -= len(self._kept.popleft().mail.content)

    def snapshot(self) -> list[Captured]:
        """What is kept now, the newest last."""
        return list(self._kept)
