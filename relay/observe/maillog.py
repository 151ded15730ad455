"""One log line per event of a mail: what became of it, never what was in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from itertools import chain

from relay import log
from relay.model.feedback import WORDS, Feedback, Kind
from relay.model.guard import KEPT
from relay.model.job import Failed, Queued, Sent, Superseded
from relay.model.mail import DEFAULT, Mail
from relay.model.outcome import Accepted, Deferred, Outcome, Rejected
from relay.model.submission import MailId, Submission
from relay.observe.events import (
    Answered,
    Attempted,
    Event,
    FedBack,
    NotTaken,
    Overtaken,
    Settled,
)

# What went wrong after SES took the mail, and what is said of each look and click.
_WRONG: tuple[Kind, ...] = ("bounce", "complaint", "reject", "rendering_failure")
_OFTEN: tuple[Kind, ...] = ("send", "open", "click", "subscription")


class MailLog:
    """An observer that writes the log lines of each mail."""

    def __init__(self, *, masked: bool, captures: bool) -> None:
        self.take(masked=masked)
        self._accepted = "captured" if captures else "sent"

    def take(self, *, masked: bool) -> None:
        """Go on by another setting."""
        self._shown: Callable[[str], str] = log.masked if masked else str

    def __call__(self, event: Event) -> None:
        match event:
            case NotTaken(submission, reply, seconds, rule, why, first, slips):
                log.line(
                    logging.INFO if why == "repeated" else logging.WARNING,
                    why,
                    **self._who(
                        submission,
                        submission.envelope.sender,
                        submission.envelope.recipients,
                    ),
                    rule=rule,
                    first=None if first is None else first.mail_id,
                    size=len(submission.content),
                    attempts=0,
                    ms=_ms(seconds),
                    reply=self._shown(str(reply)),
                    warnings=[slip.text for slip in slips] or None,
                )
            case Answered():
                self._answered(event)
            case Attempted(id=mail_id, mail=mail, outcome=outcome, by=by):
                if by != mail.options.account:
                    self._by_fallback(mail_id, mail, outcome, by)
                # Else what came of it is in the line that follows.
            case Settled():
                self._settled(event)
            case FedBack(mail_id, told):
                self._told(mail_id, told)
            case Overtaken(replaced, by):
                log.line(
                    logging.INFO,
                    "superseded",
                    id=replaced.id,
                    call=replaced.number + 1,
                    recipients=[
                        self._shown(address) for address in replaced.recipients
                    ],
                    usage=replaced.usage,
                    by=by,
                    maybeSent=replaced.state.maybe_sent or None,
                )

    def _told(self, mail_id: MailId, told: Feedback) -> None:
        level = logging.INFO
        if told.kind in _WRONG:
            level = logging.WARNING
        elif told.kind in _OFTEN:
            level = logging.DEBUG
        after = told.at - told.accepted_at if told.accepted_at is not None else None
        first = told.recipients[0] if told.recipients else None
        log.line(
            level,
            WORDS[told.kind],
            id=mail_id,
            messageId=told.message_id,
            recipients=[self._shown(one.address) for one in told.recipients] or None,
            usage=told.usage,
            type=told.what,
            complaint=told.complaint,
            reason=self._shown(told.reason),
            status=first.status if first else None,
            detail=self._shown(first.diagnostic) if first else None,
            afterSeconds=None if after is None else round(after, 1),
        )

    def _by_fallback(
        self, mail_id: MailId, mail: Mail, outcome: Outcome, by: str
    ) -> None:
        refused = None if isinstance(outcome, Accepted) else str(outcome.reply)
        log.line(
            _level(outcome),
            "by fallback",
            id=mail_id,
            account=mail.options.account or DEFAULT,
            by=by or DEFAULT,
            reply=None if refused is None else self._shown(refused),
        )

    def _taken(self, mail: Mail) -> str:
        return "captured" if mail.options.account == KEPT else self._accepted

    def _answered(self, event: Answered) -> None:
        mail = event.mails[0]
        name = "queued" if event.reply.code == 250 else "not sent"
        match event.outcome:
            case Accepted():
                name = self._taken(mail)
            case Rejected() if event.reply.code != 250:
                name = "rejected"
        recipients = chain.from_iterable(
            mail.envelope.recipients for mail in event.mails
        )
        log.line(
            _level(event.outcome),
            name,
            **self._who(event.submission, mail.envelope.sender, recipients),
            **self._what(mail, event.outcome),
            calls=len(event.mails) if len(event.mails) > 1 else None,
            messageIds=list(event.message_ids) if len(event.mails) > 1 else None,
            attempts=event.attempts,
            ms=_ms(event.seconds),
            reply=self._shown(str(event.reply)),
            warnings=[slip.text for slip in event.slips] or None,
        )

    def _settled(self, event: Settled) -> None:
        job, state = event.job, event.state
        before = getattr(job.state, "maybe_sent", False)
        level = _level(event.outcome)
        outcome, by_event = event.outcome, None
        answer, retry = "", None
        match state:
            case Sent(message_id=message_id):
                name = self._taken(job.mail)
                if outcome is None:
                    outcome, by_event = Accepted(message_id), True
                elif before:
                    level = logging.WARNING  # perhaps for the second time
            case Queued(last=last):
                name, answer = "deferred", str(last)
                retry = round(event.wait or 0.0, 1)
            case Failed(reply=reply):
                name, answer = "failed", str(reply)
                level = max(level, logging.WARNING)
            case Superseded():
                name = "superseded"
        log.line(
            level,
            name,
            id=job.id,
            call=job.number + 1 if job.number else None,
            sender=self._shown(job.mail.envelope.sender or "<>"),
            recipients=[
                self._shown(address) for address in job.mail.envelope.recipients
            ],
            **self._what(job.mail, outcome),
            attempts=state.attempts,
            byEvent=by_event,
            retryIn=retry,
            reply=self._shown(answer),
            maybeSentBefore=before or None,
            reports=[self._shown(address) for address in event.reports] or None,
        )

    def _what(self, mail: Mail, outcome: Outcome | None) -> dict[str, object]:
        choice = mail.choice
        message_id = detail = ""
        match outcome:
            case Accepted(message_id):
                pass
            case Deferred(detail=detail) | Rejected(detail=detail):
                pass
        return {
            "messageId": message_id,
            "usage": choice.usage,
            "template": choice.template,
            "locale": choice.locale,
            "account": mail.options.account,
            "rule": choice.rule,
            "size": len(mail.content),
            "detail": self._shown(detail),
            "maybeSent": getattr(outcome, "maybe_sent", None) or None,
        }

    def _who(
        self, submission: Submission, sender: str | None, recipients: Iterable[str]
    ) -> dict[str, object]:
        return {
            "id": submission.id,
            "listener": submission.listener,
            "peer": submission.peer,
            "user": self._shown(submission.user),
            "sender": self._shown(sender or "<>"),
            "recipients": list(map(self._shown, recipients)),
        }


def _level(outcome: Outcome | None) -> int:
    match outcome:
        case Deferred(alarm=True):
            return logging.ERROR
        case Deferred() | Rejected():
            return logging.WARNING
    return logging.INFO


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
