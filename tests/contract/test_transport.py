"""What every transport does: SES' call, and the inbox of capture mode."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from relay.capture.inbox import Captured, Inbox
from relay.capture.transport import CaptureTransport
from relay.delivery.transport import Transport
from relay.model.mail import Mail
from relay.model.outcome import Accepted, Deferred, Effect, Outcome
from relay.model.submission import Envelope, MailId
from relay.ses import error_table
from relay.ses.client_settings import ClientSettings
from relay.ses.open import open_ses
from relay.ses.parameters import RequestSettings
from relay.ses.sdk_client import connect
from relay.ses.send import DirectTransport
from relay.ses.send_by_sdk import SdkTransport
from relay.system.handover import Wait, driven, resumed
from tests.fake_ses import Answer, FakeSes, error

CONTENT = (
    b"From: a@a.example\r\nSubject: =?utf-8?b?w4l0w6k=?=\r\n folded\r\n\r\nhi \xe9\r\n"
)
MAIL = Mail(Envelope("app@a.example", ("b@b.example", "c@c.example")), CONTENT)
SETTINGS = RequestSettings(configuration_set="news")


@dataclass
class Side:
    """A transport, how to make it fail in a way, and what it took over."""

    transport: Transport
    fail: Callable[[str], Mail]
    taken: Callable[[], list[bytes]]


UNVERIFIED = "Email address is not verified: unverified@relay.test"

SCRIPTS = {
    "throttle": error("TooManyRequestsException", 429, "Maximum sending rate exceeded"),
    "quota": error("LimitExceededException", 400, "Daily message quota exceeded."),
    "paused": error("SendingPausedException"),
    "suspended": error("AccountSuspendedException"),
    "reject": error("MessageRejected", 400, "Bad content."),
    "unverified": error("MessageRejected", 400, UNVERIFIED),
    "denied": error("AccessDeniedException", 403),
    "toolarge": Answer(413),
    "timeout": Answer(then="hang"),
    "reset": Answer(then="reset"),
    "error": Answer(500),
}


@asynccontextmanager
async def ses_at(url: str, way: str) -> AsyncIterator[Transport]:
    access = ClientSettings(
        access_key_id="AKIAFAKE",
        access_key_secret="fake-secret",
        region="eu-west-1",
        endpoint_url=url,
        connect_timeout=2.5,
        attempt_timeout=3,
    )
    if way == "direct":
        async with open_ses(access) as ses:
            transport = ses.transport(SETTINGS)
            assert isinstance(transport, DirectTransport)
            yield transport
        return
    async with connect(access) as connection:
        yield SdkTransport(connection, settings=SETTINGS, attempt_timeout=3)


@pytest.fixture(params=["direct", "plain", "capture"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    if request.param == "capture":
        inbox = Inbox()
        yield Side(
            CaptureTransport(inbox, settings=SETTINGS, captured=lambda captured: None),
            lambda way: replace(
                MAIL, envelope=Envelope(None, ("b@b.example", f"{way}@relay.test"))
            ),
            lambda: [captured.mail.content for captured in inbox.snapshot()],
        )
        return
    async with FakeSes() as fake, ses_at(fake.url, request.param) as transport:

        def fail(way: str) -> Mail:
            fake.answers.append(SCRIPTS[way])
            return MAIL

        yield Side(transport, fail, lambda: [call.mail for call in fake.sent])


async def test_an_accepted_mail_is_taken_over_byte_for_byte(side: Side) -> None:
    outcome = await side.transport.send(MAIL, MailId("k3v9"))
    assert isinstance(outcome, Accepted)
    assert outcome.message_id
    assert side.taken() == [CONTENT]


# way -> reply, may have been sent
FAILURES = {
    "throttle": ("454 4.4.5 Throttling failure: Maximum sending rate exceeded", False),
    "quota": ("454 4.3.2 Throttling failure: Daily message quota exceeded", False),
    "paused": ("454 4.3.2 Sending paused", False),
    "suspended": ("554 5.7.1 Message rejected: sending suspended", False),
    "reject": ("554 5.6.0 Message rejected: Bad content.", False),
    "unverified": (
        f"554 5.7.1 Message rejected: {UNVERIFIED}",
        False,
    ),
    "denied": ("554 5.7.1 Access denied", False),
    "toolarge": ("552 5.3.4 Message is too long", False),
    "timeout": (str(error_table.LOST.reply), True),
    "reset": (str(error_table.LOST.reply), True),
    "error": ("451 4.3.0 Temporary service failure", True),
}


def shown(outcome: Outcome) -> tuple[str, bool]:
    assert not isinstance(outcome, Accepted)
    maybe_sent = isinstance(outcome, Deferred) and outcome.maybe_sent
    return str(outcome.reply), maybe_sent


@pytest.mark.parametrize("way", FAILURES)
async def test_a_failure_is_an_outcome_with_the_same_reply(
    side: Side, way: str
) -> None:
    outcome = await side.transport.send(side.fail(way), MailId("k3v9"))
    assert shown(outcome) == FAILURES[way]


async def test_after_a_failure_the_next_mail_passes(side: Side) -> None:
    await side.transport.send(side.fail("error"), MailId("1"))
    assert isinstance(await side.transport.send(MAIL, MailId("2")), Accepted)


# In the task of who waits, where all that it needs is at hand.


class Watch:
    """Gives up a wait when a test says so."""

    def __init__(self) -> None:
        self.waits: list[Wait] = []
        self.waiting = asyncio.Event()

    def begin(self, wait: Wait, until: float) -> None:
        self.waits.append(wait)
        self.waiting.set()

    def end(self, wait: Wait) -> None:
        self.waits.remove(wait)


class Waiter:
    """Drives one attempt; what it came to, and in which task."""

    def __init__(self, transport: Transport, mail: Mail) -> None:
        self.watch = Watch()
        self.outcome: Outcome | None = None
        self.ended_in: asyncio.Task[object] | None = None
        self.rest: asyncio.Task[None] | None = None
        self.task = asyncio.create_task(self._wait(transport, mail))

    async def _wait(self, transport: Transport, mail: Mail) -> None:
        attempt = self._attempt(transport, mail)
        if await driven(attempt, self.watch, 0.0) is None:
            self.rest = asyncio.create_task(self._go_on(attempt))

    async def _attempt(self, transport: Transport, mail: Mail) -> Outcome:
        self.outcome = await transport.send(mail, MailId("k3v9"))
        self.ended_in = asyncio.current_task()
        return self.outcome

    async def _go_on(self, attempt: Coroutine[object, object, Outcome]) -> None:
        await resumed(attempt)

    async def ended(self) -> Outcome:
        await self.task
        if self.rest is not None:
            await self.rest
        assert self.outcome is not None
        return self.outcome


async def connected(side: Side) -> bool:
    """After a first mail; tell whether the next would wait for its answer alone."""
    assert isinstance(await side.transport.send(MAIL, MailId("1")), Accepted)
    return side.transport.at_hand(MAIL)


@pytest.mark.parametrize("side", ["direct"], indirect=True)
async def test_without_a_connection_or_in_pieces_nothing_is_at_hand(side: Side) -> None:
    assert not side.transport.at_hand(MAIL)
    large = replace(MAIL, content=CONTENT + b"x" * 600_000)
    assert await connected(side)
    assert not side.transport.at_hand(large)


async def test_what_is_at_hand_is_taken_in_the_task_that_waits(side: Side) -> None:
    if not await connected(side):
        assert isinstance(side.transport, SdkTransport)
        return
    waiter = Waiter(side.transport, MAIL)
    assert isinstance(await waiter.ended(), Accepted)
    assert waiter.ended_in is waiter.task
    assert len(side.taken()) == 2


@pytest.mark.parametrize("way", FAILURES)
async def test_what_is_at_hand_fails_with_the_same_reply(side: Side, way: str) -> None:
    if not await connected(side):
        assert isinstance(side.transport, SdkTransport)
        return
    waiter = Waiter(side.transport, side.fail(way))
    assert shown(await waiter.ended()) == FAILURES[way]
    if not isinstance(side.transport, CaptureTransport):
        # It may take longer from here on, and holds up nobody.
        assert waiter.ended_in is waiter.rest
    assert isinstance(await side.transport.send(MAIL, MailId("2")), Accepted)


async def test_an_answer_that_comes_after_the_wait_is_heard_elsewhere() -> None:
    answered = asyncio.Event()
    async with FakeSes(Answer(), Answer(after=answered)) as fake:
        async with ses_at(fake.url, "direct") as transport:
            await transport.send(MAIL, MailId("1"))
            waiter = Waiter(transport, MAIL)
            await waiter.watch.waiting.wait()
            waiter.watch.waits[0].give_up()
            await waiter.task
            assert waiter.outcome is None
            answered.set()
            assert isinstance(await waiter.ended(), Accepted)
            assert waiter.ended_in is waiter.rest
            assert transport.at_hand(MAIL)  # the connection was kept
        assert len(fake.sent) == 2


# What capture alone does.


def capture() -> tuple[CaptureTransport, Inbox, list[Captured]]:
    inbox, told = Inbox(), list[Captured]()
    return (
        CaptureTransport(
            inbox, settings=SETTINGS, captured=told.append, now=lambda: 5.0
        ),
        inbox,
        told,
    )


async def test_captured_mail_shows_its_subject_and_the_parameters_of_its_call() -> None:
    transport, inbox, told = capture()
    assert await transport.send(MAIL, MailId("k3v9")) == Accepted("k3v9")
    expected = Captured(
        MailId("k3v9"),
        5.0,
        MAIL,
        "Été folded",
        {
            "Destination": {"ToAddresses": ["b@b.example", "c@c.example"]},
            "ConfigurationSetName": "news",
        },
    )
    assert inbox.snapshot() == told == [expected]


@pytest.mark.parametrize(
    "recipient", ["Reject@Relay.Test", "reject+label@relay.test", "REJECT@relay.test"]
)
async def test_magic_recipients_are_found_in_any_case_and_with_labels(
    recipient: str,
) -> None:
    transport, inbox, told = capture()
    mail = replace(MAIL, envelope=Envelope(None, ("b@b.example", recipient)))
    outcome = await transport.send(mail, MailId("1"))
    assert shown(outcome) == FAILURES["reject"]
    assert inbox.snapshot() == told == []


@pytest.mark.parametrize(
    "recipient",
    ["reject@b.example", "rejected@relay.test", "x@relay.test", "reject@a.relay.test"],
)
async def test_other_recipients_are_not_magic(recipient: str) -> None:
    transport, inbox, _ = capture()
    mail = replace(MAIL, envelope=Envelope(None, (recipient,)))
    assert isinstance(await transport.send(mail, MailId("1")), Accepted)
    assert len(inbox.snapshot()) == 1


@pytest.mark.parametrize("way", FAILURES)
async def test_magic_recipients_set_off_neither_pause_nor_pace_nor_retries(
    way: str,
) -> None:
    transport, _, _ = capture()
    mail = replace(MAIL, envelope=Envelope(None, (f"{way}@relay.test",)))
    outcome = await transport.send(mail, MailId("1"))
    if isinstance(outcome, Deferred):
        assert (outcome.effect, outcome.again) == (Effect.NONE, False)


async def test_the_first_magic_recipient_decides_for_the_whole_call() -> None:
    transport, _, _ = capture()
    both = Envelope(None, ("reject@relay.test", "throttle@relay.test"))
    outcome = await transport.send(replace(MAIL, envelope=both), MailId("1"))
    assert shown(outcome) == FAILURES["reject"]
