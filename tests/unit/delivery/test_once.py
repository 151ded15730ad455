"""Submissions with a key: taken once, answered alike, and freed by a refusal."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from relay.delivery.limits import LimitedDelivery
from relay.delivery.once import OnceDelivery
from relay.model.mail import Choice, Mail, Prepared
from relay.model.note import Key, Limit, Note
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId, Submission, new_id
from relay.observe.events import Event, Events, NotTaken
from relay.queue import Notes, Unwritable
from relay.queue.memory_notes import MemoryNotes
from relay.queue.sqlite import open_spool
from tests.unit.delivery.test_limits import BAD, OK, Clock, Inner

OTHER = "550 5.6.0 Idempotency key used for another mail"
LATER = Reply(451, "3.0", "Internal error, try again later")
KEY = Key("user:app", "k1", b"1")


class Relay:
    def __init__(self, notes: Notes, *answers: Reply) -> None:
        self.inner = Inner(notes, *answers)
        self.events: list[Event] = []
        events = Events([self.events.append])
        limited = LimitedDelivery(self.inner, notes=notes, events=events)
        self.delivery = OnceDelivery(limited, notes=notes, events=events)

    async def send(self, key: Key | None = KEY, limit: Limit | None = None) -> str:
        mail = Mail(
            Envelope("a@b.example", ("c@d.example",)), b"\r\nx", choice=Choice("SignIn")
        )
        reply = await self.delivery.deliver(
            Submission(new_id(), mail.envelope, b"x"),
            Prepared((mail,), limit=limit, key=key),
            started=0.0,
            left=lambda: False,
        )
        return str(reply)


async def test_who_comes_again_hears_the_same_and_nothing_is_sent(
    notes: Notes,
) -> None:
    relay = Relay(notes, OK, BAD)
    assert [await relay.send() for _ in range(3)] == [str(OK)] * 3
    assert relay.inner.answers == [BAD]
    told = [event for event in relay.events if isinstance(event, NotTaken)]
    assert [event.why for event in told] == ["repeated"] * 2
    assert told[0].first is not None
    assert told[0].first.mail_id not in {event.id for event in told}


async def test_without_a_key_each_is_a_mail_of_its_own(notes: Notes) -> None:
    relay = Relay(notes, OK, OK)
    assert [await relay.send(None) for _ in range(2)] == [str(OK)] * 2
    assert relay.inner.answers == []


@pytest.mark.parametrize(
    "other", [replace(KEY, scope="user:b"), replace(KEY, text="k2")]
)
async def test_a_key_is_one_persons_and_one_word(notes: Notes, other: Key) -> None:
    relay = Relay(notes, OK, OK)
    await relay.send()
    await relay.send(other)
    assert relay.inner.answers == []


async def test_a_key_of_another_mail_is_refused(notes: Notes) -> None:
    relay = Relay(notes, OK)
    await relay.send()
    assert await relay.send(replace(KEY, fingerprint=b"2")) == OTHER
    assert await relay.send() == str(OK)


@pytest.mark.parametrize("refusal", [BAD, LATER])
async def test_a_refusal_frees_the_key_for_any_mail(
    notes: Notes, refusal: Reply
) -> None:
    relay = Relay(notes, refusal, OK)
    assert await relay.send() == str(refusal)
    assert await relay.send(replace(KEY, fingerprint=b"2")) == str(OK)
    assert await relay.send() == OTHER


async def test_who_comes_while_the_first_is_in_hand_waits_for_it(notes: Notes) -> None:
    relay = Relay(notes)
    first, *others = [asyncio.create_task(relay.send()) for _ in range(4)]
    another = asyncio.create_task(relay.send(replace(KEY, fingerprint=b"2")))
    await relay.inner.called(1)
    await asyncio.sleep(0)
    assert not any(one.done() for one in (first, *others, another))
    relay.inner.calls[0].set_result(OK)
    assert await asyncio.gather(first, *others) == [str(OK)] * 4
    assert await another == OTHER
    assert len(relay.inner.calls) == 1


async def test_where_the_first_is_refused_the_second_is_tried(notes: Notes) -> None:
    relay = Relay(notes)
    first, second = [asyncio.create_task(relay.send()) for _ in range(2)]
    await relay.inner.called(1)
    relay.inner.calls[0].set_result(LATER)
    await relay.inner.called(2)
    relay.inner.calls[1].set_result(OK)
    assert [await first, await second] == [str(LATER), str(OK)]


async def test_a_first_that_is_cancelled_frees_the_key() -> None:
    relay = Relay(MemoryNotes(now=Clock()))
    first, second = [asyncio.create_task(relay.send()) for _ in range(2)]
    await relay.inner.called(1)
    first.cancel()
    await relay.inner.called(2)
    relay.inner.calls[1].set_result(OK)
    assert await second == str(OK)


async def test_what_is_repeated_is_not_above_a_limit_and_what_is_dropped_repeats(
    notes: Notes,
) -> None:
    limit = Limit("SignIn", ("c@d.example",), 1, 60.0, drops=True)
    relay = Relay(notes, OK)
    assert await relay.send(limit=limit) == str(OK)
    assert await relay.send(limit=limit) == str(OK)
    other = replace(KEY, text="k2")
    dropped = await relay.send(other, limit)
    assert dropped.startswith("250 2.0.0 dropped as ")
    assert await relay.send(other, limit) == dropped


async def test_memory_knows_a_key_for_its_time_and_no_more_than_it_may() -> None:
    clock = Clock()
    notes = MemoryNotes(now=clock, keep_keys=100, most=3)
    relay = Relay(notes, *[OK] * 9)
    await relay.send()
    clock.at += 99
    await relay.send()
    assert len(relay.inner.answers) == 8
    clock.at += 1
    await relay.send()
    assert len(relay.inner.answers) == 7
    for number in range(3):
        await relay.send(replace(KEY, text=f"n{number}"))
    assert len(notes) == 3
    await relay.send()
    assert len(relay.inner.answers) == 3


async def test_the_spool_knows_a_key_after_a_restart_and_forgets_it_in_time(
    tmp_path: Path,
) -> None:
    async def kept(keep: float) -> list[Note | None]:
        path = tmp_path / "s.db"
        async with open_spool(
            path, keep_sent=1, keep_failed=1, keep_keys=keep
        ) as queue:
            found = [await queue.notes.recall(KEY)]
            if found == [None]:
                reply = Reply(250, "0.0", "queued as k3; access denied")
                note = Note(MailId("k3"), reply, "", key=KEY)
                await queue.notes.note(note)
                found.append(await queue.notes.recall(KEY))
            await queue.notes.forget(limit=1)
            return found

    before, first = await kept(1000)
    assert before is None
    assert first is not None
    assert (str(first.reply), first.mail_id, first.key) == (
        *("250 2.0.0 queued as k3; access denied", "k3"),
        KEY,
    )
    assert await kept(1000) == [first]
    assert (await kept(0.001))[0] is None


class Unreadable(MemoryNotes):
    async def recall(self, key: Key) -> Note | None:
        raise Unwritable("spool.db: locked", OSError("locked"))


async def test_where_a_key_cannot_be_known_nothing_is_taken() -> None:
    relay = Relay(Unreadable(now=Clock()), OK)
    said = await relay.send()
    assert said == "451 4.3.0 The mail cannot be kept now, try again later"
    assert relay.inner.answers == [OK]
    assert await relay.send(None) == str(OK)
