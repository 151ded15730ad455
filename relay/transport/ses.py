"""The SendEmail call: one client for the life of the process, one request a mail.

Retrying is not its business: the SDK's own would send up to five requests after a
lost answer.
"""

from __future__ import annotations

import asyncio
import binascii
import io
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from aiohttp import ClientConnectorError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    EndpointProviderError,
    EndpointVariantError,
    InvalidProxiesConfigError,
    MissingDependencyException,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from relay.account import Unanswered
from relay.model import Accepted, Deferred, Mail, MailId, Outcome, Rejected
from relay.transport import answers
from relay.transport.access import Access
from relay.transport.answers import Named
from relay.transport.connection import Connection, connect
from relay.transport.credentials import CREDENTIAL_ERRORS
from relay.transport.request import RequestSettings, request_for

# A large mail may take longer: so many bytes add a second to an attempt's time.
BYTES_PER_SECOND = 100_000

# A content of more bytes than this gets into its request by `_put_content`.
LARGE = 1_000_000
_large_content: ContextVar[bytes | None] = ContextVar("large_content", default=None)
_PLACE = secrets.token_bytes(24)  # stands for it in what the SDK serialises
_PIECE = 3 << 18  # a multiple of 3: base64 of the pieces is base64 of the whole

_MESSAGE_ID = re.compile(r"[!-~]{1,200}")
_PARAMETER = re.compile(r"parameter (?:in )?([A-Za-z.\[\]0-9]+)")

# What the SDK raises before it opens a connection.
_REFUSED_BY_SDK = (
    ParamValidationError,
    EndpointProviderError,
    EndpointVariantError,
    NoRegionError,
    InvalidProxiesConfigError,
    MissingDependencyException,
)
# What the SDK's parser raises on a body that is not what the service promised.
_UNREADABLE = (ResponseParserError, ValueError, LookupError, AttributeError, TypeError)


class SesTransport:
    """Sends each mail by one SendEmail call."""

    def __init__(
        self,
        connection: Connection,
        *,
        settings: RequestSettings,
        attempt_timeout: float,
    ) -> None:
        self._client = connection.client
        self._credentials = connection.credentials
        self._settings = settings
        self._attempt_timeout = attempt_timeout

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Make one HTTP request; no answer in time is an outcome too."""
        request = request_for(mail, self._settings)
        deadline = asyncio.get_running_loop().time() + (
            self._attempt_timeout + len(mail.content) / BYTES_PER_SECOND
        )
        try:
            async with asyncio.timeout_at(deadline):
                used = await self._credentials.get_frozen_credentials()
        except CREDENTIAL_ERRORS as error:  # TimeoutError is an OSError
            return _no_credentials(error)
        large = len(mail.content) > LARGE
        if large:
            request["Content"]["Raw"]["Data"] = _PLACE
        token = _large_content.set(mail.content if large else None)
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._client.send_email(**request)
        except ClientError as error:
            outcome = self._answered(error, mail)
            if outcome.reply == answers.EXPIRED.reply:
                self._credentials.renew(used)
            return outcome
        except _REFUSED_BY_SDK as error:
            return replace(answers.UNKNOWN, detail=_without_values(error))
        except (BotoCoreError, TimeoutError) as error:
            return outcome_of(error)
        except _UNREADABLE as error:
            return _lost(f"unreadable answer: {type(error).__name__}")
        finally:
            _large_content.reset(token)
        message_id = answer.get("MessageId")
        if not (isinstance(message_id, str) and _MESSAGE_ID.fullmatch(message_id)):
            return _lost("200 without a usable MessageId")
        return Accepted(message_id)

    async def max_send_rate(self) -> float:
        """Recipients per second, as GetAccount says it. Raises Unanswered."""
        try:
            async with asyncio.timeout(self._attempt_timeout):
                answer = await self._client.get_account()
        except ClientError as error:
            code, status, text = said(error)
            raise Unanswered(f"{status} {code}: {text}") from error
        except CREDENTIAL_ERRORS as error:  # TimeoutError is an OSError
            raise Unanswered(_named(error)) from error
        rate = answer.get("SendQuota", {}).get("MaxSendRate")
        if not isinstance(rate, int | float):
            raise Unanswered("an answer without SendQuota.MaxSendRate")
        return float(rate)

    def _answered(self, error: ClientError, mail: Mail) -> Deferred | Rejected:
        code, status, text = said(error)
        if 200 <= status < 300:
            return _lost(f"{status} with the error {code}")
        named = Named.of(
            mail.options,
            configuration_set=self._settings.configuration_set,
            tenant=self._settings.tenant,
        )
        return answers.outcome_for(code, status, text, named=named)


def said(error: ClientError) -> tuple[str, int, str]:
    """Take code, HTTP status and text out of an error that the service answered."""
    found = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return (
        str(found.get("Code") or ""),
        int(status),
        str(found.get("Message") or ""),
    )


def outcome_of(error: BotoCoreError | TimeoutError) -> Deferred:
    """Tell what a call came to that SES did not answer."""
    match error:
        case SSLError():
            outcome = answers.NO_TLS
        case (
            NoCredentialsError()
            | PartialCredentialsError()
            | CredentialRetrievalError()
            | TokenRetrievalError()
        ):
            outcome = answers.NO_CREDENTIALS
        case ConnectTimeoutError() | ProxyConnectionError():
            outcome = answers.UNREACHABLE
        case EndpointConnectionError(kwargs={"error": ClientConnectorError()}):
            # Only this inner error means "refused before anything was sent"; a
            # reset after the whole request arrives under the same outer name.
            outcome = answers.UNREACHABLE
        case _:
            outcome = answers.LOST
    return replace(outcome, detail=_named(error))


def _lost(detail: str) -> Deferred:
    return replace(answers.LOST, detail=detail)


def _no_credentials(error: Exception) -> Deferred:
    return replace(answers.NO_CREDENTIALS, detail=f"credentials: {_named(error)}")


def _named(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _without_values(error: Exception) -> str:
    """Name what the SDK refused; its text would quote values of the mail."""
    if isinstance(error, ParamValidationError):
        names = dict.fromkeys(_PARAMETER.findall(str(error)))
        return f"ParamValidationError: {', '.join(names)}"
    return _named(error)


@asynccontextmanager
async def open_ses(
    access: Access, *, settings: RequestSettings
) -> AsyncIterator[SesTransport]:
    """Open the transport for the life of the process.

    Asks nobody: a network that is away is no reason not to start. Raises Unusable.
    """
    async with connect(access) as connection:
        connection.client.meta.events.register(
            "before-call.sesv2.SendEmail", _put_content
        )
        yield SesTransport(
            connection, settings=settings, attempt_timeout=access.attempt_timeout
        )


def _put_content(params: dict[str, Any], **_: object) -> None:
    """Put a large content in its place in the request, before that is signed.

    The SDK alone makes four copies of it, as bytes and as text, and holds the loop
    for 0.3 s with 30 MB (measured). This makes one; and what can be read in pieces
    aiohttp writes in pieces, which lets the loop breathe.
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
