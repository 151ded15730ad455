"""The credentials that a call is signed with: keys, or AWS' chain, and a role."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from aiobotocore.config import AioConfig
from aiobotocore.credentials import (
    AioAssumeRoleCredentialFetcher,
    AioCredentials,
    AioDeferredRefreshableCredentials,
    AioRefreshableCredentials,
    create_credential_resolver,
)
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from relay.ses.client_settings import ClientSettings
from relay.ses.sdk_session import SdkSession

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

CREDENTIALS_CURE = (
    "set ses.accessKeyId and ses.accessKeySecret, or give this machine a role or a "
    "profile"
)


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

    def at_hand(self) -> ReadOnlyCredentials | None:
        """Give what was given last, where nobody need be asked; None: ask.

        It saves each call the clock that asking needs.
        """
        source = self._source
        if source is None or (
            isinstance(source, AioRefreshableCredentials) and source.refresh_needed()
        ):
            return None
        return self._given

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
            self._source = self._given = None


def credentials_for(
    settings: ClientSettings, session: AioSession, *, region: str
) -> Credentials:
    """Choose: keys, or the default chain; and a role assumed with them."""

    async def base() -> AioCredentials | None:
        if settings.access_key_id:
            return AioCredentials(
                settings.access_key_id, settings.access_key_secret, method="settings"
            )
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
                    connect_timeout=settings.connect_timeout,
                    read_timeout=settings.attempt_timeout,
                    retries={"total_max_attempts": 2, "mode": "standard"},
                    http_session_cls=SdkSession,
                ),
            ),
            source_credentials=source,
            role_arn=settings.role_arn,
            extra_args={"RoleSessionName": "ses-relay"},
        )
        # Refreshes itself before the role's credentials expire.
        return AioDeferredRefreshableCredentials(
            fetcher.fetch_credentials, "assumed role"
        )

    return Credentials(assumed if settings.role_arn else base)
