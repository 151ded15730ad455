"""The SendEmail call made by ourselves; what there is to know, the SDK knows.

Credentials, endpoint, model and the reading of errors are the SDK's. Building,
signing and sending are ours, because the SDK's cost a mail more than all else
(docs/performance.md, "What each step gave").
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ParamValidationError
from botocore.parsers import create_parser
from botocore.validate import ParamValidator

from relay.delivery.transport import attempt_seconds
from relay.model.mail import Mail
from relay.model.outcome import Deferred, Outcome, Rejected
from relay.model.submission import MailId
from relay.ses import error_table, read_answer
from relay.ses.body import Payload
from relay.ses.credentials import CREDENTIAL_ERRORS
from relay.ses.http.connection import Answer, Broken
from relay.ses.http.pool import Pool, Unsent
from relay.ses.json_depth import is_shallow
from relay.ses.parameters import RequestSettings, request_for
from relay.ses.sdk_client import Connection
from relay.ses.signing_key import Keys
from relay.ses.sigv4 import Signer, Target

# A content of more bytes than this goes out in pieces.
IN_PIECES_FROM = 500_000
# Up to here one buffer, and so one record of TLS, is cheaper than no copy.
_JOINED = 16_000
# What SES answers; cheaper to match than to read as JSON.
_PLAIN_ANSWER = re.compile(rb'\{"MessageId": ?"([0-9A-Za-z-]{1,200})"\}')


class DirectTransport:
    """Sends each mail by one request over a pool of connections."""

    def __init__(
        self,
        connection: Connection,
        target: Target,
        pool: Pool,
        *,
        settings: RequestSettings,
        attempt_timeout: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        model = connection.client.meta.service_model.operation_model("SendEmail")
        self._parameters = model.input_shape
        self._output = model.output_shape
        self._parser = create_parser(model.service_model.resolved_protocol)
        self._credentials = connection.credentials
        self._used: ReadOnlyCredentials | None = None
        self._keys: Keys
        self._signer = Signer(target)
        self._payload = Payload(settings)
        self._pool = pool
        self._settings = settings
        self._attempt_timeout = attempt_timeout
        self._now = now

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Make one HTTP request; no answer in time is an outcome too."""
        if not self._payload.is_plain(mail):
            whole = request_for(mail, self._settings, mail_id)
            report = ParamValidator().validate(whole, self._parameters)
            if report.has_errors():
                error = ParamValidationError(report=report.generate_report())
                return read_answer.refused_by_sdk(error)
        deadline = asyncio.get_running_loop().time() + (
            attempt_seconds(self._attempt_timeout, mail)
        )
        try:
            used = self._credentials.at_hand()
            if used is None:
                async with asyncio.timeout_at(deadline):
                    used = await self._credentials.get_frozen_credentials()
            keys = self._keys_of(used)
        except CREDENTIAL_ERRORS as error:  # TimeoutError is an OSError
            return read_answer.no_credentials(error)
        try:
            if len(mail.content) > IN_PIECES_FROM:
                answer = await self._in_pieces(mail, mail_id, keys, deadline)
            else:
                request = self._request(mail, mail_id, keys)
                answer = await self._pool.exchange(request, deadline=deadline)
        except Unsent as error:
            outcome = error_table.NO_TLS if error.tls else error_table.UNREACHABLE
            return replace(outcome, detail=str(error))
        except Broken as error:
            return read_answer.lost(str(error))
        if answer.status < 300:
            return read_answer.accepted(_message_id(answer.body))
        return await self._credentials.heed(
            self._refused(answer, mail), used, deadline=deadline
        )

    def at_hand(self, mail: Mail) -> bool:
        """Tell whether keys and a connection are there, and the mail goes in one."""
        return (
            len(mail.content) <= IN_PIECES_FROM
            and self._credentials.at_hand() is not None
            and self._pool.at_hand()
        )

    def _keys_of(self, used: ReadOnlyCredentials) -> Keys:
        """The same keys, and so a signer's same day, until there are others."""
        if used is not self._used:
            keys = Keys(used.access_key, used.secret_key, used.token)
            keys.check()
            self._used, self._keys = used, keys
        return self._keys

    def _request(self, mail: Mail, mail_id: MailId, keys: Keys) -> list[bytes]:
        """The whole of it, in the buffers that it is written from."""
        before, encoded, after = self._payload.parts(mail, mail_id)
        digest = sha256(before)
        digest.update(encoded)
        digest.update(after)
        size = len(before) + len(encoded) + len(after)
        head = self._signer.head(keys, digest.hexdigest(), size, now=self._now())
        if size < _JOINED:
            return [b"".join((head, before, encoded, after))]
        return [head + before, encoded, after]

    async def _in_pieces(
        self, mail: Mail, mail_id: MailId, keys: Keys, deadline: float
    ) -> Answer:
        """Encode twice, to hash and to send, and so never hold the whole body.

        A little more work than with a body that is made once, for far less memory
        and shorter waits of others (bench case "beside 2 sending 40 MB").
        """
        digest = sha256()
        size = 0
        try:
            async with asyncio.timeout_at(deadline):
                for piece in self._payload.pieces(mail, mail_id):
                    digest.update(piece)
                    size += len(piece)
                    await asyncio.sleep(0)
        except TimeoutError:
            raise Unsent("no time left to send in") from None
        head = self._signer.head(keys, digest.hexdigest(), size, now=self._now())
        pieces = self._payload.pieces(mail, mail_id)
        return await self._pool.exchange([head], pieces, deadline=deadline)

    def _refused(self, answer: Answer, mail: Mail) -> Deferred | Rejected:
        if not is_shallow(answer.body):
            return read_answer.lost("unreadable answer: nested too deep")
        try:
            response = {
                "status_code": answer.status,
                "headers": {
                    name.decode(): value.decode() for name, value in answer.headers
                },
                "body": answer.body,
            }
            parsed = self._parser.parse(response, self._output)
        except read_answer.UNREADABLE as error:
            return read_answer.lost(f"unreadable answer: {type(error).__name__}")
        code, text = read_answer.code_and_text(parsed)
        return read_answer.answered(
            code, answer.status, text, mail=mail, settings=self._settings
        )


def _message_id(body: bytes) -> object:
    if plain := _PLAIN_ANSWER.fullmatch(body):
        return plain[1].decode()
    if not is_shallow(body):
        return None
    try:
        found = json.loads(body.decode())
    except ValueError:
        return None
    return found.get("MessageId") if isinstance(found, dict) else None
