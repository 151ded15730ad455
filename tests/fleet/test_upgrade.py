"""What other releases wrote: version 1 byte for byte, and what comes later."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relay.fleet import hint as hints
from relay.fleet import keys
from relay.model.job import Job, Sending
from relay.model.mail import Choice, Mail, Priority, SendOptions
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId
from tests.fleet.emulators import Emulator
from tests.fleet.jobs import MUCH
from tests.fleet.patient import PatientQueue, patient_queue

# As the first release with such a queue wrote them. Never changed: mail that waits in
# somebody's bucket is of these bytes.
CONTENT = b"From: app@a.example\r\n\r\nhello \x00\xff\r\n"
HEAD = (
    b'"sender": "app@a.example", "recipients": ["ann@b.example"], "options": '
    b'{"configuration_set": "transactional", "tags": [["team", "web"]]}, "choice": '
    b'{"usage": "SignIn", "template": "SignIn"}, "usage": "SignIn", "account": "", '
    b'"priority": 0, "acceptedAt": 1795894950.5, "expiresAt": 4102444800.0, '
    b'"sendAt": null, "report": false, "size": 33, '
)
QUEUED = (
    b'"state": {"v": 1, "state": "queued", "attempts": 0, "maybe": false, '
    b'"takeovers": 0, "due": 1795894950.5, "last": null, "at": 1795894950.7, '
    b'"lease": 0.0, "by": "", "expiresAt": null}}\n'
)
RECORD = (
    b'{"v": 1, "id": "0f3k9c2m7x1a", "n": 0, "calls": 1, '
    + HEAD
    + b'"shared": false, '
    + QUEUED
    + CONTENT
)
ONE_OF_TWO = (
    b'{"v": 1, "id": "0f3k9c2m7x1a", "n": 1, "calls": 2, '
    + HEAD
    + b'"shared": true, '
    + QUEUED
)
STATE = (
    b'{"v": 1, "state": "queued", "attempts": 1, "maybe": false, "takeovers": 0, '
    b'"due": 1795894956.1, "last": "454 4.4.5 Throttling failure: Maximum sending rate '
    b'exceeded", "at": 1795894951.0, "lease": 0.0, "by": "0011223344556677", '
    b'"expiresAt": null}'
)
LEFT = (
    b'{"v": 1, "state": "sending", "attempts": 1, "maybe": false, "takeovers": 0, '
    b'"due": null, "last": null, "at": 1795894951.0, "lease": -1.0, '
    b'"by": "0011223344556677", "expiresAt": null}'
)
HINT = (
    '{"v": 1, "job": "0f3k9c2m7x1a.%d", "size": 33, "etag": "%s", "attempts": %d, '
    '"due": 1795894956.1, "maybe": false, "begun": false, "last": %s, "account": "", '
    '"priority": 0, "takeovers": 0, "expiresAt": null, "usage": "SignIn"}'
)
THROTTLED = Reply(454, "4.5", "Throttling failure: Maximum sending rate exceeded")
MAIL = Mail(
    Envelope("app@a.example", ("ann@b.example",)),
    CONTENT,
    SendOptions(configuration_set="transactional", tags=(("team", "web"),)),
    Choice("SignIn", "SignIn", priority=Priority.HIGH),
)


@pytest.fixture
async def queue(emulator: Emulator) -> AsyncIterator[PatientQueue]:
    async with patient_queue(emulator.place()) as found:
        yield found


async def claimed(queue: PatientQueue) -> Job:
    """The one job that can be sent, its times as the bucket has them."""
    (claim,) = await queue.claim(9, size=MUCH)
    job = claim.job
    assert queue.unix(job.accepted_at) == pytest.approx(1795894950.5)
    assert queue.unix(job.expires_at) == pytest.approx(4102444800.0)
    return job


async def test_mail_of_version_1_that_waits_is_sent(queue: PatientQueue) -> None:
    await queue.bucket.put(keys.mail_key("0f3k9c2m7x1a.0"), RECORD)
    tag = await queue.bucket.put(keys.state_key("0f3k9c2m7x1a.0"), STATE)
    assert tag is not None
    said = '"454 4.4.5 Throttling failure: Maximum sending rate exceeded"'
    text = HINT % (0, tag.replace('"', r"\""), 1, said)
    await queue.bell.send(text, delay=0, group="SignIn")
    job = await claimed(queue)
    assert (job.id, job.number, job.mail) == (MailId("0f3k9c2m7x1a"), 0, MAIL)
    assert job.state == Sending(2, last=THROTTLED)


async def test_mail_of_version_1_without_a_state_is_sent(queue: PatientQueue) -> None:
    await queue.bucket.put(keys.mail_key("0f3k9c2m7x1a.0"), RECORD)
    await queue.bell.send(HINT % (0, "", 0, "null"), delay=0, group="SignIn")
    assert (await claimed(queue)).state == Sending(1)


async def test_an_attempt_of_version_1_is_taken_over_and_marked(
    queue: PatientQueue,
) -> None:
    await queue.bucket.put(keys.mail_key("0f3k9c2m7x1a.0"), RECORD)
    await queue.bucket.put(keys.state_key("0f3k9c2m7x1a.0"), LEFT)
    await queue.bell.send(HINT % (0, "", 0, "null"), delay=0, group="SignIn")
    assert (await claimed(queue)).state == Sending(2, maybe_sent=True)


async def test_one_call_of_several_of_version_1_is_sent_with_their_content(
    queue: PatientQueue,
) -> None:
    await queue.bucket.put(keys.content_key("0f3k9c2m7x1a"), CONTENT)
    await queue.bucket.put(keys.mail_key("0f3k9c2m7x1a.1"), ONE_OF_TWO)
    await queue.bell.send(HINT % (1, "", 0, "null"), delay=0, group="SignIn")
    job = await claimed(queue)
    assert (job.number, job.mail) == (1, MAIL)


@pytest.mark.parametrize("what", ["hint", "record", "state"])
async def test_whatever_a_later_release_wrote_is_left_as_it_is(
    queue: PatientQueue,
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    def later(found: bytes, name: str) -> bytes:
        return found.replace(b'"v": 1', b'"v": 2', 1) if what == name else found

    record, state = later(RECORD, "record"), later(LEFT, "state")
    mail, stands = keys.mail_key("0f3k9c2m7x1a.0"), keys.state_key("0f3k9c2m7x1a.0")
    await queue.bucket.put(mail, record)
    if what == "state":
        await queue.bucket.put(stands, state)
    hint = later((HINT % (0, "", 0, "null")).encode(), "hint")
    await queue.bell.send(hint.decode(), delay=0, group="SignIn")
    assert await queue.claim(9, size=MUCH) == []
    await queue.quiet()
    found = await queue.bucket.get(mail)
    assert found is not None
    assert found.body == record
    left = await queue.bucket.get(stands)
    assert (left.body if left else None) == (state if what == "state" else None)
    assert (await queue.bell.counts()).hidden == 1  # and comes again
    assert [one.message for one in caplog.records].count("left alone") == 1


def test_a_hint_of_version_1_holds_what_it_held() -> None:
    assert hints.read(HINT % (0, "", 3, "null")) == hints.Hint(
        "0f3k9c2m7x1a.0",
        33,
        1795894956.1,
        attempts=3,
        priority=Priority.HIGH,
        usage="SignIn",
    )
