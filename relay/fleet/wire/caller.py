"""The way to one service: requests are signed, sent once, and refused or answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import NamedTuple

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError

from relay.fleet.wire.request import Request, Signer, pieces
from relay.ses.credentials import Credentials
from relay.ses.http.connection import Answer
from relay.ses.http.pool import Pool
from relay.ses.signing_key import Keys

# Whoever asks has a clock of its own, which is shorter.
LONGEST = 120.0  # seconds
# Of an answer: what is asked for, other than objects and messages, is far smaller.
MOST_BYTES = 4_000_000
# The largest mail, or ten foreign messages of SQS' largest size as JSON.
MOST_CONTENT = 64_000_000
_JOINED = 16_000  # up to here one buffer is cheaper than no copy

EXPIRED = ("ExpiredToken", "ExpiredTokenException")
# What refuses keys, or what is signed with them.
KEYS = (
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
)


class Said(NamedTuple):
    """What an answer that refuses says of the reason."""

    code: str
    text: str
    region: str = ""


class Caller:
    """Asks one service; `reads` finds what a refusal says, "" where it says nothing."""

    def __init__(
        self,
        pool: Pool,
        signer: Signer,
        credentials: Credentials,
        reads: Callable[[Answer], Said],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._pool = pool
        self._signer = signer
        self._credentials = credentials
        self._reads = reads
        self._now = now
        self._used: ReadOnlyCredentials | None = None
        self._keys: Keys

    async def ask(
        self,
        operation: str,
        request: Request,
        *,
        digest: str,
        most_bytes: int = MOST_BYTES,
    ) -> Answer:
        """Make a call; once more at once where only its keys had come to their end.

        `digest` is the body's SHA-256. Raises ClientError for a refusal, Unsent,
        Broken, and one of CREDENTIAL_ERRORS.
        """
        deadline = asyncio.get_running_loop().time() + LONGEST
        used = self._credentials.at_hand()
        if used is None:
            used = await self._credentials.get_frozen_credentials()
        for last in (False, True):
            first, rest = self._signed(request, digest, used)
            answer = await self._pool.exchange(
                first, rest, deadline=deadline, most_bytes=most_bytes
            )
            if answer.status < 300:
                return answer
            said = self._reads(answer)
            other = None if last else await self._other(said.code, used, deadline)
            if other is None:
                break
            used = other
        raise _refused(operation, answer, said)

    def _signed(
        self, request: Request, digest: str, used: ReadOnlyCredentials
    ) -> tuple[list[bytes], Iterable[bytes]]:
        """What is written at once, and what piece by piece."""
        head = self._signer.head(self._keys_of(used), request, digest, now=self._now())
        if len(request.body) < _JOINED:
            return [head + request.body], ()
        return [head], pieces(request.body)

    def _keys_of(self, used: ReadOnlyCredentials) -> Keys:
        """The same keys, and so a signer's same day, until there are others."""
        if used is not self._used:
            keys = Keys(used.access_key, used.secret_key, used.token)
            keys.check()
            self._used, self._keys = used, keys
        return self._keys

    async def _other(
        self, code: str, used: ReadOnlyCredentials, deadline: float
    ) -> ReadOnlyCredentials | None:
        """Other keys than those that were `used`, where they were what was refused."""
        if code in EXPIRED:
            self._credentials.forget(used)
        elif code not in KEYS or not await self._credentials.others_than(
            used, deadline=deadline
        ):
            return None
        other = await self._credentials.get_frozen_credentials()
        return None if other == used else other


def headers_of(answer: Answer) -> dict[str, str]:
    """The header fields of an answer, names in lower case."""
    return {
        name.decode("latin-1"): text.decode("latin-1") for name, text in answer.headers
    }


def _refused(operation: str, answer: Answer, said: Said) -> ClientError:
    """As the SDK says it, so that both ways have one table."""
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = ""
    error = {"Code": said.code or str(answer.status), "Message": said.text or phrase}
    if said.region:
        error["Region"] = said.region
    return ClientError(
        {
            "Error": error,
            "ResponseMetadata": {
                "HTTPStatusCode": answer.status,
                "HTTPHeaders": headers_of(answer),
            },
        },
        operation,
    )
