"""Webhooks of relays that share a queue: what one leaves, another one tells."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

import pytest

from relay.fleet import keys
from relay.fleet.aws import FleetSettings
from relay.fleet.connect import connected
from relay.fleet.hooks import BucketHooks
from relay.fleet.open import open_queue
from relay.hooks.hooks import Hooks
from relay.model.hook import OLDEST, Hook
from relay.model.submission import new_id
from relay.queue import Unwritable
from tests.fleet.emulators import Emulator, client
from tests.fleet.faults import Faults, faults, sometimes
from tests.fleet.jobs import until
from tests.fleet.patient import objects
from tests.fleet.relays import NO_FILE, sharing
from tests.server.receiver import Answer, receiving, webhooks
from tests.server.relay_process import running_relay
from tests.server.relay_process import until as until_then
from tests.unit.hooks.test_hooks import SENT, endpoint
from tests.web.site import fake_ses, mail, submit

UNIX = (1e9).__add__
SHORT = 1.0  # seconds of patience; S3 tells whole ones


@asynccontextmanager
async def hooks(
    place: FleetSettings,
    *endpoints: str,
    patience: float = 300.0,
    every: float = 0.0,
    unix: Callable[[float], float] = UNIX,
) -> AsyncIterator[BucketHooks]:
    """A relay's; it is gone without a word when the context ends."""
    async with connected(place) as (bucket, _):
        made = BucketHooks(
            bucket, now=time.monotonic, unix=unix, every=every, patience=patience
        )
        made.serve(endpoints or ("app",), lambda: None)
        await made.open()
        yield made


def hook(name: str, endpoint: str = "app") -> Hook:
    now = time.monotonic()
    return Hook(name, endpoint, f'{{"type":"{name}"}}', now, now)


async def names(store: BucketHooks, endpoint: str = "app") -> list[str]:
    return [one.id for one in await store.first(endpoint, 10_000)]


async def end(store: BucketHooks, *ids: str) -> None:
    """Have these told."""
    found = await store.first("app", 10_000)
    await store.keep((), ended=[one for one in found if one.id in ids])


async def taken_over(store: BucketHooks, count: int) -> None:
    """Look until there are so many."""

    async def looked() -> bool:
        await store.look()
        return sum(store.waiting.values()) >= count

    await until(looked)


def disown(place: FleetSettings) -> None:
    """Have all owners count as gone; a relay that is killed does so after minutes."""
    s3 = client(place.endpoint_url, "s3")
    for key in objects(place, "hooks/owner/"):
        s3.delete_object(Bucket=place.bucket, Key=place.prefix + key)


def batches(place: FleetSettings) -> list[str]:
    return objects(place, "hooks/batch/")


