"""SES' events are received: kept before they go, by every relay, and never for mail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from relay.fleet.aws import FleetSettings
from relay.fleet.checks import checks_of_events
from relay.fleet.events import AT_ONCE, LATER, EventsReceiver, Keep
from relay.model.submission import MailId
from relay.observe.events import FedBack
from relay.queue import NotYet, Unwritable
from tests.fake_ses import FakeSes
from tests.fleet.emulators import Emulator, client, moto
from tests.fleet.faults import faults
from tests.fleet.hearing import hearing, left, tell
from tests.fleet.relays import NO_FILE, sharing
from tests.fleet.test_commands import relay
from tests.server.relay_process import WAIT, running_relay, until
from tests.ses_events import MESSAGE_ID, bare, event

OURS = MailId("06db0v9t3nq8xk")


class Heard:
    """Who is told of facts, and where each was then."""

    def __init__(self) -> None:
        self.facts: list[FedBack] = []
        self.strays: list[str] = []

    @asynccontextmanager
    async def receiving(
        self, place: FleetSettings, *keeps: Keep, later: Sequence[float] = LATER
    ) -> AsyncIterator[EventsReceiver]:
        receiver = EventsReceiver(
            place,
            mail_of={MESSAGE_ID: OURS}.get,
            emit=self.facts.append,
            stray=self.strays.append,
            keeps=keeps,
            later=later,
        )
        stopping = asyncio.Event()
        running = asyncio.create_task(receiver.run(stopping))
        try:
            yield receiver
        finally:
            stopping.set()
            await asyncio.wait_for(running, WAIT)

    @property
    def ids(self) -> list[str]:
        return [one.feedback.message_id for one in self.facts]


async def eventually(condition: Callable[[], bool]) -> None:
    await asyncio.wait_for(asyncio.to_thread(until, condition), 2 * WAIT)


async def test_a_fact_goes_only_once_it_is_kept(emulator: Emulator) -> None:
    place, heard = emulator.place(), Heard()
    asked: list[FedBack] = []
    full = True

    async def keep(fact: FedBack) -> None:
        asked.append(fact)
        if full:
            text = "disk full"
            raise Unwritable(text, OSError(text))

    tell(place, bare(event("Bounce")))
    async with heard.receiving(place, keep):
        await eventually(lambda: bool(asked))
        assert heard.facts == []
        assert left(place) == 1
        full = False
        # It comes again by itself in half a minute; a copy of it comes now.
        tell(place, bare(event("Bounce")))
        await eventually(lambda: len(heard.facts) == 1)
        await eventually(lambda: left(place) <= 1)
    assert heard.facts[0].id == OURS
    assert asked[-1] == asked[0] == heard.facts[0]


async def test_a_fact_that_comes_too_soon_comes_again_but_not_for_ever(
    emulator: Emulator,
) -> None:
    place, heard = emulator.place(), Heard()
    asked: list[str] = []
    others: list[FedBack] = []

    async def keep(fact: FedBack) -> None:
        name = fact.feedback.message_id
        asked.append(name)
        if name == "never" or asked.count(name) < 2:
            raise NotYet

    async def other(fact: FedBack) -> None:
        others.append(fact)

    tell(place, *[bare(event(message_id=name)) for name in ("never", "second")])
    async with heard.receiving(place, keep, other, later=(0, 0, 0)):
        await eventually(lambda: len(heard.facts) == 2)
        await eventually(lambda: left(place) == 0)
    assert (asked.count("never"), asked.count("second")) == (4, 2)
    # Told once, and by then all the others had it.
    assert heard.ids == ["second", "never"]
    assert others == heard.facts


async def test_facts_are_kept_beside_each_other(emulator: Emulator) -> None:
    place, heard = emulator.place(), Heard()
    names = [f"{MESSAGE_ID}-{number}" for number in range(3)]
    all_here = asyncio.Barrier(len(names))

    async def keep(_: FedBack) -> None:
        await all_here.wait()

    tell(place, *[bare(event(message_id=name)) for name in names])
    async with heard.receiving(place, keep):
        await eventually(lambda: len(heard.facts) == len(names))


async def test_a_copy_of_a_fact_in_hand_is_told_once(
    emulator: Emulator,
) -> None:
    place, heard, held = emulator.place(), Heard(), asyncio.Event()
    names = [f"{MESSAGE_ID}-{number}" for number in range(2 * AT_ONCE)]
    asked: list[FedBack] = []

    async def keep(fact: FedBack) -> None:
        asked.append(fact)
        await held.wait()

    tell(place, *[bare(event(message_id=name)) for name in names])
    async with heard.receiving(place, keep):
        await eventually(lambda: bool(asked))
        first = asked[0].feedback.message_id
        tell(place, bare(event(message_id=first)))
        assert heard.facts == []
        held.set()
        await eventually(lambda: len(heard.facts) == len(names))
    assert heard.ids.count(first) == 1


async def test_an_observer_that_breaks_ends_no_relay(emulator: Emulator) -> None:
    place, heard = emulator.place(), Heard()

    async def keep(fact: FedBack) -> None:
        if fact.feedback.message_id == "broken":
            raise KeyError(fact.id)

    tell(place, bare(event(message_id="broken")), bare(event()))
    async with heard.receiving(place, keep):
        await eventually(lambda: len(heard.facts) == 1)
        await eventually(lambda: left(place) == 1)
    assert heard.ids == [MESSAGE_ID]


async def test_copies_are_told_once_and_all_are_deleted(emulator: Emulator) -> None:
    place, heard = emulator.place(), Heard()
    tell(place, *[bare(event("Open"))] * 8)
    async with heard.receiving(place):
        await eventually(lambda: left(place) == 0)
    assert heard.ids == [MESSAGE_ID]


async def test_another_emulator_gives_them_as_well() -> None:
    with moto() as emulator:
        place, heard = emulator.place(), Heard()
        tell(place, bare(event()), "hello")
        async with heard.receiving(place):
            await eventually(lambda: left(place) == 0)
        assert (heard.ids, heard.strays) == ([MESSAGE_ID], ["test"])
        lines = await checks_of_events(place)
        assert [line.level for line in lines] == ["ok", "warning"]


async def test_a_backlog_is_received_whole(emulator: Emulator) -> None:
    place, heard = emulator.place(), Heard()
    names = [f"{MESSAGE_ID}-{number}" for number in range(20 * AT_ONCE)]
    sqs = client(place.endpoint_url, "sqs")
    for start in range(0, len(names), AT_ONCE):
        entries = [
            {"Id": str(number), "MessageBody": bare(event(message_id=name))}
            for number, name in enumerate(names[start : start + AT_ONCE])
        ]
        sqs.send_message_batch(QueueUrl=place.url, Entries=entries)
    async with heard.receiving(place):
        await eventually(lambda: len(heard.facts) >= len(names))
        await eventually(lambda: left(place) == 0)
    assert sorted(heard.ids) == sorted(names)
    assert {one.id for one in heard.facts} == {""}


async def test_a_queue_that_hangs_or_refuses_is_asked_again(emulator: Emulator) -> None:
    async with faults(emulator.endpoint) as proxy:
        place, heard = emulator.place(proxy.url), Heard()
        here = replace(place, endpoint_url=emulator.endpoint)
        proxy.fate = lambda name: "403" if "Receive" in name else "pass"
        tell(here, bare(event()))
        async with heard.receiving(place) as receiver:
            await eventually(lambda: "grant sqs:ReceiveMessage" in receiver.trouble)
            proxy.fate = lambda name: "503" if "Delete" in name else "pass"
            await eventually(lambda: len(heard.facts) == 1)
            assert receiver.trouble == ""
            proxy.fate = lambda name: "pass"
        assert len(heard.facts) == 1


@pytest.mark.parametrize("command", ["serve", "worker"])
async def test_relays_that_share_a_queue_hear_of_mail_as_well(
    emulator: Emulator, command: str
) -> None:
    async with FakeSes() as ses:
        place, events = emulator.place(), emulator.place()
        settings = sharing(ses, place, **hearing(ses, events))

        def life() -> int:
            with running_relay(*NO_FILE, settings=settings, command=command) as one:
                tell(events, bare(event("Delivery", mail_id=OURS)))
                assert one.event("delivered")["id"] == OURS
                until(lambda: left(events) == 0)
                return one.stop()

        assert await asyncio.to_thread(life) == 0


async def test_what_an_earlier_start_did_not_delete_is_heard_by_the_next(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    async with FakeSes() as ses:
        settings = hearing(ses, place)

        def life(*, killed: bool) -> None:
            with running_relay(*NO_FILE, settings=settings) as one:
                if killed:
                    one.process.kill()
                    one.wait()
                    return
                one.event("delivered")

        await asyncio.to_thread(life, killed=True)
        tell(place, bare(event("Delivery")))
        await asyncio.to_thread(life, killed=False)
        await eventually(lambda: left(place) == 0)


async def test_a_stop_does_not_wait_for_a_long_poll(emulator: Emulator) -> None:
    place = emulator.place()
    async with FakeSes() as ses:
        settings = hearing(ses, place, RELAY_GRACE="30")

        def life() -> int:
            with running_relay(*NO_FILE, settings=settings) as one:
                return one.stop()

        assert await asyncio.to_thread(life) == 0


def check(settings: dict[str, str]) -> tuple[int, list[str]]:
    done = relay(settings, "check", "--online")
    return done.returncode, [
        line for line in done.stdout.splitlines() if "events.url" in line
    ]


async def test_check_online_tells_of_the_queue_of_events(emulator: Emulator) -> None:
    place = emulator.place()
    tell(place, bare(event()))
    async with FakeSes() as ses:
        _, lines = await asyncio.to_thread(check, hearing(ses, place))
    text = "events.url: has no dead-letter queue, so that what is no event of SES"
    assert lines == [
        f"ok: events.url: {place.url}",
        f"warning: {text} comes again and again; give it one",
    ]
    assert left(place) == 1


@pytest.mark.parametrize(
    ("call", "permission"),
    [
        ("GetQueueAttributes", "sqs:GetQueueAttributes"),
        ("ReceiveMessage", "sqs:ReceiveMessage"),
        ("DeleteMessageBatch", "sqs:DeleteMessage"),
        ("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility"),
    ],
)
async def test_check_online_names_the_permission_that_is_missing(
    emulator: Emulator, call: str, permission: str
) -> None:
    async with faults(emulator.endpoint) as proxy, FakeSes() as ses:
        place = emulator.place(proxy.url)
        proxy.fate = lambda name: "403" if call in name else "pass"
        code, lines = await asyncio.to_thread(check, hearing(ses, place))
    assert code == 1
    problems = [line for line in lines if line.startswith("problem: events.url: ")]
    assert problems != []
    assert all(line.endswith(f"; grant {permission}") for line in problems)


async def test_check_online_names_a_queue_that_is_not_there(emulator: Emulator) -> None:
    place = emulator.place()
    client(emulator.endpoint, "sqs").delete_queue(QueueUrl=place.url)
    async with FakeSes() as ses:
        code, lines = await asyncio.to_thread(check, hearing(ses, place))
    gone = "GetQueueAttributes: events.url: there is no such queue"
    assert (code, lines) == (1, [f"problem: events.url: {gone}"])


def test_a_queue_without_a_region_stops_the_start_with_its_cure() -> None:
    settings = {
        "RELAY_LISTENERS": '[{"address": "127.0.0.1:0"}]',
        "RELAY_WEB__LISTEN": "",
        "RELAY_QUEUE__ENGINE": "none",
        "RELAY_EVENTS__URL": "http://127.0.0.1:9/123456789012/ses-events",
        "RELAY_SES__ENDPOINT_URL": "http://127.0.0.1:9",
    }
    for command in ("serve", "check"):
        done = relay(settings, command)
        assert done.returncode == 2
        assert "region" in done.stderr
        assert "Traceback" not in done.stderr
