"""What the client is told, with SES replaced at its seam."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from relay.delivery.detour import Detour
from relay.delivery.immediate import ImmediateDelivery, Route
from relay.delivery.limits import LimitedDelivery
from relay.delivery.line import Line
from relay.delivery.once import OnceDelivery
from relay.delivery.pace import Pace
from relay.intake.accept import Intake
from relay.intake.large_mail import LargeMailLimit
from relay.intake.prepare import Preparation
from relay.model.mail import Mail, Prepared
from relay.model.outcome import (
    Accepted,
    Deferred,
    Outcome,
    Rejected,
    When,
)
from relay.model.replies import (
    INTERNAL,
    NO_ROOM,
    SHUTTING_DOWN,
    TOO_FAST,
    TOO_MANY_CALLS,
)
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId, Order, Submission
from relay.observe.events import (
    Answered,
    Attempted,
    Event,
    Events,
    NotTaken,
)
from relay.queue.memory_notes import MemoryNotes
from relay.system.threads import Threads
from relay.templates.catalog import Templates
from relay.templates.source import Source

CONTENT = b"From: a@b.example\r\nSubject: x\r\n\r\nhello\r\n"
THROTTLED = Deferred(Reply(454, "4.5", "slowly"), When.SOON, again=True)
LOST = Deferred(Reply(451, "4.2", "lost"), When.UNSEEN, maybe_sent=True)


class Scripted:
    """A transport that answers as told, one after the other; the last repeats."""

    def __init__(
        self, outcomes: Sequence[Outcome | Exception], seconds: float = 0
    ) -> None:
        self.outcomes = list(outcomes)
        self.seconds = seconds
        self.at: list[float] = []
        self.mails: list[Mail] = []

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        self.at.append(asyncio.get_running_loop().time())
        self.mails.append(mail)
        await asyncio.sleep(self.seconds)
        outcome = self.outcomes[min(len(self.at), len(self.outcomes)) - 1]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def at_hand(self, mail: Mail) -> bool:
        return False


def intake_over(
    transport: Scripted,
    *,
    answer_within: float = 3,
    concurrency: int = 5,
    pace: Pace | None = None,
) -> tuple[Intake, list[Event]]:
    seen: list[Event] = []
    events = Events([seen.append])
    delivery = direct(
        transport,
        events,
        answer_within=answer_within,
        concurrency=concurrency,
        pace=pace,
    )
    return built(delivery, events, answer_within=answer_within), seen


def direct(
    transport: Scripted,
    events: Events,
    *,
    answer_within: float = 3,
    concurrency: int = 5,
    pace: Pace | None = None,
) -> ImmediateDelivery:
    pace = pace or Pace()
    route = Route(
        "", transport, pace, Line(pace, concurrency), lambda mail: 1, Detour([30])
    )
    return ImmediateDelivery(
        routes=[route],
        events=events,
        answer_within=answer_within,
        notes=MemoryNotes(now=time.monotonic),
    )


def recalling(delivery: ImmediateDelivery, events: Events) -> OnceDelivery:
    notes = MemoryNotes(now=time.monotonic)
    limited = LimitedDelivery(delivery, notes=notes, events=events)
    return OnceDelivery(limited, notes=notes, events=events)


def built(
    delivery: ImmediateDelivery, events: Events, *, answer_within: float = 3
) -> Intake:
    return Intake(
        preparation=Preparation(templates=Templates(())),
        delivery=delivery,
        recalling=recalling(delivery, events),
        events=events,
        answer_within=answer_within,
        large_mail=LargeMailLimit(3_000_000),
        threads=Threads("test", 4),
    )


def answered(seen: Sequence[Event]) -> Answered:
    (event,) = [event for event in seen if isinstance(event, Answered)]
    return event


def submission(content: bytes = CONTENT) -> Submission:
    return Submission(MailId("k3"), Envelope("a@b.example", ("c@d.example",)), content)


async def test_the_reply_carries_the_message_id_of_ses() -> None:
    intake, seen = intake_over(Scripted([Accepted("010f-1")]))
    assert str(await intake.accept(submission())) == "250 2.0.0 Ok 010f-1"
    event = answered(seen)
    assert (event.attempts, event.mails[0].content) == (1, CONTENT)
    assert [type(event) for event in seen] == [Attempted, Answered]


async def test_trap_3_what_ses_refused_is_never_a_250() -> None:
    reply = Reply(554, "6.0", "Message rejected: no")
    intake, _ = intake_over(Scripted([Rejected(reply)]))
    assert await intake.accept(submission()) == reply


async def test_throttling_is_tried_again_after_half_a_second_then_a_second() -> None:
    transport = Scripted([THROTTLED, THROTTLED, Accepted("1")])
    intake, seen = intake_over(transport)
    assert str(await intake.accept(submission())) == "250 2.0.0 Ok 1"
    gaps = [b - a for a, b in zip(transport.at, transport.at[1:], strict=False)]
    # At least: a busy machine makes them longer.
    assert [gap >= least for gap, least in zip(gaps, (0.5, 1.0), strict=True)] == [
        *(True, True)
    ]
    assert answered(seen).attempts == 3


async def test_no_attempt_starts_after_answer_within() -> None:
    transport = Scripted([THROTTLED])
    intake, _ = intake_over(transport, answer_within=1.4)
    assert await intake.accept(submission()) == THROTTLED.reply
    assert len(transport.at) == 2


async def test_trap_21_an_unseen_end_is_not_tried_again() -> None:
    transport = Scripted([LOST])
    intake, _ = intake_over(transport)
    assert await intake.accept(submission()) == LOST.reply
    assert len(transport.at) == 1


async def test_a_bug_in_the_transport_is_a_451_that_may_have_been_sent() -> None:
    intake, seen = intake_over(Scripted([KeyError("secret")]))
    assert await intake.accept(submission()) == INTERNAL
    outcome = answered(seen).outcome
    assert isinstance(outcome, Deferred)
    assert outcome.maybe_sent


async def test_a_call_that_is_not_free_in_time_is_a_451() -> None:
    transport = Scripted([Accepted("1")], seconds=0.5)
    intake, _ = intake_over(transport, answer_within=0.2, concurrency=1)
    first = asyncio.create_task(intake.accept(submission()))
    await asyncio.sleep(0)
    assert await intake.accept(submission()) == TOO_MANY_CALLS
    assert (await first).code == 250
    assert len(transport.at) == 1


async def test_mail_waits_for_the_pace_and_hears_of_throttling_when_it_cannot() -> None:
    transport = Scripted([Accepted("1")])
    intake, _ = intake_over(transport, answer_within=0.5, pace=Pace(4.0, burst=1.0))
    replies = [await intake.accept(submission()) for _ in range(2)]
    assert [reply.code for reply in replies] == [250, 250]
    assert 0.2 < transport.at[1] - transport.at[0] < 0.4
    many = await asyncio.gather(*(intake.accept(submission()) for _ in range(4)))
    assert TOO_FAST in many
    # SES was not asked, so it is not SES that throttles; clients know the beginning.
    said = str(TOO_FAST)
    assert said.startswith("454 4.4.5 Throttling failure: The relay's own pace")
    assert "Maximum sending rate exceeded" not in said


async def test_after_the_signal_no_attempt_starts_that_could_not_end() -> None:
    transport = Scripted([Accepted("1")])
    events = Events([])
    delivery = direct(transport, events)
    intake = built(delivery, events)
    delivery.stop_within(2)
    assert (await intake.accept(submission())).code == 250
    delivery.stop_within(0.5)
    assert await intake.accept(submission()) == SHUTTING_DOWN
    assert len(transport.at) == 1


async def test_a_refused_submission_is_told_and_not_attempted() -> None:
    transport = Scripted([Accepted("1")])
    intake, seen = intake_over(transport)
    twice = b"X-Relay-Usage: a\r\nX-Relay-Usage: b\r\n" + CONTENT
    reply = await intake.accept(submission(twice))
    assert (reply.code, "X-Relay-Usage" in reply.text) == (550, True)
    assert [type(event) for event in seen] == [NotTaken]
    assert not transport.at


async def test_a_broken_observer_fails_no_mail() -> None:
    def broken(event: Event) -> None:
        raise ValueError(event.id)

    events = Events([broken])
    intake = built(direct(Scripted([Accepted("1")]), events), events)
    assert (await intake.accept(submission())).code == 250


@pytest.mark.parametrize("text", ["a\r\n250 forged", "é", "\x00"])
def test_a_reply_is_one_line_of_printable_ascii(text: str) -> None:
    with pytest.raises(ValueError, match="not a reply text"):
        Reply(550, "6.0", text)


async def test_large_mails_are_worked_on_within_the_room_and_wait_for_it() -> None:
    large = CONTENT + b"x" * 998 + b"\r\n" + (b"x" * 98 + b"\r\n") * 20_000
    transport = Scripted([Accepted("1")], seconds=0.2)
    intake, _ = intake_over(transport)
    replies = await asyncio.gather(
        *(intake.accept(submission(large)) for _ in range(3))
    )
    assert [reply.code for reply in replies] == [250, 250, 250]
    gaps = [b - a for a, b in zip(transport.at, transport.at[1:], strict=False)]
    assert min(gaps) >= 0.2  # 2 MB each, 3 MB in all: one at a time


async def test_a_large_mail_that_finds_no_room_in_time_is_a_452() -> None:
    large = CONTENT + (b"x" * 98 + b"\r\n") * 20_000
    transport = Scripted([Accepted("1")], seconds=0.5)
    intake, seen = intake_over(transport, answer_within=0.1)
    first = asyncio.create_task(intake.accept(submission(large)))
    await asyncio.sleep(0)
    assert await intake.accept(submission(large)) == NO_ROOM
    assert (await intake.accept(submission())).code == 250  # a small one needs no room
    assert (await first).code == 250
    kinds = [type(event) for event in seen if not isinstance(event, Attempted)]
    assert kinds == [NotTaken, Answered, Answered]


class BreaksOn(Preparation):
    """A preparation with a bug: it breaks on mail, on what is done plainly as well."""

    def __init__(
        self, error: Exception, *, templates: Templates, plainly_too: bool = False
    ) -> None:
        super().__init__(templates=templates)
        self.error, self.plainly_too = error, plainly_too

    def prepare(self, submission: Submission, *, plainly: bool = False) -> Prepared:
        if not plainly or self.plainly_too:
            raise self.error
        return super().prepare(submission, plainly=plainly)


def with_bug(
    error: Exception, *, plainly_too: bool = False
) -> tuple[Intake, Scripted, list[Event]]:
    seen: list[Event] = []
    events = Events([seen.append])
    transport = Scripted([Accepted("1")])
    source = Source("SignIn", "Code", "<p>{{code}}</p>")
    intake = Intake(
        preparation=BreaksOn(
            error, templates=Templates([source]), plainly_too=plainly_too
        ),
        delivery=(delivery := direct(transport, events)),
        recalling=recalling(delivery, events),
        events=events,
        answer_within=3,
        large_mail=LargeMailLimit(3_000_000),
        threads=Threads("test", 4),
    )
    return intake, transport, seen


@pytest.mark.parametrize("size", [10, 1_200_000])
async def test_what_preparing_breaks_on_goes_as_it_is_without_control_headers(
    size: int, caplog: pytest.LogCaptureFixture
) -> None:
    intake, transport, _ = with_bug(UnicodeError("the code 123456"))
    body = b"\r\ngr\xfc\xdfe " + (b"x" * 98 + b"\r\n") * (size // 100)
    bcc = b"Bcc: hidden@d.example\r\nX-Relay-Variable-code: 123456\r\n"
    reply = await intake.accept(submission(bcc + CONTENT[:-9] + body))
    assert str(reply) == "250 2.0.0 Ok 1"
    assert [mail.content for mail in transport.mails] == [CONTENT[:-9] + body]
    (record,) = caplog.records
    fields = record.__dict__["fields"]
    assert (record.levelname, record.getMessage()) == ("ERROR", "preparing broken")
    assert (fields["id"], fields["error"]) == ("k3", "UnicodeError")
    assert "123456" not in str(fields)


@pytest.mark.parametrize("headers", [b"X-Relay-Usage: SignIn\r\n", b""])
async def test_what_cannot_go_as_it_is_is_refused_for_good_and_told(
    headers: bytes,
) -> None:
    intake, transport, seen = with_bug(KeyError("x"), plainly_too=not headers)
    reply = await intake.accept(submission(headers + CONTENT))
    assert str(reply) == "554 5.6.0 The relay cannot make sense of this mail"
    assert [type(event) for event in seen] == [NotTaken]
    assert not transport.mails


async def test_an_order_that_preparing_breaks_on_is_refused_for_good() -> None:
    intake, _, _ = with_bug(KeyError("x"))
    order = Order("SignIn", {"code": "1"})
    envelope = Envelope(None, ("c@d.example",))
    asked = Submission(MailId("k3"), envelope, b"", order=order)
    assert (await intake.accept(asked)).code == 554


@pytest.mark.parametrize("error", [MemoryError(), OSError(24, "x"), ImportError("x")])
async def test_what_passes_by_itself_is_no_fault_of_the_mail(error: Exception) -> None:
    intake, _, _ = with_bug(error)
    with pytest.raises(type(error)):  # which the session answers with 451
        await intake.accept(submission())


ODD_PARAMETERS = [
    b"Content-Disposition: attachment; filename*=idna''x.txt",
    b"Content-Disposition: attachment; filename*=undefined''x",
    b"Content-Disposition: attachment; filename*=a\x00b''x",
    b"Content-Type: text/plain; charset=a\x00b",
    b"Content-Type: text/plain; charset*=idna''x",
    b"Content-Type: text/plain; charset=undefined",
    b"Content-Type: text/plain; name*0*=punycode''x; name*1*=%FF",
    b"Subject: =?idna?q?x.=FF?= =?a\x00b?q?x?= =?undefined?b?eA==?=",
]


@pytest.mark.parametrize("usage", ["", "Wrap"])
@pytest.mark.parametrize("field", ODD_PARAMETERS)
async def test_odd_charsets_and_parameters_pass(field: bytes, usage: str) -> None:
    seen: list[Event] = []
    events = Events([seen.append])
    source = Source("Wrap", "{{message.subject}}", "{{message.html}}")
    intake = Intake(
        preparation=Preparation(templates=Templates([source])),
        delivery=(delivery := direct(Scripted([Accepted("1")]), events)),
        recalling=recalling(delivery, events),
        events=events,
        answer_within=3,
        large_mail=LargeMailLimit(3_000_000),
        threads=Threads("test", 4),
    )
    part = b"--b\r\n" + field + b"\r\n\r\nh\xc3\xa9llo\r\n"
    multipart = b"Content-Type: multipart/mixed; boundary=b\r\n"
    for content in (
        field + b"\r\n" + CONTENT + b"h\xc3\xa9llo\r\n",
        multipart + CONTENT + part + b"--b--\r\n",
    ):
        asked = replace(submission(content), usage=usage)
        reply = await intake.accept(asked)
        assert reply.code in (250, 550, 554)
        if not usage:
            assert reply.code == 250
