"""Both ways to SES read the same answer the same, whatever it is."""

from __future__ import annotations

import itertools
from dataclasses import replace

from relay.model.mail import Mail
from relay.model.outcome import Accepted, Deferred, Outcome
from relay.model.submission import Envelope, MailId
from relay.ses import error_table
from relay.ses.client_settings import ClientSettings
from relay.ses.open import open_ses
from relay.ses.parameters import RequestSettings
from relay.ses.sdk_client import connect
from relay.ses.send import DirectTransport
from relay.ses.send_by_sdk import SdkTransport
from tests.fake_ses import Answer, FakeSes

MAIL = Mail(Envelope(None, ("b@b.example",)), b"From: a@a.example\r\n\r\nhi\r\n")
STATUSES = (200, 202, 204, 300, 301, 304, 400, 403, 408, 413, 429, 500, 503)
KINDS = (
    "",
    "MessageRejected",
    "MessageRejected:http://internal.amazon.com/x/",
    "com.amazonaws.ses#NotFoundException",
    "ExpiredTokenException",
)
BODIES = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b'"text"',
    b"not JSON",
    b"\xff\xfe",
    b"<html><body>503</body></html>",
    b'{"message": "Daily message quota exceeded"}',
    b'{"message": "Email address is not verified: \xc3\xa9@a.example"}',
    b'{"message": 5}',
    b'{"message": null}',
    b'{"Message": "x", "__type": "com.amazon.coral#ThrottlingException"}',
    b'{"__type": 5}',
    b'{"MessageId": "0100-a"}',
    b'{"MessageId": ["0100-a"]}',
)


def comparable(outcome: Outcome) -> Outcome:
    """Why nobody saw the end, each way says in its own words."""
    if isinstance(outcome, Deferred) and outcome.reply == error_table.LOST.reply:
        return replace(outcome, detail="")
    return outcome


async def test_whatever_ses_answers_comes_to_the_same_outcome_either_way() -> None:
    access = ClientSettings(
        access_key_id="AKIAFAKE", access_key_secret="fake-secret", region="eu-west-1"
    )
    settings = RequestSettings()
    async with FakeSes() as fake:
        access = replace(access, endpoint_url=fake.url)
        async with (
            connect(access) as connection,
            open_ses(access) as ses,
        ):
            direct = ses.transport(settings)
            assert isinstance(direct, DirectTransport)
            plain = SdkTransport(connection, settings=settings, attempt_timeout=5)
            wrong = []
            seen = set()
            for status, kind, body in itertools.product(STATUSES, KINDS, BODIES):
                if status in (204, 304) and body:
                    continue  # HTTP has no such thing
                script = Answer(status, kind, body=body)
                fake.answers.extend((script, script))
                ours = comparable(await direct.send(MAIL, MailId("1")))
                sdks = comparable(await plain.send(MAIL, MailId("2")))
                seen.add(
                    str(ours.message_id if isinstance(ours, Accepted) else ours.reply)
                )
                if ours != sdks:
                    wrong.append((status, kind, body, ours, sdks))
    assert wrong == []
    assert len(seen) > 10  # the outcomes are not all one and the same
