"""What every store of webhooks does: the spool's, a bucket's, the one in memory."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.fleet.aws import FleetSettings
from relay.fleet.connect import connected
from relay.fleet.hooks import BucketHooks
from relay.model.hook import Hook, Later
from relay.queue import HookStore
from relay.queue.hooks import SpoolHooks
from relay.queue.memory_hooks import MemoryHooks
from tests.server.spool import spool

MOST = 5
UNIX = (1000.0).__add__


@pytest.fixture(params=["spool", "memory", "bucket"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[HookStore]:
    if request.param == "memory":
        yield MemoryHooks(now=lambda: 1000.0, most=MOST)
        return
    if request.param == "bucket":
        place: FleetSettings = request.getfixturevalue("emulator").place()
        async with connected(place) as (bucket, _):
            yield BucketHooks(bucket, now=lambda: 0.0, unix=UNIX, most=MOST)
        return
    async with spool(tmp_path / "spool.db") as queue:
        yield SpoolHooks(queue.hooks._store, most=MOST)


def hook(name: str, endpoint: str = "app", at: float = 0.0, due: float = 0.0) -> Hook:
    return Hook(name, endpoint, f'{{"type":"{name}"}}', at, due)


async def names(store: HookStore, endpoint: str = "app") -> list[str]:
    return [one.id for one in await store.first(endpoint, 100)]


async def test_they_come_by_when_they_are_due_then_in_their_order(
    store: HookStore,
) -> None:
    await store.keep([hook("b", due=2), hook("c", due=2), hook("a", due=1)])
    assert await names(store) == ["a", "b", "c"]
    assert [one.id for one in await store.first("app", 2)] == ["a", "b"]
    assert store.waiting == {"app": 3}
    [first, *_] = await store.first("app", 1)
    assert (first.body, first.due, first.attempts) == ('{"type":"a"}', 1, 0)


async def test_those_of_one_endpoint_are_not_anothers(store: HookStore) -> None:
    await store.keep([hook("a"), hook("a", "crm")])
    [one] = await store.first("crm", 10)
    assert await store.keep((), ended=[one]) == {}
    assert await names(store, "crm") == []
    assert await names(store) == ["a"]
    assert await store.leave("app") == 1
    assert await names(store) == []
    assert not any(store.waiting.values())


async def test_what_failed_waits_on_with_its_attempts(store: HookStore) -> None:
    await store.keep([hook("a"), hook("b", due=1)])
    [a, b] = await store.first("app", 2)
    await store.keep((), later=[Later(a.place, 1, 5.0)])
    [first, second] = await store.first("app", 2)
    assert (first.id, second.id, second.attempts, second.due) == ("b", "a", 1, 5.0)
    assert first.place == b.place


async def test_what_has_ended_and_is_gone_already_changes_nothing(
    store: HookStore,
) -> None:
    await store.keep([hook("a"), hook("b")])
    [a, _] = await store.first("app", 2)
    await store.keep((), ended=[a])
    await store.keep((), ended=[a], later=[Later(a.place, 3, 9.0)])
    assert await names(store) == ["b"]
    assert store.waiting == {"app": 1}


async def test_of_too_many_the_oldest_of_that_endpoint_go(store: HookStore) -> None:
    await store.keep([hook("other", "crm")])
    assert await store.keep([hook(f"{n}") for n in range(MOST + 2)]) == {"app": 2}
    assert await store.keep([hook("last")]) == {"app": 1}
    assert await names(store) == ["3", "4", "5", "6", "last"]
    assert await names(store, "crm") == ["other"]
    assert store.waiting == {"app": MOST, "crm": 1}


async def test_what_is_too_old_is_forgotten(store: HookStore) -> None:
    await store.keep([hook("old", at=10), hook("new", at=20)])
    assert await store.expire(20) == 1
    assert await names(store) == ["new"]
    assert await store.expire(math.inf) == 1
    assert not any(store.waiting.values())


async def test_the_spool_has_them_after_a_restart(tmp_path: Path) -> None:
    async with spool(tmp_path / "spool.db") as queue:
        await queue.hooks.keep([hook("a"), hook("b", "crm")])
    async with spool(tmp_path / "spool.db") as queue:
        await queue.hooks.open()
        assert queue.hooks.waiting == {"app": 1, "crm": 1}
        assert await names(queue.hooks) == ["a"]
