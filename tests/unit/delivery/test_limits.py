"""A template's limit per recipient: who counts, when, and what waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.delivery.limits import LimitedDelivery
from relay.model.mail import Choice, Mail, Prepared
from relay.model.note import Limit, counted
from relay.model.reply import Reply
from relay.model.submission import Envelope, Submission, new_id
from relay.observe.events import Event, Events, NotTaken
from relay.queue import Notes
from relay.queue.memory_notes import MemoryNotes
from relay.queue.sqlite import open_spool

OK = Reply(250, "0.0", "Ok 0100")
BAD = Reply(554, "6.0", "Message rejected: Bad")
TOO_MANY = "450 4.7.1 Too many SignIn mails to this recipient"


class Clock:
    """A time that goes on when a test says so."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


class Inner:
    """A delivery that answers when a test says what, and notes what it took."""

    def __init__(self, notes: Notes, *answers: Reply) -> None:
        self.notes = notes
        self.answers = list(answers)
        self.calls: list[asyncio.Future[Reply]] = []
        self._asked = asyncio.Event()

    async def called(self, number: int) -> None:
        """Wait until that many calls were made that a test has to answer."""
        while len(self.calls) < number:
            self._asked.clear()
            await self._asked.wait()

    async def deliver(
        self,
        submission: Submission,
        prepared: Prepared,
        *,
        started: float,
        left: Callable[[], bool],
    ) -> Reply:
        if self.answers:
            reply = self.answers.pop(0)
        else:
            call: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
            self.calls.append(call)
            self._asked.set()
            reply = await call
        note = prepared.note(submission.id, reply)
        if note is not None:
            await self.notes.note(note)
        return reply

    def stop_within(self, seconds: float) -> None:
        """Nothing to stop."""


class Relay:
    def __init__(self, notes: Notes, *answers: Reply) -> None:
        self.notes = notes
        self.inner = Inner(notes, *answers)
        self.events: list[Event] = []
        self.delivery = LimitedDelivery(
            self.inner, notes=notes, events=Events([self.events.append])
        )

    async def send(
        self, *to: str, number: int = 1, seconds: float = 60.0, drops: bool = False
    ) -> str:
        to = to or ("ann@example.com",)
        limit = Limit("SignIn", counted(to), number, seconds, drops)
        mail = Mail(Envelope("a@b.example", to), b"\r\nx", choice=Choice("SignIn"))
        submission = Submission(new_id(), mail.envelope, b"x")
        reply = await self.delivery.deliver(
            submission,
            Prepared((mail,), limit=limit),
            started=0.0,
            left=lambda: False,
        )
        return str(reply)


async def test_so_many_pass_and_no_more(notes: Notes) -> None:
    relay = Relay(notes, OK, OK, OK)
    said = [await relay.send(number=2) for _ in range(4)]
    assert said == [str(OK), str(OK), TOO_MANY, TOO_MANY]
    assert [e.why for e in relay.events if isinstance(e, NotTaken)] == ["refused"] * 2
    assert await relay.send("bob@example.com", number=2) == str(OK)


async def test_above_it_a_mail_is_dropped_where_the_template_says_so(
    notes: Notes,
) -> None:
    relay = Relay(notes, OK)
    await relay.send(drops=True)
    said = await relay.send(drops=True)
    (event,) = relay.events
    assert isinstance(event, NotTaken)
    assert event.why == "dropped"
    assert said == f"250 2.0.0 dropped as {event.id}"


async def test_a_person_is_one_whatever_the_case_and_the_tag(notes: Notes) -> None:
    relay = Relay(notes, OK)
    await relay.send("Ann+shop@Example.com")
    assert await relay.send("aNN@example.COM") == TOO_MANY


async def test_each_recipient_counts_and_one_above_its_limit_refuses_all(
    notes: Notes,
) -> None:
    relay = Relay(notes, OK, OK)
    await relay.send("ann@example.com", "bob@example.com")
    assert await relay.send("eve@example.com", "bob@example.com") == TOO_MANY
    assert await relay.send("eve@example.com") == str(OK)


async def test_what_is_refused_by_anybody_counts_for_nobody(notes: Notes) -> None:
    relay = Relay(notes, BAD, OK)
    assert await relay.send() == str(BAD)
    assert await relay.send() == str(OK)
    for _ in range(3):
        assert await relay.send() == TOO_MANY


