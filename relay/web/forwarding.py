"""`/api/v1/mails/{id}/forward`: one mail that a guard keeps, sent to an address."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from relay.content import address
from relay.intake.in_hand import InHand
from relay.model.mail import Mail
from relay.model.reply import Reply
from relay.model.submission import Envelope, Submission, new_id
from relay.observe.journal import Journal
from relay.web import arguments
from relay.web.captured import CapturedMails

# Has a mail that was kept delivered to the recipient of a submission.
Forward = Callable[[Submission, Mail], Awaitable[Reply]]

NO_WAY_OUT = "Nothing leaves this relay: it captures all mail"


class Forwarding:
    """Sends what is kept through the relay, where there is a way out."""

    def __init__(
        self,
        captured: CapturedMails,
        journal: Journal,
        forward: Forward,
        in_hand: InHand,
        *,
        captures: bool,
        may_write: Callable[[], bool],
    ) -> None:
        self._captured = captured
        self._journal = journal
        self._forward = forward
        self._in_hand = in_hand
        self._captures = captures
        self._may_write = may_write

    @property
    def routes(self) -> list[web.RouteDef]:
        return [web.post("/api/v1/mails/{id}/forward", self._send)]

    async def _send(self, request: web.Request) -> web.Response:
        if not self._may_write():
            raise web.HTTPForbidden(reason=arguments.READ_ONLY)
        if self._captures:
            raise web.HTTPConflict(reason=NO_WAY_OUT)
        kept = self._captured.asked(request)
        to = arguments.text(await arguments.body(request), "to", required=True)
        try:
            recipient = address.check(to.strip())
        except ValueError:
            reason = "to: not an address that SES takes"
            raise web.HTTPUnprocessableEntity(reason=reason) from None
        if self._in_hand.obstacle:
            raise web.HTTPServiceUnavailable(reason=self._in_hand.obstacle)
        submission = Submission(
            id=new_id(),
            envelope=Envelope(None, (recipient,)),
            content=kept.mail.content,
            peer=request.remote or "",
            received_at=time.time(),
            listener="page",
        )

        async def sent(submission: Submission) -> Reply:
            # Whoever asked may be gone by the end; the stories know of each other.
            reply = await self._forward(submission, kept.mail)
            self._journal.forwarded(kept.id, submission.id)
            return reply

        end = await self._in_hand.take(submission, sent)
        reply = "" if end is None else str(end.reply)
        return web.json_response({"id": submission.id, "reply": reply})
