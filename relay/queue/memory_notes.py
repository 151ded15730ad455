"""Notes about mail in memory: all there is without a spool, and what it cannot take."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import replace

from relay.model.note import Key, Limit, Note
from relay.model.submission import MailId

MOST = 100_000


class MemoryNotes:
    """`Notes` of the latest mails: at most `most` counts, and as many keys.

    The oldest go. Keys are known for `keep_keys` seconds.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        keep_keys: float = math.inf,
        most: int = MOST,
    ) -> None:
        self._now = now
        self._keep_keys = keep_keys
        self._most = most
        # In the order of their coming.
        self._keys: dict[tuple[str, str], tuple[float, Note]] = {}
        # By template and address: when a mail was counted, and which.
        self._passed: defaultdict[tuple[str, str], deque[tuple[float, MailId]]] = (
            defaultdict(deque)
        )
        self._counts: deque[tuple[float, tuple[str, str]]] = deque()  # until when

    def take(self, *, keep_keys: float) -> None:
        """Go on by another setting."""
        self._keep_keys = keep_keys

    async def note(self, note: Note) -> None:
        self.add(note)

    def add(self, note: Note) -> None:
        """The same, at once."""
        now = self._now()
        if note.key is not None:
            name = note.key.scope, note.key.text
            self._keys.pop(name, None)
            self._keys[name] = now, replace(note, limit=None)
            while self._keys:
                first = next(iter(self._keys))
                age = now - self._keys[first][0]
                if age < self._keep_keys and len(self._keys) <= self._most:
                    break
                del self._keys[first]
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

    async def recall(self, key: Key) -> Note | None:
        return self.known(key)

    def known(self, key: Key) -> Note | None:
        """The same, at once."""
        at, note = self._keys.get((key.scope, key.text), (0.0, None))
        return note if self._now() - at < self._keep_keys else None

    async def free(self, key: Key) -> None:
        """Nothing is known of a key before its 250."""

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
        return max(len(self._counts), len(self._keys))
