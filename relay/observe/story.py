"""What is remembered of one mail: its entry, the calls it took and their attempts.

Without the content: names of variables, never values. The events of a mail are
written into its entry here; how many entries are kept is the journal's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from relay.model.feedback import Feedback
from relay.model.job import Failed, Queued, Sent, Superseded
from relay.model.mail import Choice, Mail, SendOptions
from relay.model.outcome import Accepted
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId, Submission
from relay.observe import kept
from relay.observe.asked import AskedOf
from relay.observe.call import Attempt, Call, attempted, taken_as
from relay.observe.events import (
    Answered,
    Attempted,
    NotTaken,
    Overtaken,
    Settled,
)
from relay.observe.facts import Fact, bytes_of, fate_of, merged

MAX_ATTEMPTS = 50  # of one mail that are remembered
MAX_RECIPIENTS = 1000
MAX_REPORTS = 10
MAX_FORWARDS = 10
MAX_SUBJECT = 1000

_NOBODY = Envelope(None, ())
_NO_OPTIONS = SendOptions()
_NO_CHOICE = Choice()

SubjectOf = Callable[[Mail], str]


@dataclass(slots=True)
class Entry:
    """One mail and its story; times are Unix seconds, `seq` grows with each entry.

    Nearly every mail is one call that SES takes at its first attempt. The last fields
    are enough for that; of all other mail the calls are written out. So most entries
    are one object, for the garbage collector too, which would else look at the parts
    of each again and again.
    """

    seq: int
    id: MailId
    at: float
    _taken_as: str  # the state of a call that SES took
    _calls: dict[int, Call] | None  # None: SES took it at once
    _mails: tuple[Mail, ...] = ()
    _attempts: tuple[Attempt, ...] = ()
    attempts_left_out: int = 0
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    size: int = 0
    peer: str = ""
    listener: str = ""
    user: str = ""
    choice: Choice = _NO_CHOICE
    subject: str = ""
    answer: Reply | None = None  # what the client heard
    seconds: float | None = None
    warnings: tuple[str, ...] = ()
    not_taken: str = ""  # the word for it, where nothing became of it
    overtaken_by: str = ""
    reports: tuple[str, ...] = ()
    # Of mail that was taken at once: what it became, and its attempt.
    _sent: Envelope = _NOBODY
    _options: SendOptions = _NO_OPTIONS
    _attempted_at: float = 0.0
    _attempt_seconds: float = 0.0
    _message_id: str = ""
    _mails_bytes: int = 0
    counted: int = 0  # of `bytes`, by who keeps it
    headers: tuple[tuple[str, str], ...] = ()  # of a mail that was refused
    headers_left_out: int = 0
    forward_of: str = ""
    forwards: tuple[str, ...] = ()  # the last of those that went to somebody else
    changed: int = 0  # the number of its last change, by the same
    facts: tuple[Fact, ...] = ()  # what SES told after it took it

    def bytes(self) -> int:
        """How much memory it takes, rather too much than too little."""
        chosen = self.choice
        size = kept.ENTRY_BYTES + kept.texts(
            self.sender or "",
            self.subject,
            self.user,
            self.peer,
            "" if self.answer is None else self.answer.text,
            self._message_id,
            *(chosen.usage, chosen.template, chosen.locale, chosen.rule),
            *chosen.variables,
            *self.recipients,
            *self.warnings,
            *self.reports,
            *self.forwards,
            *(text for field in self.headers for text in field),
        )
        if self.facts:
            size += bytes_of(self.facts)
        if self._calls is None:
            if self._sent.recipients is not self.recipients:
                size += kept.texts(*self._sent.recipients)
            return size + kept.bytes_of_options(self._options)
        for attempt in self._attempts:
            size += kept.ATTEMPT_BYTES + kept.texts(attempt.reply, attempt.detail)
        for call in self._calls.values():
            size += kept.CALL_BYTES + kept.texts(call.reply, call.message_id)
        return size + self._mails_bytes

    # What is shown of it.

    @property
    def account(self) -> str:
        """The account of its first call, whoever was asked."""
        if self._calls is None:
            return self._options.account
        return self._mails[0].options.account if self._mails else ""

    @property
    def state(self) -> str:
        """The worst of its calls' states, so that nothing hides behind a success."""
        if self.not_taken:
            return self.not_taken
        if self._calls is None:
            return self._taken_as
        found = {call.state for call in self._calls.values()}
        for state in ("failed", "queued", "sending", "superseded", "dropped"):
            if state in found:
                return state
        return next(iter(found), "sending")

    @property
    def fate(self) -> str:
        """What SES told has become of it, the worst; "": nothing."""
        return fate_of(self.facts) if self.facts else ""

    @property
    def usage(self) -> str:
        return self.choice.usage

    @property
    def template(self) -> str:
        return self.choice.template

    @property
    def locale(self) -> str:
        return self.choice.locale

    @property
    def rule(self) -> str:
        return self.choice.rule

    @property
    def variables(self) -> tuple[str, ...]:
        return self.choice.variables

    @property
    def reply(self) -> str:
        return _text(self.answer)

    @property
    def mails(self) -> tuple[Mail, ...]:
        """What it became, without the contents."""
        if self._calls is not None:
            return self._mails
        return (Mail(self._sent, b"", self._options, self.choice),)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        if self._calls is not None:
            return self._attempts
        attempt = Attempt(
            call=1,
            number=1,
            at=self._attempted_at,
            seconds=self._attempt_seconds,
            answer="accepted",
            reply="",
            detail="",
            maybe_sent=False,
            account=self._options.account,
        )
        return (attempt,)

    @property
    def calls(self) -> Mapping[int, Call]:
        """Where its calls stand, by their numbers from 0."""
        if self._calls is not None:
            return self._calls
        return {0: Call(self._taken_as, self._message_id)}

    @property
    def message_ids(self) -> list[str]:
        return [call.message_id for call in self.calls.values() if call.message_id]

    # What happens to it.

    def stand(self, number: int, call: Call) -> None:
        """One of its calls stands elsewhere now."""
        self._to_write()[number] = call

    def attempted(self, event: Attempted, ended: float, subject_of: SubjectOf) -> None:
        """A call of SES ended at `ended`."""
        calls = self._to_write()
        self._made(event.number, event.mail, subject_of)
        outcome = event.outcome
        attempt = attempted(event, ended)
        known = self._attempts
        if len(known) >= MAX_ATTEMPTS:
            # The first ones tell how it began, the last ones how it stands.
            middle = MAX_ATTEMPTS // 2
            known = known[:middle] + known[middle + 1 :]
            self.attempts_left_out += 1
        self._attempts = (*known, attempt)
        if isinstance(outcome, Accepted):
            calls[event.number] = Call(self._taken(event.mail), outcome.message_id)
        elif event.number not in calls:
            calls[event.number] = Call("sending", reply=str(outcome.reply))

    def answered(
        self, event: Answered, subject_of: SubjectOf, asked_of: AskedOf
    ) -> None:
        """Its client is told a reply."""
        calls = self._to_write()
        for number, mail in enumerate(event.mails):
            self._made(number, mail, subject_of)
        self._received(event.submission, event.reply, event.seconds)
        self.warnings = kept.slips(event.slips)
        if event.reply.code != 250:  # the client knows, and nothing is kept
            self.not_taken = "refused"
            self._came(event.submission, event.reply, asked_of)
            return
        for number in range(len(event.mails)):
            known = calls.get(number)
            if known is None or known.state == "sending":
                reply = known.reply if known else ""
                calls[number] = Call("queued", reply=reply, due=event.due)

    def refuse(self, event: NotTaken, asked_of: AskedOf) -> None:
        """Nothing becomes of it; what it asked for and was is shown all the same."""
        submission = event.submission
        self._received(submission, event.reply, event.seconds)
        self.not_taken = event.why
        if event.rule:
            self.choice = replace(self.choice, rule=event.rule)
        self._came(submission, event.reply, asked_of)
        self.warnings = kept.slips(event.slips)

    def settled(self, event: Settled, now: float, subject_of: SubjectOf) -> None:
        """Its job in the queue stands elsewhere."""
        job = event.job
        calls = self._to_write()
        self._made(job.number, job.mail, subject_of)
        match event.state:
            case Sent(message_id=message_id):
                call = Call(self._taken(job.mail), message_id)
            case Queued(last=last, maybe_sent=maybe_sent):
                due = now + (event.wait or 0.0)
                call = Call("queued", "", _text(last), due, maybe_sent)
            case Failed(reply=reply, maybe_sent=maybe_sent):
                call = Call("failed", "", str(reply), None, maybe_sent)
                self.reports = (*self.reports, *event.reports)[:MAX_REPORTS]
            case Superseded(maybe_sent=maybe_sent):
                call = Call("superseded", maybe_sent=maybe_sent)
        calls[job.number] = call

    def overtaken(self, event: Overtaken) -> None:
        """Newer mail superseded it."""
        replaced = event.replaced
        if not self.recipients:
            self.recipients = replaced.recipients[:MAX_RECIPIENTS]
            self.choice = kept.choice(replace(self.choice, usage=replaced.usage))
        maybe_sent = replaced.state.maybe_sent
        self.stand(replaced.number, Call("superseded", maybe_sent=maybe_sent))
        self.overtaken_by = event.by

    def _came(self, submission: Submission, reply: Reply, asked_of: AskedOf) -> None:
        """What a refused mail said, as far as it is shown, and what is wrong in it."""
        asked = asked_of(submission)
        usage = self.choice.usage or asked.usage or submission.usage
        self.choice = kept.choice(replace(self.choice, usage=usage))
        self.subject = self.subject or asked.subject[:MAX_SUBJECT]
        self.headers = asked.fields(reply)
        self.headers_left_out = len(asked.headers) - len(self.headers)

    def told(self, told: Feedback) -> bool:
        """SES told more of it; False: that was known."""
        before, self.facts = self.facts, merged(self.facts, told)
        return self.facts is not before

    def linked(self, other: str, *, again: bool) -> None:
        """It is `again` the content of another mail, or that one has its content."""
        if again:
            self.forward_of = other
        else:
            self.forwards = (*self.forwards, other)[-MAX_FORWARDS:]

    def _taken(self, mail: Mail) -> str:
        return taken_as(mail, self._taken_as)

    def _to_write(self) -> dict[int, Call]:
        """Its calls, written out from here on."""
        if self._calls is None:
            self._mails, self._attempts = self.mails, self.attempts
            self._mails_bytes = sum(map(kept.bytes_of_mail, self._mails))
            self._calls = dict(self.calls)
        return self._calls

    def _received(self, submission: Submission, reply: Reply, seconds: float) -> None:
        self.at = submission.received_at or self.at
        self.sender = submission.envelope.sender
        self.recipients = submission.envelope.recipients[:MAX_RECIPIENTS]
        self.size = len(submission.content)
        self.peer, self.listener = submission.peer, submission.listener
        self.user = submission.user[: kept.MAX_TEXT]
        self.answer, self.seconds = reply, seconds

    def _made(self, number: int, mail: Mail, subject_of: SubjectOf) -> None:
        """What the mail became, once for each of its calls."""
        if number < len(self._mails):
            return
        options, choice = kept.options(mail.options), kept.choice(mail.choice)
        bare = Mail(mail.envelope.bare(), b"", options, choice)
        self._mails = (*self._mails, bare)
        self._mails_bytes += kept.bytes_of_mail(bare)
        if number == 0:
            self.choice = choice
            self.subject = subject_of(mail)[:MAX_SUBJECT]
        if not self.recipients:  # mail of an earlier start, or a report
            self.sender = mail.envelope.sender
            self.recipients = mail.envelope.recipients[:MAX_RECIPIENTS]
            self.size = len(mail.content)


def _text(reply: Reply | None) -> str:
    return "" if reply is None else str(reply)
