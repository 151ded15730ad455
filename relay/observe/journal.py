"""The stories of the last mails, in memory and without their contents.

An observer. Bounded in count and in bytes; of a mail that is tried for days the last
attempts are kept. What it knows may be shown to whoever may look at the page: names
of variables, never values; a subject only where `subject` gives one.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import islice

from relay.model.feedback import Feedback
from relay.model.mail import Mail
from relay.model.outcome import Accepted
from relay.model.submission import MailId
from relay.observe import kept
from relay.observe.asked import Asked, AskedOf
from relay.observe.call import Call, taken_as
from relay.observe.events import (
    Answered,
    Attempted,
    Event,
    FedBack,
    NotTaken,
    Overtaken,
    Settled,
)
from relay.observe.story import MAX_SUBJECT, Entry

LATEST = 4000  # changes whose order is known
AHEAD = 5000  # what SES tells of mails before their story begins here


class Journal:
    """Keeps the newest entries; the oldest make room."""

    def __init__(
        self,
        *,
        subject: Callable[[Mail], str],
        asked: AskedOf = lambda _: Asked(),
        taken: str = "sent",
        max_count: int = 10_000,
        max_bytes: int = 32_000_000,
        by_message_id: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._subject = subject
        self._asked = asked
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
        self.changes = 0  # how many there were, of any entry
        # Whose entries changed, in order; ids alone, since entries may be large.
        self._latest: deque[MailId] = deque(maxlen=LATEST)
        # The numbers of forgotten entries, and of the changes that took them away.
        self._forgotten: deque[tuple[int, int]] = deque(maxlen=max_count)
        self._watching: list[Callable[[MailId], None]] = []
        # Whose mail SES' ids name; None: nobody asks for that.
        self._by_message_id: dict[str, MailId] | None = {} if by_message_id else None
        self._ahead: OrderedDict[MailId, list[Feedback]] = OrderedDict()
        self._ahead_size = 0

    def on_change(self, told: Callable[[MailId], None]) -> None:
        """Have `told` called with the id of each entry that is new or changed."""
        self._watching.append(told)

    def newest_first(self) -> Iterator[Entry]:
        """All entries; those that come meanwhile are not among them."""
        return iter(list(reversed(self._entries.values())))

    def newest(self, most: int) -> list[Entry]:
        """The newest so many, without a look at all the others."""
        return list(islice(reversed(self._entries.values()), most))

    def changed_since(self, change: int) -> list[Entry]:
        """The entries that are new or changed after this change, the newest first.

        What several pages ask twice a second must not look at all entries.
        """
        number = self.changes - change
        if number > len(self._latest):
            return [entry for entry in self.newest_first() if entry.changed > change]
        latest = set(islice(reversed(self._latest), max(number, 0)))
        kept = [self._entries[one] for one in latest if one in self._entries]
        # Not all changes are of an entry, so that a few more were looked at.
        found = [entry for entry in kept if entry.changed > change]
        return sorted(found, key=lambda entry: -entry.seq)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def oldest(self) -> int:
        """The number of the oldest entry, or of the next one where there is none."""
        first = next(iter(self._entries.values()), None)
        return self._last + 1 if first is None else first.seq

    def get(self, mail_id: str) -> Entry | None:
        """The entry of this id, if it is still kept."""
        return self._entries.get(MailId(mail_id))

    def mail_of(self, message_id: str) -> MailId | None:
        """The mail that SES knows by this id, if its entry is still kept."""
        return (self._by_message_id or {}).get(message_id)

    def moved(self, mail_id: MailId, number: int, call: Call) -> None:
        """An operator moved one call of a mail."""
        entry = self._entries.get(mail_id)
        if entry is not None:
            entry.stand(number, call)
            self._count(entry)
            self._tell(mail_id)

    def forget(self, mail_id: MailId) -> None:
        """Forget one entry."""
        entry = self._entries.pop(mail_id)
        self._gone(entry)
        self.changes += 1
        self._forgotten.append((entry.seq, self.changes))
        self._tell(mail_id)

    def forgotten(self, since: int) -> list[int]:
        """The numbers of entries that were forgotten one by one after this change."""
        return [seq for seq, change in self._forgotten if change > since]

    def forwarded(self, mail_id: MailId, by: MailId) -> None:
        """A mail that was kept went to somebody else as another."""
        for one, other, again in ((mail_id, by, False), (by, mail_id, True)):
            entry = self._entries.get(one)
            if entry is not None:
                entry.linked(other, again=again)
                self._count(entry)
                self._tell(one)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self._early.clear()
        self._ahead.clear()
        self._ahead_size = 0
        if self._by_message_id:
            self._by_message_id.clear()
        self._latest.clear()
        self._forgotten.clear()
        self._bytes = 0
        self.changes += 1

    def __call__(self, event: Event) -> None:
        match event:
            case Attempted(number=0, attempt=1, outcome=Accepted()) if (
                event.id not in self._entries and event.by == event.mail.options.account
            ):
                self._early[event.id] = event, self._now()
                return
            case Answered():
                self._answered(event)
            case FedBack(feedback=told):
                if not self._told(event.id, told):
                    return
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

    def _told(self, mail_id: MailId, told: Feedback) -> bool:
        """Write what SES told; False: nothing has changed."""
        entry = self._entries.get(mail_id)
        if entry is not None:
            if entry.told(told):
                self._count(entry)
                return True
        elif mail_id:
            # SES may be sooner than its own answer, or that was lost.
            self._ahead.setdefault(mail_id, []).append(told)
            self._ahead_size += _size(told)
            while self._ahead_size > AHEAD:
                _, oldest = self._ahead.popitem(last=False)
                self._ahead_size -= sum(map(_size, oldest))
        return False

    def _write(self, event: Event) -> None:
        """Write what happened into the mail's entry."""
        entry = self._entry(event.id)
        match event:
            case Attempted():
                entry.attempted(event, self._now(), self._subject)
            case Answered():
                entry.answered(event, self._subject, self._asked)
            case NotTaken():
                entry.refuse(event, self._asked)
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
        if self._ahead:
            for told in self._ahead.pop(entry.id, ()):
                self._ahead_size -= _size(told)
                entry.told(told)
        self._count(entry)

    def _count(self, entry: Entry) -> None:
        """Number the change, and have the oldest make room for what the entry takes."""
        self.changes += 1
        entry.changed = self.changes
        self._latest.append(entry.id)
        size = entry.bytes()
        self._bytes += size - entry.counted
        entry.counted = size
        if self._by_message_id is not None:
            for message_id in entry.message_ids:
                self._by_message_id[message_id] = entry.id
        while (
            len(self._entries) > self._max_count or self._bytes > self._max_bytes
        ) and len(self._entries) > 1:
            self._gone(self._entries.popitem(last=False)[1])

    def _gone(self, entry: Entry) -> None:
        self._bytes -= entry.counted
        if self._by_message_id is not None:
            for message_id in entry.message_ids:
                self._by_message_id.pop(message_id, None)


def _size(told: Feedback) -> int:
    """How much of it is kept ahead: recipients, which all may have long words."""
    return 1 + len(told.recipients)


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
        kept.slips(event.slips),
        "",
        "",
        (),
        mail.envelope.bare(),
        kept.options(mail.options),
        ended - first.seconds,
        first.seconds,
        outcome.message_id if isinstance(outcome, Accepted) else "",
    )
