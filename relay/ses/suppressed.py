"""SES' own list of addresses that get no mail from the account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from relay.delivery.transport import Unanswered
from relay.log import without_logins
from relay.model.suppression import Suppressed, compared
from relay.ses import read_answer
from relay.ses.client_settings import ClientSettings
from relay.ses.credentials import CREDENTIAL_ERRORS, CREDENTIALS_CURE
from relay.ses.sdk_client import connect

EVERY = 1.0  # seconds: SES takes one such request a second
ATTEMPTS = 4
AT_ONCE = 1000

_DENIED = ("AccessDeniedException", "AccessDenied")


async def suppressed(
    settings: ClientSettings, *, every: float = EVERY
) -> AsyncGenerator[list[Suppressed], None]:
    """The list, page by page; raises sdk_client.CannotOpen and Unanswered."""
    loop = asyncio.get_running_loop()
    more: dict[str, str] = {}
    async with connect(settings, attempts=ATTEMPTS) as connection:
        while True:
            began = loop.time()
            try:
                async with asyncio.timeout(settings.attempt_timeout * ATTEMPTS):
                    answer = await connection.client.list_suppressed_destinations(
                        PageSize=AT_ONCE, **more
                    )
            except ClientError as error:
                code, status, text = read_answer.said(error)
                cure = "allow ses:ListSuppressedDestinations" if code in _DENIED else ""
                raise Unanswered(f"{status} {code}: {text}", cure=cure) from error
            except CREDENTIAL_ERRORS as error:
                raise Unanswered(
                    read_answer.named(error), cure=CREDENTIALS_CURE
                ) from error
            except (BotoCoreError, TimeoutError) as error:
                text = without_logins(str(error)) or "no answer in time"
                raise Unanswered(text) from error
            found = answer.get("SuppressedDestinationSummaries", ())
            yield [entry for one in found if (entry := _entry(one)) is not None]
            token = answer.get("NextToken")
            if not token:
                return
            more = {"NextToken": str(token)}
            await asyncio.sleep(max(began + every - loop.time(), 0))


def _entry(said: dict[str, Any]) -> Suppressed | None:
    address, at = said.get("EmailAddress"), said.get("LastUpdateTime")
    if not (isinstance(address, str) and isinstance(at, datetime)):
        return None
    bounced = said.get("Reason") == "BOUNCE"
    return Suppressed(
        compared(address), "bounce" if bounced else "complaint", at.timestamp(), "ses"
    )
