"""What becomes of prepared mail: SES at once, or the queue first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from relay import log
from relay.delivery.transport import Transport
from relay.model.mail import Mail, Prepared
from relay.model.outcome import Deferred, Outcome, When
from relay.model.replies import INTERNAL
from relay.model.reply import Reply
from relay.model.submission import MailId, Submission


class Delivery(Protocol):
    """Takes responsibility for prepared mail, or says that it does not."""

    async def deliver(
        self,
        submission: Submission,
        prepared: Prepared,
        *,
        started: float,
        left: Callable[[], bool],
    ) -> Reply:
        """What the client is to hear; it has waited since `started` (monotonic).

        `left` tells whether nobody is there to hear it.
        """

    def stop_within(self, seconds: float) -> None:
        """Begin no attempt that could not end within `seconds` from now."""


async def attempt(transport: Transport, mail: Mail, mail_id: MailId) -> Outcome:
    """Try once; a bug in one mail costs that mail a delay, not the relay."""
    try:
        return await transport.send(mail, mail_id)
    except Exception as error:  # noqa: BLE001 - one mail's attempt is a boundary
        log.broken("attempt broken", error, id=mail_id)
        return Deferred(INTERNAL, When.SLOWLY, maybe_sent=True, alarm=True)