async def test_what_a_relay_left_at_its_stop_is_anothers_at_once(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    async with hooks(place) as one:
        await one.keep([hook("a"), hook("b")])
        await one.keep([hook("c")])
        [first, *_] = await one.first("app", 1)
        await end(one, "a", "c")
        await one.close()
    assert len(batches(place)) == 1  # without what was told already
    async with hooks(place) as other:
        came: list[float] = []
        other.serve(["app"], lambda: came.append(sum(other.waiting.values())))
        await other.look()
        await other.look()
        assert came == [1]
        [b] = await other.first("app", 9)
        assert (b.id, b.body, b.attempts) == ("b", '{"type":"b"}', 0)
        assert b.at == pytest.approx(first.at, abs=1.0)
        await end(other, "b")
        await other.close()
    assert objects(place) == []


async def test_a_relay_that_is_killed_is_taken_over_and_one_that_lives_is_not(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    async with hooks(place) as lives, hooks(place) as killed:
        await lives.keep([hook("lives")])
        await killed.keep([hook("a"), hook("b")])
        await end(killed, "a")  # which nobody had deleted
        async with hooks(place, patience=SHORT) as other:
            async with asyncio.TaskGroup() as group:

                async def beat() -> None:
                    while not other.waiting:
                        await lives.look()
                        await asyncio.sleep(0.2)

                group.create_task(beat())
                await taken_over(other, 2)
            assert await names(other) == ["a", "b"]
            assert await names(lives) == ["lives"]
            await other.close()
        await end(lives, "lives")
        await taken_over(lives, 2)
        assert await names(lives) == ["a", "b"]


async def test_one_of_several_takes_over(emulator: Emulator) -> None:
    place = emulator.place()
    async with hooks(place) as one:
        await one.keep([hook(f"{number}") for number in range(3)])
        await one.close()
    async with hooks(place) as a, hooks(place) as b, hooks(place) as c:
        await asyncio.gather(a.look(), b.look(), c.look())
        counts = [sum(store.waiting.values()) for store in (a, b, c)]
        assert sorted(counts) == [0, 0, 3]
        assert len(objects(place, "hooks/owner/")) == 3  # who has nothing is there, too


async def test_what_is_for_others_endpoints_is_left_for_them(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    async with hooks(place, "app", "crm") as one:
        await one.keep([hook("a"), hook("b", "crm"), hook("c")])
        await one.close()
    async with hooks(place, "crm") as other, hooks(place, "none") as third:
        await other.look()
        await third.look()
        assert other.waiting == {"crm": 1}
        assert not third.waiting
        async with hooks(place, "app") as last:
            await last.look()
            assert await names(last) == ["a", "c"]
            await end(last, "a", "c")
            await last.close()
        await other.leave("crm")
        await other.close()
        await third.close()
    assert objects(place) == []


async def test_who_slept_tells_no_more_what_another_has_taken_over(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    async with hooks(place) as slept, hooks(place, patience=SHORT) as other:
        await slept.keep([hook("a")])
        await taken_over(other, 1)
        await slept.keep([hook("b")])
        await other.look()
        assert await names(other) == ["a"]
        await slept.look()
        assert await names(slept) == ["b"]
        await slept.look()
        assert await names(slept) == ["b"]
        await other.close()
        # What came after it is as safe as before.
        async with hooks(place, patience=SHORT) as third:
            await taken_over(third, 2)
            assert sorted(await names(third)) == ["a", "b"]


async def test_many_batches_become_few_without_what_was_told(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    async with hooks(place) as one:
        for number in range(6):
            await one.keep([hook(f"{number}"), hook(f"{number}+")])
        await end(one, *(f"{number}" for number in range(6)))
        await one.look()
        await one.close()
        assert len(batches(place)) == 1
        await end(one, "1+")
        running = asyncio.create_task(one.run())
        await until(lambda: len(batches(place)) == 1 and "1+" not in held(place))
        assert held(place) == ["0+", "2+", "3+", "4+", "5+"]
        await end(one, "0+", "2+", "3+", "4+", "5+")
        await until(lambda: batches(place) == [])
        running.cancel()


def held(place: FleetSettings) -> list[str]:
    """The events in all objects, in the order of their keys."""
    s3 = client(place.endpoint_url, "s3")
    found: list[str] = []
    for key in batches(place):
        try:
            stored = s3.get_object(Bucket=place.bucket, Key=place.prefix + key)
        except s3.exceptions.NoSuchKey:
            continue
        found += [one["id"] for one in json.load(stored["Body"])["hooks"]]
    return found


async def test_a_backlog_of_many_objects_is_taken_over_in_its_order(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    wanted = [f"{number}" for number in range(1200)]
    async with hooks(place) as one:
        await one.keep([hook(name) for name in wanted])
        assert len(batches(place)) == 3
        for number in range(25):
            await one.keep([hook(f"later {number}")])
        wanted += [f"later {number}" for number in range(25)]
        await one.keep([hook(f"x{number}") for number in range(3)])
        wanted += [f"x{number}" for number in range(3)]
    disown(place)
    async with hooks(place, every=100.0) as other:
        await other.look()
        assert await names(other) == wanted
        assert held(place) == wanted


@asynccontextmanager
async def behind_proxy(
    emulator: Emulator,
) -> AsyncIterator[tuple[Faults, FleetSettings, BucketHooks]]:
    async with faults(emulator.endpoint) as proxy:
        place = emulator.place(proxy.url)
        async with hooks(place, every=100.0) as one:
            yield proxy, replace(place, endpoint_url=emulator.endpoint), one


async def test_what_cannot_be_written_is_not_taken(emulator: Emulator) -> None:
    async with behind_proxy(emulator) as (proxy, place, one):
        proxy.fate = lambda name: "503" if name == "S3 PUT hooks" else "pass"
        with pytest.raises(Unwritable, match="PutObject: 503 SlowDown"):
            await one.keep([hook("a")])
        assert await names(one) == []
        proxy.fate = lambda name: "pass"
        await one.keep([hook("a")])
        assert await names(one) == ["a"]
        assert held(place) == ["a"]


async def test_what_was_written_though_nobody_heard_it_is_deleted(
    emulator: Emulator,
) -> None:
    async with behind_proxy(emulator) as (proxy, place, one):
        proxy.fate = lambda name: "503 after" if name == "S3 PUT hooks" else "pass"
        with pytest.raises(Unwritable):
            await one.keep([hook("a")])
        assert held(place) == ["a"]
        # It cannot be deleted now either, so that it is found by the next look.
        proxy.fate = lambda name: "503" if name == "S3 DELETE hooks" else "pass"
        await one.keep([hook("b")])
        with pytest.raises(Unwritable):
            await one.close()
        proxy.fate = lambda name: "pass"
        running = asyncio.create_task(one.run())
        await until(lambda: held(place) == ["b"])
        running.cancel()
        assert await names(one) == ["b"]


async def test_a_write_that_came_after_all_is_deleted_by_the_next_look(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    async with hooks(place) as one:
        await one.keep([hook("a")])
        [written] = batches(place)
        _, _, owner, _, _ = written.split("/")
        await one.keep([hook("b")])
        await end(one, "a")
        running = asyncio.create_task(one.run())
        await until(lambda: held(place) == ["b"])
        client(place.endpoint_url, "s3").put_object(
            Bucket=place.bucket,
            Key=place.prefix + keys.batch_key(owner, "app", 1),
            Body=b"{}",
        )
        await until(lambda: len(batches(place)) == 1)
        running.cancel()
        assert held(place) == ["b"]


async def test_a_look_leaves_what_is_being_written(emulator: Emulator) -> None:
    async with behind_proxy(emulator) as (proxy, place, one):
        fates = iter(["hold"])
        proxy.fate = lambda name: (
            next(fates, "pass") if name == "S3 PUT hooks" else "pass"
        )
        keeping = asyncio.create_task(one.keep([hook("a")]))
        await proxy.held.wait()
        assert held(place) == ["a"]
        await one.look()
        await keeping  # by a second try
        await one.close()
        assert held(place) == ["a"]


async def test_what_a_later_release_wrote_is_left_for_it(emulator: Emulator) -> None:
    place = emulator.place()
    key = keys.batch_key("0abc", "app", 1)
    client(place.endpoint_url, "s3").put_object(
        Bucket=place.bucket,
        Key=place.prefix + key,
        Body=b'{"v": 2, "endpoint": "app", "hooks": [{"id": "new"}]}',
    )
    async with hooks(place) as one:
        await one.keep([hook("a")])
        await one.look()
        await one.look()
        assert await names(one) == ["a"]
        await end(one, "a")
        await one.close()
    assert batches(place) == [key]
    assert objects(place, "hooks/owner/") == ["hooks/owner/0abc"]


async def test_what_is_too_old_to_be_told_is_not_taken_over(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    async with hooks(place, unix=(1e9 - OLDEST - 10.0).__add__) as one:
        await one.keep([hook("old")])
        await one.close()
    async with hooks(place) as other:
        await other.look()
        assert not other.waiting
        assert batches(place) == []


async def test_nothing_is_asked_without_an_endpoint(emulator: Emulator) -> None:
    async with behind_proxy(emulator) as (proxy, _, one):
        one.serve((), lambda: None)
        proxy.calls.clear()
        await one.look()
        assert proxy.calls == []


async def test_a_queue_without_webhooks_asks_nothing_of_them(
    emulator: Emulator,
) -> None:
    async with faults(emulator.endpoint) as proxy:
        place = emulator.place(proxy.url)
        async with open_queue(place) as queue:
            running = asyncio.create_task(queue.hooks.run())
            assert await queue.hooks.expire(1e9) == 0
        assert proxy.named("S3 PUT state")  # as it begins, and nothing else
        for name in ("S3 PUT hooks", "S3 DELETE hooks", "S3 GET list"):
            assert proxy.named(name) == []
        running.cancel()


async def test_what_cannot_be_written_at_a_stop_is_said_to_be_lost(
    emulator: Emulator,
) -> None:
    async with behind_proxy(emulator) as (proxy, _, one):
        with receiving() as receiver:
            told = Hooks(one)
            told.take([endpoint(receiver)])
            told(SENT)
            proxy.fate = lambda name: "503"
            await told.close()
            [figures] = told.figures()
            assert figures.lost == 1


class Life:
    """A relay's webhooks that keep and tell until they are killed or stopped."""

    def __init__(self, place: FleetSettings, told: set[str]) -> None:
        self.kept: set[str] = set()
        self._place = place
        self._told = told
        self._stopping = asyncio.Event()
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with connected(self._place) as (bucket, _):
            one = BucketHooks(
                bucket, now=time.monotonic, unix=UNIX, every=0.2, patience=SHORT
            )
            one.serve(["app"], lambda: None)
            working = asyncio.create_task(one.run())
            try:
                while not self._stopping.is_set():
                    try:
                        await self._step(one)
                    except Unwritable:
                        pass
                    await asyncio.sleep(0.02)
                working.cancel()
                [ended] = await asyncio.gather(working, return_exceptions=True)
                assert isinstance(ended, asyncio.CancelledError)  # and by nothing else
                try:
                    await one.close()
                except Unwritable:
                    pass  # it counts as killed
            finally:
                working.cancel()

    async def _step(self, one: BucketHooks) -> None:
        """Tell some of what waits, and keep something new."""
        some = [*await one.first("app", 3)][:-1]
        self._told.update(hook.id for hook in some)
        await one.keep((), ended=some)
        new = [hook(new_id()) for _ in range(2)]
        await one.keep(new)
        self.kept.update(hook.id for hook in new)

    async def end(self, *, killed: bool) -> None:
        """Have it stop, or be gone."""
        if killed:
            self._running.cancel()
        self._stopping.set()
        await asyncio.gather(self._running, return_exceptions=killed)


async def test_in_turmoil_nothing_that_was_kept_is_lost(emulator: Emulator) -> None:
    random = Random(1)
    async with faults(emulator.endpoint) as proxy:
        place = emulator.place(proxy.url)
        proxy.fate = sometimes(random, 0.1, "503", "503 after", "cut", "cut after")
        told: set[str] = set()
        lives = [Life(place, told) for _ in range(3)]
        over: list[Life] = []
        for number in range(8):
            await asyncio.sleep(0.4)
            over.append(lives.pop(0))
            lives.append(Life(place, told))
            await over[-1].end(killed=bool(number % 2))
        for one in lives:
            await one.end(killed=True)
        proxy.fate = lambda name: "pass"
        kept = set().union(*(one.kept for one in [*over, *lives]))
        assert kept - told
        async with hooks(place, patience=SHORT) as last:

            async def all_told() -> bool:
                await last.look()
                found = await last.first("app", 10_000)
                told.update(one.id for one in found)
                await last.keep((), ended=found)
                return kept <= told

            await until(all_told)
            await last.look()
            await last.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_one_relay_could_not_tell_another_one_tells(
    emulator: Emulator, number: signal.Signals
) -> None:
    place = emulator.place()
    with receiving() as receiver, fake_ses() as ses:
        receiver.usual = Answer(503)
        settings = {
            **sharing(ses, place),
            **webhooks({"name": "app", "url": receiver.url}),
        }
        with running_relay(*NO_FILE, settings=settings) as one:
            submit(one.port(), mail())
            one.event("webhook failed")
            [told, *_] = receiver.came
            submit(one.port(), mail())
            until_then(lambda: len(held(place)) == 2)
            one.stop(number)
        if number is signal.SIGKILL:
            disown(place)
        receiver.usual = Answer()
        before = len(receiver.came)
        with running_relay(*NO_FILE, settings=settings) as other:
            assert other.event("webhook events taken over")["events"] == 2
            receiver.wait(before + 2)
            until_then(lambda: batches(place) == [])
            assert other.stop() == 0
        again = receiver.came[before:]
        assert told.id in {one.id for one in again}
        assert len({one.id for one in again}) == len(again) == 2
        assert {one.event["type"] for one in again} == {"mail.sent"}
    assert objects(place) == []
