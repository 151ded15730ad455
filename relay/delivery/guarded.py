"""Mail behind a guard: what becomes of it, and that nothing gets by."""

from __future__ import annotations

from dataclasses import replace

from relay.content.new_field import folded
from relay.delivery.transport import Transport
from relay.model.guard import KEPT, Guard
from relay.model.mail import Mail
from relay.model.outcome import Deferred, Outcome, When
from relay.model.replies import GUARDED
from relay.model.submission import Envelope, MailId


def guarded_parts(mail: Mail, guard: Guard) -> list[Mail]:
    """The mail to those who may get it, then to all others; none: it is refused."""
    envelope = mail.envelope
    allowed, others = guard.parted(envelope.recipients)
    if not others:
        return [mail]
    held = held_back(_to(mail, others), guard)
    if held is None:
        return []
    return [_to(mail, allowed), held] if allowed else [held]


def _to(mail: Mail, recipients: tuple[str, ...]) -> Mail:
    dsn = mail.envelope.dsn.about(recipients)
    return replace(mail, envelope=Envelope(mail.envelope.sender, recipients, dsn))


def held_back(mail: Mail, guard: Guard) -> Mail | None:
    """What becomes of a mail to others; None: nothing, it is refused."""
    match guard.others:
        case "reject":
            return None
        case "capture":
            return replace(mail, options=mail.options._replace(account=KEPT))
    envelope = mail.envelope
    fields = b"".join(
        folded("X-Original-To", recipient).raw for recipient in envelope.recipients
    )
    to = (guard.redirect_to,)
    return replace(
        mail,
        envelope=Envelope(envelope.sender, to, envelope.dsn.about(to)),
        content=fields + mail.content,
        # Else the code of one would end the waiting code of another.
        choice=replace(mail.choice, supersedes=False),
    )


class GuardedTransport:
    """Sends what the guard lets out, and nothing else, whoever asks for it.

    Mail is parted before it comes here; what is not was taken before the guard was up.
    It waits until the guard lets it out, or its time is over.
    """

    def __init__(self, inner: Transport, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Try once, if all recipients may get it."""
        if all(map(self._guard.allows, mail.envelope.recipients)):
            return await self._inner.send(mail, mail_id)
        return Deferred(GUARDED, When.SLOWLY, alarm=True)

    def at_hand(self, mail: Mail) -> bool:
        """Tell whether it would wait for SES' answer alone."""
        return self._inner.at_hand(mail)
