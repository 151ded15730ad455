"""The SendEmail call: one client for the life of the process, one request a mail.

The only module that knows the SDK (the online check asks through it). Retrying is
not its business: the SDK's own would send up to five requests after a lost answer.
"""

from __future__ import annotations

import asyncio
import binascii
import io
import logging
import os
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.credentials import (
    AioAssumeRoleCredentialFetcher,
    AioCredentials,
    AioDeferredRefreshableCredentials,
    create_credential_resolver,
)
from aiobotocore.session import AioSession
from aiohttp import ClientConnectorError
from botocore.credentials import ReadOnlyCredentials
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
from relay.transport.answers import Named
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

# All that getting credentials may raise: files, processes, metadata, SSO, STS.
# Nothing of the mail has been sent then.
CREDENTIAL_ERRORS = (
    BotoCoreError,
    ClientError,
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
)
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


class Unusable(Exception):  # noqa: N818 - a statement, meant for the operator
    """No client can be made of these settings; the text names setting and cure."""


class Credentials(AioCredentials):  # type: ignore[misc] # the SDK has no types
    """Credentials that are looked for when needed, and anew after `renew`.

    The SDK looks once, when it makes a client: a role that cannot be had at start
    would stay away for ever, and a token that SES calls expired would stay in use.
    """

    def __init__(self, load: Callable[[], Awaitable[AioCredentials | None]]) -> None:
        super().__init__("", "")
        self._load = load
        self._source: AioCredentials | None = None
        self._lock = asyncio.Lock()
        self._given: ReadOnlyCredentials | None = None
        self._failures = 0
        self.found_by = ""

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Give credentials to sign with; raises one of CREDENTIAL_ERRORS."""
        failures = self._failures
        async with self._lock:
            if self._source is None and self._failures != failures:
                # Others who waited for the same answer need not ask again in turn.
                raise NoCredentialsError
            try:
                if self._source is None:
                    self._source = await self._load()
                if self._source is None:
                    raise NoCredentialsError
                self.found_by = self._source.method or ""
                self._given = await self._source.get_frozen_credentials()
                return self._given
            except CREDENTIAL_ERRORS:
                self._failures += 1
                self._source = None
                raise

    def renew(self, used: ReadOnlyCredentials) -> None:
        """Forget what SES refused, unless others have had it renewed already."""
        if used == self._given:
            self._source = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A client for SES, the credentials that it signs with, and its session."""

    client: Any
    credentials: Credentials
    session: AioSession
    region: str


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
    *,
    settings: RequestSettings,
    attempt_timeout: float,
    access_key_id: str = "",
    access_key_secret: str = "",
    region: str = "",
    role_arn: str = "",
    endpoint_url: str = "",
    connect_timeout: float = 5,
    concurrency: int = 50,
) -> AsyncIterator[SesTransport]:
    """Open the transport for the life of the process.

    Asks nobody: a network that is away is no reason not to start. Raises Unusable.
    """
    async with connect(
        access_key_id=access_key_id,
        access_key_secret=access_key_secret,
        region=region,
        role_arn=role_arn,
        endpoint_url=endpoint_url,
        connect_timeout=connect_timeout,
        attempt_timeout=attempt_timeout,
        concurrency=concurrency,
    ) as connection:
        yield SesTransport(
            connection, settings=settings, attempt_timeout=attempt_timeout
        )


