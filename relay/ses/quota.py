"""What SES says about the account, asked through the SDK's client."""

from __future__ import annotations

import asyncio

from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)

from relay.delivery.transport import Quota, Unanswered
from relay.ses import error_table, read_answer
from relay.ses.credentials import CREDENTIAL_ERRORS, CREDENTIALS_CURE
from relay.ses.sdk_client import Connection

_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
)


class SesAccount:
    """The account that the connection's credentials belong to."""

    def __init__(self, connection: Connection, *, timeout: float) -> None:
        self._client = connection.client
        self._credentials = connection.credentials
        self._timeout = timeout

    async def quota(self) -> Quota:
        """The quota, as GetAccount says it. Raises Unanswered."""
        deadline = asyncio.get_running_loop().time() + self._timeout
        try:
            async with asyncio.timeout_at(deadline):
                used = await self._credentials.get_frozen_credentials()
                answer = await self._client.get_account()
        except ClientError as error:
            code, status, text = read_answer.said(error)
            outcome = error_table.outcome_for(code, status, text)
            await self._credentials.heed(outcome, used, deadline=deadline)
            denied = code in ("AccessDeniedException", "AccessDenied")
            cure = "allow ses:GetAccount" if denied else ""
            raise Unanswered(f"{status} {code}: {text}", cure=cure) from error
        except _NO_CREDENTIALS as error:
            raise Unanswered(
                read_answer.named(error), cure=CREDENTIALS_CURE, alarm=True
            ) from error
        except CREDENTIAL_ERRORS as error:  # TimeoutError is an OSError
            raise Unanswered(read_answer.named(error)) from error
        said = answer.get("SendQuota", {})
        rate = _number(said.get("MaxSendRate"))
        if rate is None:
            raise Unanswered("an answer without SendQuota.MaxSendRate")
        return Quota(
            rate,
            _number(said.get("Max24HourSend")),
            _number(said.get("SentLast24Hours")),
        )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
