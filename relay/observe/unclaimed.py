"""Mail of the last hour that named no usage and had no rule, counted by kind.

An observer. What a kind is, `kind_of` says of a submission. Bounded: of many kinds in
one minute the further ones are counted together.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from relay.model.reply import Reply
from relay.model.submission import MailId, Submission
from relay.observe.events import Answered, Event, NotTaken

MINUTES = 60
MAX_KINDS = 100  # in one minute
MAX_KIND = 200  # characters


class Kind(NamedTuple):
    """So many mails of one kind; `last` is the newest of them."""

    kind: str
    mails: int
    last: MailId


class Unclaimed:
    """Counts by minutes; `no_usage` is the reply to mail that must have a usage."""

    def __init__(
        self,
        kind_of: Callable[[Submission], str],
        *,
        no_usage: Reply,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind_of = kind_of
        self._no_usage = no_usage
        self._now = now
        # The minute, its kinds with count and last mail, and the count of all others.
        self._minutes: deque[tuple[int, dict[str, tuple[int, MailId]]]] = deque()
        self._others: dict[int, int] = {}

    def take(self, *, no_usage: Reply) -> None:
        """Go on by another reply to mail that must have a usage."""
        self._no_usage = no_usage

    def __call__(self, event: Event) -> None:
        match event:
            case Answered(submission=submission, mails=mails):
                choice = mails[0].choice
                if not choice.usage and not choice.rule:
                    self._count(submission)
            case NotTaken(submission=submission, reply=reply, rule=""):
                if reply == self._no_usage:
                    self._count(submission)

    def kinds(self) -> tuple[list[Kind], int]:
        """Those of the last hour, the most frequent first, and how many others."""
        self._forget(self._minute())
        found: dict[str, Kind] = {}
        for _, counts in self._minutes:
            for kind, (count, last) in counts.items():
                before = found[kind].mails if kind in found else 0
                found[kind] = Kind(kind, before + count, last)
        kinds = sorted(found.values(), key=lambda one: -one.mails)
        return kinds, sum(self._others.values())

    def clear(self) -> None:
        """Forget all."""
        self._minutes.clear()
        self._others.clear()

    def _count(self, submission: Submission) -> None:
        kind = self._kind_of(submission)[:MAX_KIND]
        minute = self._minute()
        if not self._minutes or self._minutes[-1][0] != minute:
            self._forget(minute)
            self._minutes.append((minute, {}))
        counts = self._minutes[-1][1]
        if kind in counts or len(counts) < MAX_KINDS:
            count = counts[kind][0] if kind in counts else 0
            counts[kind] = count + 1, submission.id
        else:
            self._others[minute] = self._others.get(minute, 0) + 1

    def _minute(self) -> int:
        return int(self._now() // 60)

    def _forget(self, minute: int) -> None:
        while self._minutes and self._minutes[0][0] <= minute - MINUTES:
            old, _ = self._minutes.popleft()
            self._others.pop(old, None)