@asynccontextmanager
async def connect(
    *,
    access_key_id: str = "",
    access_key_secret: str = "",
    region: str = "",
    role_arn: str = "",
    endpoint_url: str = "",
    connect_timeout: float = 5,
    attempt_timeout: float = 20,
    concurrency: int = 50,
    attempts: int = 1,
) -> AsyncIterator[Connection]:
    """Make a client of the settings and of AWS' own; raises Unusable."""
    # What the SDK would log about credentials (with a traceback), we say in a line.
    for name in ("botocore", "aiobotocore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    session = AioSession()
    async with AsyncExitStack() as stack:
        try:
            chosen = _region(session, region)
            _check_authorities(session)
            credentials = _credentials(
                session,
                access_key_id=access_key_id,
                access_key_secret=access_key_secret,
                region=chosen,
                role_arn=role_arn,
                connect_timeout=connect_timeout,
                read_timeout=attempt_timeout,
            )
            # The SDK asks this component when it makes the client.
            session.register_component("credential_provider", _Provider(credentials))
            client = await stack.enter_async_context(
                session.create_client(
                    "sesv2",
                    region_name=chosen,
                    endpoint_url=endpoint_url or None,
                    config=AioConfig(
                        connect_timeout=connect_timeout,
                        # One clock per attempt, and that is `send`'s: the SDK's
                        # would run while a large mail is still going out.
                        read_timeout=None,
                        max_pool_connections=concurrency,
                        retries={"total_max_attempts": attempts, "mode": "standard"},
                    ),
                )
            )
        except (BotoCoreError, ValueError) as error:
            own = (("ses.region", region), ("ses.endpointUrl", endpoint_url))
            given = [f"{name} = {value!r}" for name, value in own if value]
            raise Unusable(
                f"no SES client can be made of {', '.join(given) or '[ses]'} and AWS' "
                f"own settings (environment, profile): {error}"
            ) from error
        client.meta.events.register("before-call.sesv2.SendEmail", _put_content)
        yield Connection(client, credentials, session, chosen)


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


class _Provider:
    """Hands the SDK our credentials in place of what its chain finds at start."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def load_credentials(self) -> Credentials:
        return self._credentials


def _credentials(
    session: AioSession,
    *,
    access_key_id: str,
    access_key_secret: str,
    region: str,
    role_arn: str,
    connect_timeout: float,
    read_timeout: float,
) -> Credentials:
    """Choose: keys, or the default chain; and a role assumed with them."""

    async def base() -> AioCredentials | None:
        if access_key_id:
            return AioCredentials(access_key_id, access_key_secret, method="settings")
        # A new chain each time: it keeps what it found once.
        resolver = create_credential_resolver(session, region_name=region)
        return await resolver.load_credentials()

    async def assumed() -> AioCredentials | None:
        source = await base()
        if source is None:
            return None
        fetcher = AioAssumeRoleCredentialFetcher(
            client_creator=partial(
                session.create_client,
                region_name=region,
                config=AioConfig(
                    connect_timeout=connect_timeout,
                    read_timeout=read_timeout,
                    retries={"total_max_attempts": 2, "mode": "standard"},
                ),
            ),
            source_credentials=source,
            role_arn=role_arn,
            extra_args={"RoleSessionName": "ses-relay"},
        )
        # Refreshes itself before the role's credentials expire.
        return AioDeferredRefreshableCredentials(
            fetcher.fetch_credentials, "assumed role"
        )

    return Credentials(assumed if role_arn else base)


def _region(session: AioSession, region: str) -> str:
    """Choose the region; the SDK itself does not read AWS_REGION."""
    chosen = (
        region
        or os.environ.get("AWS_REGION")
        or os.environ.get("AWS_DEFAULT_REGION")
        or session.get_config_variable("region")
    )
    if not chosen:
        raise Unusable(
            "ses.region: not set, and neither AWS_REGION, AWS_DEFAULT_REGION nor a "
            'profile names one; set it, as in region = "eu-west-1"'
        )
    return str(chosen)


def _check_authorities(session: AioSession) -> None:
    """Read the file of AWS_CA_BUNDLE now; else each mail would fail for it."""
    path = session.get_config_variable("ca_bundle")
    if not path:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:  # ssl.SSLError is one too
        raise Unusable(
            f"AWS_CA_BUNDLE (or the profile's ca_bundle) = {path}: {error}"
        ) from error
