"""Notes about mail in memory: all there is without a spool, and what it cannot take."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable

from relay.model.note import Limit, Note
from relay.model.submission import MailId

MOST = 100_000


class MemoryNotes:
    """`Notes` of the latest mails: at most `most` counts, of which the oldest go."""

    def __init__(self, *, now: Callable[[], float], most: int = MOST) -> None:
        self._now = now
        self._most = most
        # By template and address: when a mail was counted, and which.
        self._passed: defaultdict[tuple[str, str], deque[tuple[float, MailId]]] = (
            defaultdict(deque)
        )
        self._counts: deque[tuple[float, tuple[str, str]]] = deque()  # until when

    async def note(self, note: Note) -> None:
        self.add(note)

    def add(self, note: Note) -> None:
        """The same, at once."""
        now = self._now()
        if note.limit is not None:
            for address in note.limit.addresses:
                who = note.limit.template, address
                self._passed[who].append((now, note.mail_id))
                self._counts.append((now + note.limit.seconds, who))
        while self._counts and (
            self._counts[0][0] <= now or len(self._counts) > self._most
        ):
            _, who = self._counts.popleft()
            self._passed[who].popleft()
            if not self._passed[who]:
                del self._passed[who]

    async def passed(self, limit: Limit) -> list[set[MailId]]:
        return self.counted(limit)

    def counted(self, limit: Limit) -> list[set[MailId]]:
        """The same, at once."""
        after = self._now() - limit.seconds
        return [
            {
                mail_id
                for at, mail_id in self._passed.get((limit.template, address), ())
                if at > after
            }
            for address in limit.addresses
        ]

    def __len__(self) -> int:
        return len(self._counts)
