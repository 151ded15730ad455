"""One log line per mail: what became of it, never what was in it."""

from __future__ import annotations

import logging

from relay import log
from relay.events import Event, Refused, Settled
from relay.model import Accepted, Deferred, Envelope, Rejected, Submission


class MailLog:
    """An observer that writes the log line of each mail."""

    def __init__(self, *, masked: bool, captures: bool) -> None:
        self._shown = log.masked if masked else str
        self._accepted = "captured" if captures else "sent"

    def __call__(self, event: Event) -> None:
        match event:
            case Refused(submission, reply, seconds):
                log.line(
                    logging.WARNING,
                    "refused",
                    **self._who(submission, submission.envelope),
                    size=len(submission.content),
                    attempts=0,
                    ms=_ms(seconds),
                    reply=self._shown(str(reply)),
                )
            case Settled():
                self._settled(event)

    def _settled(self, event: Settled) -> None:
        mail, choice = event.mail, event.mail.choice
        message_id = detail = ""
        match event.outcome:
            case Accepted(message_id):
                level, name = logging.INFO, self._accepted
            case Deferred(detail=detail, alarm=alarm):
                level, name = logging.ERROR if alarm else logging.WARNING, "not sent"
            case Rejected(detail=detail):
                level, name = logging.WARNING, "rejected"
        log.line(
            level,
            name,
            **self._who(event.submission, mail.envelope),
            messageId=message_id,
            usage=choice.usage,
            template=choice.template,
            locale=choice.locale,
            size=len(mail.content),
            attempts=event.attempts,
            ms=_ms(event.seconds),
            reply=self._shown(str(event.reply)),
            detail=self._shown(detail),
            maybeSent=getattr(event.outcome, "maybe_sent", None) or None,
            warnings=list(event.warnings) or None,
        )

    def _who(self, submission: Submission, envelope: Envelope) -> dict[str, object]:
        return {
            "id": submission.id,
            "listener": submission.listener,
            "peer": submission.peer,
            "sender": self._shown(envelope.sender or "<>"),
            "recipients": [self._shown(address) for address in envelope.recipients],
        }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
