"""SES took a mail whose answer was lost: its event ends the tries, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from relay.fleet.aws import FleetSettings
from tests.fake_ses import Answer, FakeSes, error
from tests.fleet.emulators import Emulator
from tests.fleet.hearing import hearing, left, tell
from tests.fleet.patient import in_bucket
from tests.fleet.relays import NO_FILE, sharing
from tests.server.relay_process import RelayProcess, running_relay, until
from tests.server.test_queue_disk import spooled, states
from tests.ses_events import bare, event
from tests.web.site import Site, mail

TOOK = "0100took"
RARELY = "[60]"  # seconds until a further try: long after the event


def settings_of(
    engine: str,
    ses: FakeSes,
    emulator: Emulator,
    directory: Path,
    events: FleetSettings,
    delays: str,
) -> tuple[dict[str, str], Callable[[], list[str]]]:
    """Settings of a relay that hears events, and a look where its mail stands."""
    more = {
        **hearing(ses, events),
        "RELAY_QUEUE__UNSEEN_DELAYS": delays,
        "RELAY_QUEUE__ANSWER_WITHIN": "0.5",
        "RELAY_SES__CONNECT_TIMEOUT": "1",
        "RELAY_SES__ATTEMPT_TIMEOUT": "2",
        "RELAY_WEB__LISTEN": "127.0.0.1:0",
    }
    if engine == "sqlite":
        return spooled(ses, directory, **more), lambda: states(directory)
    place = emulator.place()

    def look() -> list[str]:
        return [type(job.state).__name__.lower() for job in in_bucket(place)]

    return sharing(ses, place, **more), look


def took(mail_id: str, *to: str, kind: str = "Delivery") -> str:
    """SES' event of a mail that it took just now, whose answer nobody saw."""
    people = to or ("ann@example.com",)
    own = {"recipients": [*people]} if kind == "Delivery" else None
    found = event(kind, message_id=TOOK, mail_id=mail_id, to=people, own=own)
    found["mail"]["timestamp"] = datetime.now(UTC).isoformat()
    return bare(found)


def queued_id(site: Site, to: str = "ann@example.com") -> str:
    """Send a mail that has to wait: its id."""
    reply = site.submit(mail(to))
    assert reply.startswith("250 2.0.0 queued as ")
    return reply.split()[4].rstrip(";")


def story(site: Site, mail_id: str) -> dict[str, Any]:
    found: dict[str, Any] = site.get(f"/api/v1/mails/{mail_id}").json
    return found


def is_deferred(relay: RelayProcess) -> None:
    relay.event("deferred", lambda one: one.get("maybeSent") is True)


ENGINES = ["sqlite", "sqs"]


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_event_ends_the_tries_of_a_mail_that_ses_took_without_an_answer(
    emulator: Emulator, tmp_path: Path, engine: str
) -> None:
    events = emulator.place()
    async with FakeSes(Answer(then="hang")) as ses:
        settings, look = settings_of(engine, ses, emulator, tmp_path, events, RARELY)

        def life() -> None:
            with running_relay(*NO_FILE, settings=settings) as relay:
                site = Site(relay)
                mail_id = queued_id(site)
                is_deferred(relay)
                assert look() == ["queued"]
                # In another case, as SES tells of some.
                tell(events, took(mail_id, "Ann@Example.com"))
                sent = relay.event("sent")
                assert (sent["id"], sent["messageId"]) == (mail_id, TOOK)
                assert (sent["level"], sent["byEvent"]) == ("info", True)
                relay.event("delivered", lambda one: one["id"] == mail_id)
                until(lambda: look() == (["sent"] if engine == "sqlite" else []))
                found = story(site, mail_id)
                assert (found["state"], found["fate"]) == ("sent", "delivered")
                assert [one["messageId"] for one in found["calls"]] == [TOOK]
                metrics = site.get("/metrics").body.decode()
                assert 'relay_queue_ended_total{state="sent"} 1.0' in metrics
                until(lambda: left(events) == 0)
                assert relay.stop() == 0

        await asyncio.to_thread(life)
        assert len(ses.sent) == 1


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_event_that_comes_during_the_attempt_ends_the_tries_after_it(
    emulator: Emulator, tmp_path: Path, engine: str
) -> None:
    events = emulator.place()
    async with FakeSes(Answer(then="hang")) as ses:
        settings, look = settings_of(engine, ses, emulator, tmp_path, events, RARELY)

        def life() -> None:
            with running_relay(*NO_FILE, settings=settings) as relay:
                site = Site(relay)
                mail_id = queued_id(site)
                assert look() == ["sending"]
                tell(events, took(mail_id, kind="Send"))
                assert relay.event("sent")["byEvent"] is True
                # And the event, too, is told once it has come again.
                until(lambda: story(site, mail_id)["feedback"] != [])
                until(lambda: left(events) == 0)
                assert story(site, mail_id)["state"] == "sent"
                assert relay.stop() == 0

        await asyncio.to_thread(life)
        assert len(ses.sent) == 1


