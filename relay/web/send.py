"""`POST /api/v1/send`: templated mail by HTTP, as Logto's e-mail connector asks for it.

The same templates and the same way to SES as mail by SMTP. What SES or the relay say
stays here: Logto shows the body of an error to the person who signs in.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import hdrs, web

from relay.content import address
from relay.content.moment import moment
from relay.intake.idempotency import is_key
from relay.intake.in_hand import InHand, Submit
from relay.intake.send_at import LONGEST
from relay.model.cause import reply_class
from relay.model.note import Note
from relay.model.outcome import Accepted, Deferred, Effect
from relay.model.replies import GUARDED
from relay.model.reply import Fault, Reply
from relay.model.submission import Envelope, MailId, Order, Submission, new_id
from relay.observe.events import Answered, NotTaken
from relay.web import arguments
from relay.web.guesses import Guesses
from relay.web.lines import hold

PATH = "/api/v1/send"
WITH_SLASH = f"{PATH}/"  # as people write it, and nothing is there
# Logto waits without a limit, so the answer comes within `answerWithin` and this.
BEYOND = 4.0
# What Logto leaves out when it does not know it.
DEFAULTS: Mapping[str, Any] = dict.fromkeys(
    ("application", "organization", "user", "inviter", "locale", "uiLocales"), ""
)

KEY = "Idempotency-Key"

NOT_SENT = "The mail could not be sent"
SUPPRESSED = "No mail goes to this address: it bounced, or was complained about"
TRY_LATER = "The mail could not be sent now"


class HttpIntake:
    """Takes mail by HTTP, and leaves the work on it to `in_hand`."""

    def __init__(
        self, *, token: str, accept: Submit, in_hand: InHand, answer_within: float
    ) -> None:
        # Under a key of this process, so that not even its length shows in the time.
        self._key = secrets.token_bytes(32)
        self._guesses = Guesses("token refused", listener="http")
        self._accept = accept
        self._in_hand = in_hand
        self.take(token=token, answer_within=answer_within)

    def take(self, *, token: str, answer_within: float) -> None:
        """Let in who has this token from here on; "": nobody, and nothing is here."""
        self._token = self._digest(bare(token)) if token else b""
        self._within = answer_within + BEYOND

    @property
    def routes(self) -> list[web.RouteDef]:
        return [web.post(PATH, self._send), web.post(WITH_SLASH, self._tell_path)]

    async def _tell_path(self, _: web.Request) -> web.Response:
        if not self._token:
            raise web.HTTPNotFound
        return _error(404, f"The path is {PATH}, without a slash at its end")

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, _as_bytes(token), "sha256")

    async def _send(self, request: web.Request) -> web.Response:
        if not self._token:
            raise web.HTTPNotFound
        deadline = asyncio.get_running_loop().time() + self._within
        given = bare(request.headers.get(hdrs.AUTHORIZATION, ""))
        if not hmac.compare_digest(self._digest(given), self._token):
            if given:  # else nobody guesses
                await self._guesses.failed(request, began=time.monotonic())
            return _error(401, "The token is missing or wrong")
        if not hold(request):
            return _error(503, TRY_LATER)
        try:
            async with asyncio.timeout_at(deadline):
                body = await arguments.body(request)
        except TimeoutError:
            return _error(408, "The body did not come in time")
        except web.HTTPException as error:
            return _error(error.status, error.reason)
        to, usage, payload = body.get("to"), body.get("type"), body.get("payload")
        if not (isinstance(to, str) and to and isinstance(usage, str) and usage):
            return _error(400, "The body has no to or no type")
        if payload is None:
            payload = {}
        if not isinstance(payload, dict):
            return _error(400, "The payload is not an object")
        key = _unquoted(request.headers.get(KEY, ""))
        if key and not is_key(key):
            return _error(400, f"{KEY} has 1 to 256 printable ASCII characters")
        mail_id = new_id()
        received_at = time.time()
        send_at = None
        if body.get("sendAt") is not None:
            try:
                send_at = moment(_as_text(body["sendAt"]))
            except ValueError:
                return _error(400, "sendAt is no time such as 2026-01-31T09:00:00Z")
            if send_at > received_at + LONGEST:
                return _error(422, "sendAt is more than 30 days ahead", mail_id)
        try:
            recipient = address.check(to)
        except ValueError:
            return _error(422, "The address cannot be used", mail_id)
        if self._in_hand.obstacle:
            return _error(503, TRY_LATER, mail_id)
        # `locale` is a variable as well, as in Logto.
        locale = payload.get("locale")
        submission = Submission(
            id=mail_id,
            envelope=Envelope(None, (recipient,)),
            content=b"",
            peer=request.remote or "",
            received_at=received_at,
            listener="http",
            order=Order(
                usage.strip(),
                payload,
                locale if isinstance(locale, str) else "",
                DEFAULTS,
                send_at,
                key,
            ),
        )
        return await self._answered(submission, deadline)

    async def _answered(self, submission: Submission, deadline: float) -> web.Response:
        end = await self._in_hand.take(submission, self._accept, before=deadline)
        if end is None:
            return _error(503, TRY_LATER, submission.id)
        return _answer(submission.id, end.told)


def _answer(mail_id: MailId, event: Answered | NotTaken | None) -> web.Response:
    """What the client of the intake hears."""
    match event:
        case Answered(outcome=Accepted(message_id), reply=reply) if reply.code == 250:
            return web.json_response({"id": mail_id, "messageId": message_id})
        case Answered(reply=reply) if reply.code == 250:
            return web.json_response({"id": mail_id}, status=202)
        case Answered(outcome=Deferred(tell=False) as deferred):
            limited = deferred.effect is Effect.SLOWER or reply_class(
                deferred.reply
            ) in ("throttled", "quota")
            return _error(429 if limited else 503, TRY_LATER, mail_id)
        case NotTaken() if event.reply == GUARDED:
            return _error(422, "The guard lets no mail go to this address", mail_id)
        case NotTaken(reply=Reply(fault=Fault(kind="suppressed"))):
            return _error(422, SUPPRESSED, mail_id)
        case NotTaken(why="repeated", first=Note() as first):
            if not first.message_id:
                return web.json_response({"id": first.mail_id}, status=202)
            found = {"id": first.mail_id, "messageId": first.message_id}
            return web.json_response(found)
        case NotTaken(why="dropped"):  # as if it had been taken
            return web.json_response({"id": mail_id}, status=202)
        case NotTaken(reply=Reply(code=450)):
            return _error(429, TRY_LATER, mail_id)
        case Answered() | NotTaken() if event.reply.code >= 500:
            return _error(422, NOT_SENT, mail_id)
    return _error(503, TRY_LATER, mail_id)


def bare(authorization: str) -> str:
    """The token alone, with or without its scheme."""
    text = authorization.strip()
    return text[7:].strip() if text[:7].lower() == "bearer " else text


def _unquoted(key: str) -> str:
    """A key with or without the quotes that a structured field has around it."""
    text = key.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text


def _as_text(value: object) -> str:
    """What `moment` reads; a number is seconds since 1970. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("no time")
    return value if isinstance(value, str) else f"{value:.3f}"


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _error(status: int, error: str, mail_id: MailId | None = None) -> web.Response:
    body = {"error": error}
    if mail_id is not None:
        body["id"] = mail_id
    return web.json_response(body, status=status)
