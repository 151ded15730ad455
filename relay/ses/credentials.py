"""The credentials that a call is signed with: keys, or AWS' chain, and a role."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
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

from relay import log
from relay.model.outcome import Accepted, Deferred, Outcome
from relay.ses import error_table
from relay.ses.client_settings import ClientSettings
from relay.ses.read_answer import UNREADABLE, named

# All that getting credentials may raise: files, processes, metadata, SSO, STS.
# Nothing of the mail has been sent then.
CREDENTIAL_ERRORS = (BotoCoreError, ClientError, OSError, RuntimeError, *UNREADABLE)


# How often keys are looked for beside the mails that valid ones still sign, in seconds.
_AGAIN = 5.0
# And how often the log says that it was in vain.
_SAY_AGAIN = 60.0

CREDENTIALS_CURE = (
    "set ses.accessKeyId and ses.accessKeySecret, or give this machine a role or a "
    "profile"
)


class Credentials(AioCredentials):  # type: ignore[misc] # the SDK has no types
    """Credentials that are looked for when needed, and anew before their end.

    The SDK looks once, when it makes a client: a role that cannot be had at start
    would stay away for ever, and a token that SES calls expired would stay in use.
    And it has one mail after another ask for new keys, and wait, while the old ones
    are good for minutes. Here one task asks, within `patience` seconds, and who has
    valid keys waits for nothing.
    """

    def __init__(
        self, load: Callable[[], Awaitable[AioCredentials | None]], *, patience: float
    ) -> None:
        super().__init__("", "")
        self._load = load
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._source: AioCredentials | None = None
        self._given: ReadOnlyCredentials | None = None
        self._expired: ReadOnlyCredentials | None = None
        self._search: asyncio.Task[ReadOnlyCredentials] | None = None
        self._not_before = self._silent_until = 0.0  # by the loop's time
        self.found_by = ""

    def at_hand(self) -> ReadOnlyCredentials | None:
        """Give keys that are valid now, at no cost; None: they have to be asked for.

        When their end is near, others are looked for meanwhile.
        """
        source = self._source
        if source is None:
            return None
        if isinstance(source, AioRefreshableCredentials) and source.refresh_needed():
            if source.refresh_needed(0):
                return None
            if self._search is None and self._loop.time() >= self._not_before:
                self._begin().add_done_callback(self._searched)
        return self._given

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Give credentials to sign with; raises one of CREDENTIAL_ERRORS."""
        return self.at_hand() or await self._searched_for()

    async def heed(
        self, outcome: Outcome, used: ReadOnlyCredentials, *, deadline: float
    ) -> Outcome:
        """Look for other keys where SES refused those that were `used`.

        Where there are others now, the attempt is worth one more. They may come as
        late as `deadline`, by the loop's time.
        """
        if isinstance(outcome, Accepted):
            return outcome
        if isinstance(outcome, Deferred) and outcome.reply == error_table.EXPIRED.reply:
            again, self._expired = used == self._expired, used
            self.forget(used)
            if again:  # nobody renews them by himself
                return replace(outcome, alarm=True)
        elif (
            isinstance(outcome, Deferred)
            and outcome.reply == error_table.KEYS.reply
            and await self.others_than(used, deadline=deadline)
        ):
            return replace(outcome, at_once=True)
        return outcome

    def forget(self, used: ReadOnlyCredentials) -> None:
        """Have others looked for before the next call: these have expired."""
        if used == self._given:  # else others have had them renewed already
            self._source = self._given = None

    async def others_than(self, used: ReadOnlyCredentials, *, deadline: float) -> bool:
        """Tell whether there are other keys than those, which were refused."""
        if used == self._given:
            if self._search is None and self._loop.time() < self._not_before:
                return False  # just looked: they are the same
            self._not_before = self._loop.time() + _AGAIN
            try:
                async with asyncio.timeout_at(deadline):
                    await self._searched_for()
            except CREDENTIAL_ERRORS:  # TimeoutError is an OSError
                return False
        return bool(used != self._given)

    async def close(self) -> None:
        """End the search that may be under way."""
        if self._search is not None:
            self._search.cancel()
            await asyncio.wait([self._search])

    async def _searched_for(self) -> ReadOnlyCredentials:
        # Shielded: who gives up waiting must not end it for the others.
        return await asyncio.shield(self._search or self._begin())

    def _begin(self) -> asyncio.Task[ReadOnlyCredentials]:
        self._search = asyncio.create_task(self._found(), name="credentials")
        self._search.add_done_callback(self._ended)
        return self._search

    async def _found(self) -> ReadOnlyCredentials:
        async with asyncio.timeout(self._patience):
            source = await self._load()
            if source is None:
                raise NoCredentialsError
            given = await source.get_frozen_credentials()
        self._source, self._given = source, given
        self.found_by = source.method or ""
        return given

    def _ended(self, search: asyncio.Task[ReadOnlyCredentials]) -> None:
        self._search = None
        if not search.cancelled():
            search.exception()  # whoever waited may have left

    def _searched(self, search: asyncio.Task[ReadOnlyCredentials]) -> None:
        """Keep the search beside the mails from being endless where it finds nothing.

        The metadata service gives the same keys until a few minutes before their end.
        """
        now = self._loop.time()
        self._not_before = now + _AGAIN
        error = None if search.cancelled() else search.exception()
        if isinstance(error, Exception) and now >= self._silent_until:
            self._silent_until = now + _SAY_AGAIN
            log.line(
                logging.WARNING,
                "credentials",
                detail=f"no new ones, those at hand end soon: {named(error)}",
            )


def credentials_for(
    settings: ClientSettings, session: Callable[[], AioSession], *, region: str
) -> Credentials:
    """Choose: keys, or the default chain; and a role assumed with them.

    `session` makes a new one: each keeps what it has read of AWS' files.
    """

    async def base() -> AioCredentials | None:
        if settings.access_key_id:
            return AioCredentials(
                settings.access_key_id, settings.access_key_secret, method="settings"
            )
        resolver = create_credential_resolver(session(), region_name=region)
        return await resolver.load_credentials()

    async def assumed() -> AioCredentials | None:
        source = await base()
        if source is None:
            return None
        fetcher = AioAssumeRoleCredentialFetcher(
            client_creator=partial(
                session().create_client,
                region_name=region,
                config=AioConfig(
                    connect_timeout=settings.connect_timeout,
                    read_timeout=settings.attempt_timeout,
                    retries={"total_max_attempts": 2, "mode": "standard"},
                ),
            ),
            source_credentials=source,
            role_arn=settings.role_arn,
            extra_args={"RoleSessionName": "ses-relay"},
        )
        return AioDeferredRefreshableCredentials(
            fetcher.fetch_credentials, "assumed role"
        )

    load = assumed if settings.role_arn else base
    return Credentials(load, patience=settings.attempt_timeout)
