"""The SendEmail call as the SDK makes it: behind a proxy, and where else it must.

One client for the life of the process, one request a mail. Retrying is not its
business: the SDK's own would send up to five requests after a lost answer.
"""

from __future__ import annotations

import asyncio
import binascii
import io
import secrets
from contextvars import ContextVar
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from relay.delivery.transport import attempt_seconds
from relay.model.mail import Mail
from relay.model.outcome import Outcome
from relay.model.submission import MailId
from relay.ses import read_answer
from relay.ses.credentials import CREDENTIAL_ERRORS
from relay.ses.parameters import RequestSettings, request_for
from relay.ses.sdk_client import Connection

# A content of more bytes than this gets into its request by `_put_content`.
IN_A_THREAD_FROM = 1_000_000
_large_content: ContextVar[bytes | None] = ContextVar("large_content", default=None)
_PLACE = secrets.token_bytes(24)  # stands for it in what the SDK serialises
_PIECE = 3 << 18  # a multiple of 3: base64 of the pieces is base64 of the whole


class SdkTransport:
    """Sends each mail by one call of the SDK's client."""

    def __init__(
        self,
        connection: Connection,
        *,
        settings: RequestSettings,
        attempt_timeout: float,
    ) -> None:
        self._client = connection.client
        # Once for a client, however many transports it has.
        self._client.meta.events.register(
            "before-call.sesv2.SendEmail", _put_content, unique_id="put content"
        )
        self._credentials = connection.credentials
        self._settings = settings
        self._attempt_timeout = attempt_timeout

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Make one HTTP request; no answer in time is an outcome too."""
        request = request_for(mail, self._settings, mail_id)
        deadline = asyncio.get_running_loop().time() + (
            attempt_seconds(self._attempt_timeout, mail)
        )
        try:
            async with asyncio.timeout_at(deadline):
                used = await self._credentials.get_frozen_credentials()
        except CREDENTIAL_ERRORS as error:  # TimeoutError is an OSError
            return read_answer.no_credentials(error)
        large = len(mail.content) > IN_A_THREAD_FROM
        if large:
            request["Content"]["Raw"]["Data"] = _PLACE
        token = _large_content.set(mail.content if large else None)
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._client.send_email(**request)
        except ClientError as error:
            code, status, text = read_answer.said(error)
            outcome = read_answer.answered(
                code, status, text, mail=mail, settings=self._settings
            )
            return await self._credentials.heed(outcome, used, deadline=deadline)
        except read_answer.REFUSED_BY_SDK as error:
            return read_answer.refused_by_sdk(error)
        except (BotoCoreError, TimeoutError) as error:
            return read_answer.outcome_of(error)
        except read_answer.UNREADABLE as error:
            return read_answer.lost(f"unreadable answer: {type(error).__name__}")
        finally:
            _large_content.reset(token)
        return read_answer.accepted(answer.get("MessageId"))

    def at_hand(self, mail: Mail) -> bool:
        """Never: the SDK's client holds on to its task."""
        return False


def _put_content(params: dict[str, Any], **_: object) -> None:
    """Put a large content in its place in the request, before that is signed.

    The SDK alone makes four copies of it, as bytes and as text, and holds the loop
    meanwhile. This makes one; and what can be read in pieces aiohttp writes in
    pieces, which lets the loop breathe.
    """
    content = _large_content.get()
    if content is None:
        return
    before, after = params["body"].split(binascii.b2a_base64(_PLACE, newline=False))
    body = io.BytesIO()
    body.write(before)
    view = memoryview(content)
    for start in range(0, len(view), _PIECE):
        body.write(binascii.b2a_base64(view[start : start + _PIECE], newline=False))
    body.write(after)
    body.seek(0)
    params["body"] = body
