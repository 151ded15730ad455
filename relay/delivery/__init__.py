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
    """Takes responsibility for prepared mail, or says that it does not.

    Safe for concurrent calls.
    """

    async def deliver(
        self,
        submission: Submission,
        prepared: Prepared,
        *,
        started: float,
        left: Callable[[], bool],
    ) -> Reply:
        """What the client is to hear; it has waited since `started` (monotonic).

        2xx: SES has the mail, or the queue has it on the disk. Anything else: nobody
        keeps it, and it was not sent but where an outcome is `maybe_sent`.
        When the client has waited for `answerWithin`, nothing more is begun for it:
        the queue answers without SES, and without a queue the attempt under way does.

        `left` tells whether nobody is there to hear the reply: a refusal then ends in
        the queue, where there is one, as that of mail that waited. Without a queue
        `prepared` is a single mail, behind a guard one for its others beside it.

        Before the reply is given, one event tells of it: `NotTaken` where the queue
        could not keep the mail, else `Answered`.

        Raises nothing that can be expected: what SES or the disk refuses is a reply.
        Cancelled, it stops waiting: what is in the queue stays there, and is tried
        again at the next start at the latest; without a queue the attempt under way
        is given up, and the mail may have been sent.
        """

    def stop_within(self, seconds: float) -> None:
        """Begin no attempt that could not end within `seconds` from now.

        Waits for nothing and raises nothing. Mail that comes after it is answered
        still: the queue keeps it and begins nothing; without one it is refused.
        """


async def attempt(transport: Transport, mail: Mail, mail_id: MailId) -> Outcome:
    """Try once; a bug in one mail costs that mail a delay, not the relay.

    Raises nothing: cancellation alone passes through.
    """
    try:
        return await transport.send(mail, mail_id)
    except Exception as error:  # noqa: BLE001 - one mail's attempt is a boundary
        log.broken("attempt broken", error, id=mail_id)
        return Deferred(INTERNAL, When.SLOWLY, maybe_sent=True, alarm=True)