async def test_an_event_that_another_relay_hears_ends_the_tries_after_the_attempt(
    emulator: Emulator, tmp_path: Path
) -> None:
    heard, unheard = emulator.place(), emulator.place()
    async with FakeSes(Answer(then="hang")) as ses:
        settings, look = settings_of("sqs", ses, emulator, tmp_path, heard, RARELY)
        deaf = settings | {"RELAY_EVENTS__URL": unheard.url}

        def life() -> None:
            with (
                running_relay(*NO_FILE, settings=deaf) as first,
                running_relay(*NO_FILE, settings=settings, command="worker") as second,
            ):
                mail_id = queued_id(Site(first))
                assert look() == ["sending"]
                tell(heard, took(mail_id))
                is_deferred(first)
                sent = second.event("sent")
                assert (sent["id"], sent["byEvent"]) == (mail_id, True)
                second.event("delivered", lambda one: one["id"] == mail_id)
                assert look() == []
                assert [first.stop(), second.stop()] == [0, 0]

        await asyncio.to_thread(life)
        assert len(ses.sent) == 1


async def test_an_event_that_comes_before_its_mail_is_in_the_queue_is_remembered(
    emulator: Emulator, tmp_path: Path
) -> None:
    events = emulator.place()
    async with FakeSes(Answer(then="hang")) as ses:
        settings, _ = settings_of("sqlite", ses, emulator, tmp_path, events, RARELY)
        settings["RELAY_QUEUE__ANSWER_WITHIN"] = "20"
        settings["RELAY_LOG__LEVEL"] = "debug"

        def life() -> None:
            with running_relay(*NO_FILE, settings=settings) as relay:
                site = Site(relay)
                replies: list[str] = []
                waits = Thread(target=lambda: replies.append(site.submit(mail())))
                waits.start()
                until(lambda: len(ses.sent) == 1)
                tags = ses.sent[0].parameters["EmailTags"]
                mail_id = tags[0]["Value"]
                tell(events, took(mail_id, kind="Send"))
                relay.event("confirmed", lambda one: one["id"] == mail_id)
                waits.join()
                assert replies[0].startswith(f"250 2.0.0 queued as {mail_id}")
                assert relay.event("sent")["messageId"] == TOOK
                until(lambda: states(tmp_path) == ["sent"])
                assert story(site, mail_id)["state"] == "sent"
                assert relay.stop() == 0

        await asyncio.to_thread(life)
        assert len(ses.sent) == 1


@pytest.mark.parametrize("engine", ENGINES)
async def test_without_an_event_or_with_one_of_others_the_mail_is_tried_again(
    emulator: Emulator, tmp_path: Path, engine: str
) -> None:
    events = emulator.place()
    async with FakeSes(Answer(then="hang")) as ses:
        settings, look = settings_of(engine, ses, emulator, tmp_path, events, "[6]")

        def life() -> None:
            with running_relay(*NO_FILE, settings=settings) as relay:
                site = Site(relay)
                mail_id = queued_id(site)
                is_deferred(relay)
                others = ("bob@example.com", "ann@example.com")
                tell(events, took(mail_id, *others), took("another"))
                relay.events("delivered", 2)
                assert look() == ["queued"]
                sent = relay.event("sent")
                assert (sent["attempts"], sent["maybeSentBefore"]) == (2, True)
                assert "byEvent" not in sent
                assert relay.stop() == 0

        await asyncio.to_thread(life)
        assert len(ses.sent) == 2


@pytest.mark.parametrize("engine", ENGINES)
async def test_of_several_calls_only_the_one_that_ses_took_ends(
    emulator: Emulator, tmp_path: Path, engine: str
) -> None:
    events = emulator.place()
    people = [f"p{number}@example.com" for number in range(60)]
    async with FakeSes(Answer(then="hang"), Answer(then="hang")) as ses:
        settings, _ = settings_of(engine, ses, emulator, tmp_path, events, "[8]")

        def life() -> None:
            with running_relay(*NO_FILE, settings=settings) as relay:
                site = Site(relay)
                mail_id = queued_id(site, ", ".join(people))
                relay.events("deferred", 2)
                tell(events, took(mail_id, *people[50:]))
                first = relay.event("sent")
                assert (first["call"], len(first["recipients"])) == (2, 10)
                relay.event("sent", lambda one: "byEvent" not in one)
                assert relay.stop() == 0

        await asyncio.to_thread(life)
        sent = [len(one.parameters["Destination"]["ToAddresses"]) for one in ses.sent]
        assert sorted(sent) == [10, 50, 50]


async def test_what_a_crash_left_is_ended_by_its_event(
    emulator: Emulator, tmp_path: Path
) -> None:
    events = emulator.place()
    too_fast = error("TooManyRequestsException", 429)
    async with FakeSes(Answer(then="hang"), too_fast) as ses:
        settings, look = settings_of("sqlite", ses, emulator, tmp_path, events, RARELY)
        settings["RELAY_QUEUE__RETRY_DELAYS"] = RARELY
        # Else the poll that the kill cuts off may be given the event.
        deaf = settings | {"RELAY_EVENTS__URL": emulator.place().url}

        def killed() -> str:
            with running_relay(*NO_FILE, settings=deaf) as relay:
                mail_id = queued_id(Site(relay))
                relay.process.kill()
                relay.wait()
                return mail_id

        def next_life(mail_id: str) -> None:
            with running_relay(*NO_FILE, settings=settings) as relay:
                relay.event("deferred", lambda one: one["maybeSentBefore"] is True)
                tell(events, took(mail_id))
                assert relay.event("sent")["byEvent"] is True
                assert relay.stop() == 0

        mail_id = await asyncio.to_thread(killed)
        assert look() == ["sending"]
        await asyncio.to_thread(next_life, mail_id)
        assert look() == ["sent"]
        assert len(ses.sent) == 2
