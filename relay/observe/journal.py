"""The story of each of the last mails, in memory and without their contents.

An observer. Bounded in count and in bytes; of a mail that is tried for days the last
attempts are kept. What it knows may be shown to whoever may look at the page: names
of variables, never values; a subject only where `subject` gives one.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from relay.model.job import Failed, Queued, Sent, Superseded
from relay.model.mail import Choice, Mail, SendOptions
from relay.model.outcome import Accepted, Deferred
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId, Submission
from relay.observe.events import (
    Answered,
    Attempted,
    Event,
    NotTaken,
    Overtaken,
    Settled,
)
from relay.observe.stats import answer_class

MAX_ATTEMPTS = 50  # of one mail that are remembered
MAX_RECIPIENTS = 1000
# What an entry without recipients takes, by measure.
ENTRY_BYTES = 2000


# Named tuples: made for each mail, in a third of the time of a frozen dataclass.


class Attempt(NamedTuple):
    """One call of SES; `call` counts the calls of one mail from 1."""

    call: int
    number: int
    at: float
    seconds: float
    answer: str  # its class
    reply: str
    detail: str  # SES' own words
    maybe_sent: bool


class Call(NamedTuple):
    """Where one call of a mail stands; `due` is Unix seconds."""

    state: str
    message_id: str = ""
    reply: str = ""
    due: float | None = None
    maybe_sent: bool = False


@dataclass(slots=True)
class Entry:
    """One mail and its story; times are Unix seconds, `seq` grows with each entry."""

    seq: int
    id: MailId
    at: float
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    size: int = 0
    peer: str = ""
    listener: str = ""
    user: str = ""
    usage: str = ""
    template: str = ""
    locale: str = ""
    variables: tuple[str, ...] = ()
    subject: str = ""
    mails: tuple[Mail, ...] = ()  # without their contents
    reply: str = ""  # what the client heard
    seconds: float | None = None
    warnings: tuple[str, ...] = ()
    attempts: list[Attempt] = field(default_factory=list)
    attempts_left_out: int = 0
    calls: dict[int, Call] = field(default_factory=dict)
    refused: bool = False
    overtaken_by: str = ""
    reports: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """The worst of its calls' states, so that nothing hides behind a success."""
        if self.refused:
            return "refused"
        found = {call.state for call in self.calls.values()}
        for state in ("failed", "queued", "sending", "superseded", "dropped"):
            if state in found:
                return state
        return next(iter(found), "sending")

    @property
    def message_ids(self) -> list[str]:
        return [call.message_id for call in self.calls.values() if call.message_id]


