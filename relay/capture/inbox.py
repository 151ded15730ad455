"""The last captured mails, in memory: bounded in count and in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from relay.model.mail import Mail
from relay.model.submission import MailId


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

    def __init__(self, max_count: int = 10_000, max_bytes: int = 50_000_000) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._kept: deque[Captured] = deque()
        self._by_id: dict[MailId, Captured] = {}
        self._bytes = 0
        self._put: list[Callable[[Captured], None]] = []

    def put(self, captured: Captured) -> None:
        """Keep `captured`, and drop the oldest of what is then too much."""
        self._kept.append(captured)
        # Of the calls of one large mail, which are alike, the first is found again.
        self._by_id.setdefault(captured.id, captured)
        self._bytes += len(captured.mail.content)
        while len(self._kept) > self._max_count or self._bytes > self._max_bytes:
            oldest = self._kept.popleft()
            self._bytes -= len(oldest.mail.content)
            if self._by_id.get(oldest.id) is oldest:
                del self._by_id[oldest.id]
        for told in self._put:
            told(captured)

    def on_put(self, told: Callable[[Captured], None]) -> None:
        """Have `told` called with each mail that comes."""
        self._put.append(told)

    def get(self, mail_id: str) -> Captured | None:
        """The mail of this id, if it is still kept."""
        return self._by_id.get(MailId(mail_id))

    def forget(self, mail_id: str) -> None:
        """Forget the mail of this id, and all calls of it."""
        if self._by_id.pop(MailId(mail_id), None) is None:
            return
        kept = [one for one in self._kept if one.id != mail_id]
        self._bytes -= sum(
            len(one.mail.content) for one in self._kept if one.id == mail_id
        )
        self._kept = deque(kept)

    def clear(self) -> int:
        """Forget all; give how many there were."""
        count = len(self._kept)
        self._kept.clear()
        self._by_id.clear()
        self._bytes = 0
        return count

    def snapshot(self) -> list[Captured]:
        """What is kept now, the newest last."""
        return list(self._kept)
