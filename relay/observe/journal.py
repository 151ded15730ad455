"""The stories of the last mails, in memory and without their contents.

An observer. Bounded in count and in bytes; of a mail that is tried for days the last
attempts are kept. What it knows may be shown to whoever may look at the page: names
of variables, never values; a subject only where `subject` gives one.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator

from relay.model.mail import Mail
from relay.model.outcome import Accepted
from relay.model.submission import MailId
from relay.observe import kept
from relay.observe.events import (
    Answered,
    Attempted,
    Event,
    NotTaken,
    Overtaken,
    Settled,
)
from relay.observe.story import MAX_SUBJECT, Call, Entry, taken_as


class Journal:
    """Keeps the newest entries; the oldest make room."""

    def __init__(
        self,
        *,
        subject: Callable[[Mail], str],
        taken: str = "sent",
        max_count: int = 10_000,
        max_bytes: int = 32_000_000,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._subject = subject
        self._taken = taken
        self._max_count, self._max_bytes = max_count, max_bytes
        self._now = now
        # In the order of their coming. A plain dict would look for its first at
        # every place that was emptied before it, with each mail.
        self._entries: OrderedDict[MailId, Entry] = OrderedDict()
        # First attempts that SES took; the answer to their clients follows at once.
        self._early: dict[MailId, tuple[Attempted, float]] = {}
        self._bytes = 0
        self._last = 0
        self._watching: list[Callable[[MailId], None]] = []

    def on_change(self, told: Callable[[MailId], None]) -> None:
        """Have `told` called with the id of each entry that is new or changed."""
        self._watching.append(told)

    def newest_first(self) -> Iterator[Entry]:
        """All entries; those that come meanwhile are not among them."""
        return iter(list(reversed(self._entries.values())))

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, mail_id: str) -> Entry | None:
        """The entry of this id, if it is still kept."""
        return self._entries.get(MailId(mail_id))

    def moved(self, mail_id: MailId, number: int, call: Call) -> None:
        """An operator moved one call of a mail."""
        entry = self._entries.get(mail_id)
        if entry is not None:
            entry.stand(number, call)
            self._count(entry)
            self._tell(mail_id)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self._early.clear()
        self._bytes = 0

    def __call__(self, event: Event) -> None:
        match event:
            case Attempted(number=0, attempt=1, outcome=Accepted()) if (
                event.id not in self._entries and event.by == event.mail.options.account
            ):
                self._early[event.id] = event, self._now()
                return
            case Answered():
                self._answered(event)
            case _:
                self._write(event)
        self._tell(event.id)

    def _tell(self, mail_id: MailId) -> None:
        for told in self._watching:
            told(mail_id)

    def _answered(self, event: Answered) -> None:
        mail_id = event.id
        early = self._early.get(mail_id)
        if early is None or len(event.mails) != 1 or event.reply.code != 250:
            self._write(event)
            return
        del self._early[mail_id]
        self._last += 1
        subject = self._subject(event.mails[0])
        entry = _taken_at_once(self._last, self._taken, event, *early, subject)
        self._keep(entry)

    def _write(self, event: Event) -> None:
        """Write what happened into the mail's entry."""
        entry = self._entry(event.id)
        match event:
            case Attempted():
                entry.attempted(event, self._now(), self._subject)
            case Answered():
                entry.answered(event, self._subject)
            case NotTaken():
                entry.refuse(event)
            case Settled():
                entry.settled(event, self._now(), self._subject)
            case Overtaken():
                entry.overtaken(event)
        self._count(entry)

    def _entry(self, mail_id: MailId) -> Entry:
        """The entry to write to; a new one where there is none."""
        found = self._entries.get(mail_id)
        if found is not None:
            return found
        self._last += 1
        entry = Entry(self._last, mail_id, self._now(), self._taken, {})
        if (early := self._early.pop(mail_id, None)) is not None:
            entry.attempted(*early, self._subject)
        self._keep(entry)
        return entry

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.id] = entry
        self._count(entry)

    def _count(self, entry: Entry) -> None:
        """Count anew what an entry takes, and have the oldest make room for it."""
        size = entry.bytes()
        self._bytes += size - entry.counted
        entry.counted = size
        while (
            len(self._entries) > self._max_count or self._bytes > self._max_bytes
        ) and len(self._entries) > 1:
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= oldest.counted


def _taken_at_once(
    seq: int,
    usually: str,
    event: Answered,
    first: Attempted,
    ended: float,
    subject: str,
) -> Entry:
    """The entry of a mail that is one call, which SES took at its first attempt."""
    submission, mail, outcome = event.submission, event.mails[0], first.outcome
    envelope = submission.envelope
    return Entry(
        seq,
        event.id,
        submission.received_at or ended,
        taken_as(mail, usually),
        None,
        (),
        (),
        0,
        envelope.sender,
        envelope.recipients,
        len(submission.content),
        submission.peer,
        submission.listener,
        submission.user[: kept.MAX_TEXT],
        kept.choice(mail.choice),
        subject[:MAX_SUBJECT],
        event.reply,
        event.seconds,
        kept.cut(event.warnings[: kept.MAX_WARNINGS]),
        "",
        "",
        (),
        mail.envelope.bare(),
        kept.options(mail.options),
        ended - first.seconds,
        first.seconds,
        outcome.message_id if isinstance(outcome, Accepted) else "",
    )
