"""Keeps mail in the inbox and sends nothing; fails on request, as SES would."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from relay.capture.inbox import Captured, Inbox
from relay.content.encoded_words import decoded
from relay.content.header import parse
from relay.model.mail import Mail
from relay.model.outcome import (
    Accepted,
    Deferred,
    Effect,
    Outcome,
    Rejected,
)
from relay.model.submission import MailId
from relay.ses import error_table
from relay.ses.parameters import RequestSettings, request_for

MAGIC_DOMAIN = "relay.test"

# The local part at relay.test -> what SES says in this case: code, status, text.
_SAYS: Mapping[str, tuple[str, int, str]] = {
    "throttle": ("TooManyRequestsException", 429, "Maximum sending rate exceeded."),
    "quota": ("LimitExceededException", 400, "Daily message quota exceeded."),
    "paused": ("SendingPausedException", 400, "Sending paused for this account."),
    "suspended": ("AccountSuspendedException", 400, "Sending suspended."),
    "reject": ("MessageRejected", 400, "Bad content."),
    "unverified": (
        "MessageRejected",
        400,
        "Email address is not verified: unverified@relay.test",
    ),
    "denied": (
        "AccessDeniedException",
        403,
        "User is not authorized to perform ses:SendRawEmail",
    ),
    "toolarge": ("BadRequestException", 400, "Message length is more than allowed."),
    "error": ("InternalFailure", 500, "Internal failure."),
}
_LOST: Mapping[str, str] = {
    "timeout": "no answer within the time",
    "reset": "connection reset",
}


class CaptureTransport:
    """Stands in for SES where nothing may leave the machine.

    `captured` is told of each mail that was kept.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        settings: RequestSettings,
        captured: Callable[[Captured], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._inbox = inbox
        self._settings = settings
        self._captured = captured
        self._now = now

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Keep `mail`, or answer as its first magic recipient wants it."""
        for recipient in mail.envelope.recipients:
            outcome = _magic(recipient)
            if outcome is not None:
                return outcome
        parameters = request_for(mail, self._settings, mail_id)
        del parameters["Content"]
        subject = parse(mail.content).first("subject")
        captured = Captured(
            id=mail_id,
            at=self._now(),
            mail=mail,
            subject=decoded(subject.value) if subject else "",
            parameters=parameters,
        )
        self._inbox.put(captured)
        self._captured(captured)
        return Accepted(mail_id)

    def at_hand(self, mail: Mail) -> bool:
        """Nothing is waited for."""
        return True


def _magic(recipient: str) -> Deferred | Rejected | None:
    """Give what a recipient at relay.test asks for; None for all others."""
    local, _, domain = recipient.rpartition("@")
    if domain.lower() != MAGIC_DOMAIN:
        return None
    name = local.partition("+")[0].lower()
    if name in _LOST:
        outcome: Deferred | Rejected = replace(error_table.LOST, detail=_LOST[name])
    elif name in _SAYS:
        outcome = error_table.outcome_for(*_SAYS[name])
    else:
        return None
    if isinstance(outcome, Deferred):
        # It is one mail's wish: the others go on, and another try changes nothing.
        return replace(outcome, effect=Effect.NONE, again=False, elsewhere=False)
    return outcome