async def test_of_two_at_once_the_second_waits_for_what_the_first_comes_to(
    notes: Notes,
) -> None:
    relay = Relay(notes)
    first = asyncio.create_task(relay.send())
    await relay.inner.called(1)
    second = asyncio.create_task(relay.send())
    other = asyncio.create_task(relay.send("bob@example.com"))
    await relay.inner.called(2)  # the other one's; nobody waits in its way
    assert not second.done()
    relay.inner.calls[1].set_result(OK)
    assert await other == str(OK)
    relay.inner.calls[0].set_result(BAD)
    assert await first == str(BAD)
    await relay.inner.called(3)
    relay.inner.calls[2].set_result(OK)
    assert await second == str(OK)


async def test_of_many_at_once_no_more_than_the_limit_are_attempted(
    notes: Notes,
) -> None:
    relay = Relay(notes)
    all_ = [asyncio.create_task(relay.send(number=3)) for _ in range(10)]
    await relay.inner.called(3)
    for call in relay.inner.calls:
        call.set_result(OK)
    said = await asyncio.gather(*all_)
    assert said == [str(OK)] * 3 + [TOO_MANY] * 7
    assert len(relay.inner.calls) == 3


async def test_a_cancelled_mail_counts_for_nobody() -> None:
    relay = Relay(MemoryNotes(now=Clock()))
    first = asyncio.create_task(relay.send())
    await relay.inner.called(1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    relay.inner.answers = [OK]
    assert await relay.send() == str(OK)
    assert relay.delivery._under_way == {}


async def test_the_window_goes_on_by_itself_and_refused_tries_do_not_move_it() -> None:
    clock = Clock()
    relay = Relay(MemoryNotes(now=clock), *[OK] * 9)
    said = []
    for at in (0, 30, 59, 60, 89, 90, 119):
        clock.at = 1000.0 + at
        said.append(await relay.send(number=2))
    assert said == [str(OK), str(OK), TOO_MANY, str(OK), TOO_MANY, str(OK), TOO_MANY]


async def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    clock = Clock()
    notes = MemoryNotes(now=clock, most=100)
    relay = Relay(notes, *[OK] * 301)
    for number in range(150):
        await relay.send(f"{number}@example.com")
    assert len(notes) == 100
    assert await relay.send("149@example.com") == TOO_MANY
    assert await relay.send("0@example.com") == str(OK)
    clock.at += 61
    await relay.send("new@example.com")
    assert len(notes) == 1


async def test_the_spool_knows_after_a_restart_and_forgets_when_it_may(
    tmp_path: Path,
) -> None:
    async def send(seconds: float) -> str:
        async with open_spool(tmp_path / "s.db", keep_sent=1, keep_failed=1) as queue:
            relay = Relay(queue.notes, OK)
            said = await relay.send(seconds=seconds)
            await queue.notes.forget(limit=1)
            return said

    assert [await send(1000), await send(1000)] == [str(OK), TOO_MANY]
    assert await send(0.001) == str(OK)
    assert await send(1000) == TOO_MANY


@given(
    st.lists(st.tuples(st.floats(0.0, 50.0), st.booleans()), max_size=40),
    st.integers(1, 4),
)
def test_in_no_window_have_more_passed_than_the_limit(
    tries: list[tuple[float, bool]], number: int
) -> None:
    async def run() -> None:
        clock = Clock()
        relay = Relay(MemoryNotes(now=clock))
        passed: list[float] = []
        for wait, taken in tries:
            clock.at += wait
            relay.inner.answers = [OK if taken else BAD]
            said = await relay.send(number=number)
            recent = [at for at in passed if at > clock.at - 60.0]
            assert (said == TOO_MANY) == (len(recent) >= number)
            if said == str(OK):
                passed.append(clock.at)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("address", "person"),
    [
        ("Ann.Lee@Example.COM", "ann.lee@example.com"),
        ("ann+a+b@example.com", "ann@example.com"),
        ("+a@example.com", "+a@example.com"),
        ("root", "root"),
    ],
)
def test_who_is_counted(address: str, person: str) -> None:
    assert counted([address, address]) == (person,)