class _Taken(NamedTuple):
    """The story of nearly every mail, which SES took at once; not yet an `Entry`.

    Made in a sixth of the time, and one object for the garbage collector, not seven:
    at a thousand mails a second that is half of what the journal costs.
    """

    seq: int
    id: MailId
    at: float
    size: int
    envelope: Envelope
    peer: str
    listener: str
    user: str
    sent: Envelope
    options: SendOptions
    choice: Choice
    subject: str
    reply: Reply
    seconds: float
    warnings: tuple[str, ...]
    attempted_at: float
    attempt_seconds: float
    message_id: str


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
        # In the order of their coming. Of a plain dict the first is found slowly
        # where those before it were removed: 6 us a mail (measured).
        self._entries: OrderedDict[MailId, Entry | _Taken] = OrderedDict()
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
        return map(self._whole, list(reversed(self._entries.values())))

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, mail_id: str) -> Entry | None:
        """The entry of this id, if it is still kept."""
        found = self._entries.get(MailId(mail_id))
        return None if found is None else self._whole(found)

    def moved(self, mail_id: MailId, number: int, call: Call) -> None:
        """An operator moved one call of a mail."""
        if mail_id in self._entries:
            self._entry(mail_id).calls[number] = call
            self._tell(mail_id)

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self._early.clear()
        self._bytes = 0

    # What happens.

    def __call__(self, event: Event) -> None:
        match event:
            case Attempted(number=0, attempt=1, outcome=Accepted()) if (
                event.id not in self._entries
            ):
                self._early[event.id] = event, self._now()
                return
            case Attempted():
                self._attempted(self._entry(event.id), event, self._now())
            case Answered():
                self._answered(event)
            case NotTaken(submission, reply, seconds):
                entry = self._entry(submission.id)
                self._received(entry, submission, reply, seconds)
                entry.refused = True
            case Settled():
                self._settled(event)
            case Overtaken(replaced, by):
                entry = self._entry(replaced.id)
                if not entry.recipients:
                    entry.recipients, entry.usage = replaced.recipients, replaced.usage
                maybe_sent = replaced.state.maybe_sent
                call = Call("superseded", maybe_sent=maybe_sent)
                entry.calls[replaced.number] = call
                entry.overtaken_by = by
        self._tell(event.id)

    def _tell(self, mail_id: MailId) -> None:
        for told in self._watching:
            told(mail_id)

    def _entry(self, mail_id: MailId) -> Entry:
        """The entry to write to; a new one where there is none."""
        found = self._entries.get(mail_id)
        if isinstance(found, Entry):
            return found
        if found is not None:
            entry = self._whole(found)
            self._entries[mail_id] = entry
            return entry
        entry = Entry(self._next(), mail_id, self._now())
        self._entries[mail_id] = entry
        self._bytes += ENTRY_BYTES
        self._make_room()
        if (early := self._early.pop(mail_id, None)) is not None:
            self._attempted(entry, *early)
        return entry

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _whole(self, kept: Entry | _Taken) -> Entry:
        """The story in full."""
        if isinstance(kept, Entry):
            return kept
        choice = kept.choice
        return Entry(
            kept.seq,
            kept.id,
            kept.at,
            kept.envelope.sender,
            kept.envelope.recipients,
            kept.size,
            kept.peer,
            kept.listener,
            kept.user,
            choice.usage,
            choice.template,
            choice.locale,
            choice.variables,
            kept.subject,
            (Mail(kept.sent, b"", kept.options, choice),),
            str(kept.reply),
            kept.seconds,
            kept.warnings,
            [
                Attempt(
                    *(1, 1, kept.attempted_at, kept.attempt_seconds),
                    *("accepted", "", "", False),
                )
            ],
            0,
            {0: Call(self._taken, kept.message_id)},
        )

    def _make_room(self) -> None:
        while (
            len(self._entries) > self._max_count or self._bytes > self._max_bytes
        ) and len(self._entries) > 1:
            _, oldest = self._entries.popitem(last=False)
            recipients = (
                oldest.recipients
                if isinstance(oldest, Entry)
                else oldest.envelope.recipients
            )
            self._bytes -= ENTRY_BYTES + sum(map(len, recipients))

    def _received(
        self, entry: Entry, submission: Submission, reply: Reply, seconds: float
    ) -> None:
        entry.at = submission.received_at or entry.at
        entry.sender = submission.envelope.sender
        self._bytes -= sum(map(len, entry.recipients))
        entry.recipients = submission.envelope.recipients[:MAX_RECIPIENTS]
        self._bytes += sum(map(len, entry.recipients))
        entry.size = len(submission.content)
        entry.peer, entry.listener = submission.peer, submission.listener
        entry.user = submission.user
        entry.reply, entry.seconds = str(reply), seconds

    def _made(self, entry: Entry, number: int, mail: Mail) -> None:
        """What the mail became, once for each of its calls."""
        if number < len(entry.mails):
            return
        choice = mail.choice
        bare = Mail(mail.envelope, b"", mail.options, choice)
        entry.mails = (*entry.mails, bare)
        if number == 0:
            entry.usage, entry.template = choice.usage, choice.template
            entry.locale, entry.variables = choice.locale, choice.variables
            entry.subject = self._subject(mail)
        if not entry.recipients:  # mail of an earlier start, or a report
            entry.sender = mail.envelope.sender
            entry.recipients = mail.envelope.recipients
            entry.size = len(mail.content)
            self._bytes += sum(map(len, entry.recipients))

    def _attempted(self, entry: Entry, event: Attempted, ended: float) -> None:
        self._made(entry, event.number, event.mail)
        outcome = event.outcome
        if len(entry.attempts) >= MAX_ATTEMPTS:
            # The first ones tell how it began, the last ones how it stands.
            del entry.attempts[MAX_ATTEMPTS // 2]
            entry.attempts_left_out += 1
        entry.attempts.append(
            Attempt(
                event.number + 1,
                event.attempt,
                ended - event.seconds,
                event.seconds,
                answer_class(outcome),
                "" if isinstance(outcome, Accepted) else str(outcome.reply),
                "" if isinstance(outcome, Accepted) else outcome.detail[:2000],
                isinstance(outcome, Deferred) and outcome.maybe_sent,
            )
        )
        if isinstance(outcome, Accepted):
            entry.calls[event.number] = Call(self._taken, outcome.message_id)
        elif event.number not in entry.calls:
            entry.calls[event.number] = Call("sending", reply=str(outcome.reply))

    def _answered(self, event: Answered) -> None:
        early = self._early.get(event.id)
        if early is not None and len(event.mails) == 1 and event.reply.code == 250:
            self._taken_at_once(event, *early)
            return
        entry = self._entry(event.id)
        for number, mail in enumerate(event.mails):
            self._made(entry, number, mail)
        self._received(entry, event.submission, event.reply, event.seconds)
        entry.warnings = event.warnings
        if event.reply.code != 250:  # the client knows, and nothing is kept
            entry.refused = True
            return
        for number in range(len(event.mails)):
            known = entry.calls.get(number)
            if known is None or known.state == "sending":
                reply = known.reply if known else ""
                entry.calls[number] = Call("queued", reply=reply)

    def _taken_at_once(self, event: Answered, first: Attempted, ended: float) -> None:
        submission, mail, outcome = event.submission, event.mails[0], first.outcome
        if not isinstance(outcome, Accepted):  # never: no other attempt is early
            return
        del self._early[event.id]
        self._entries[event.id] = _Taken(
            self._next(),
            event.id,
            submission.received_at or ended,
            len(submission.content),
            submission.envelope,
            submission.peer,
            submission.listener,
            submission.user,
            mail.envelope,
            mail.options,
            mail.choice,
            self._subject(mail),
            event.reply,
            event.seconds,
            event.warnings,
            ended - first.seconds,
            first.seconds,
            outcome.message_id,
        )
        self._bytes += ENTRY_BYTES + sum(map(len, submission.envelope.recipients))
        self._make_room()

    def _settled(self, event: Settled) -> None:
        job = event.job
        if event.told and isinstance(event.state, Sent):
            return  # its client hears the same, and that is told of
        entry = self._entry(job.id)
        self._made(entry, job.number, job.mail)
        match event.state:
            case Sent(message_id=message_id):
                call = Call(self._taken, message_id)
            case Queued(last=last, maybe_sent=maybe_sent):
                due = self._now() + (event.wait or 0.0)
                call = Call("queued", "", _text(last), due, maybe_sent)
            case Failed(reply=reply, maybe_sent=maybe_sent):
                call = Call("failed", "", str(reply), None, maybe_sent)
                entry.reports = (*entry.reports, *event.reports)[:10]
            case Superseded(maybe_sent=maybe_sent):
                call = Call("superseded", maybe_sent=maybe_sent)
        entry.calls[job.number] = call


def _text(reply: Reply | None) -> str:
    return "" if reply is None else str(reply)
