"""Calls that take several entries."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from relay.fleet.batches import Batches


async def test_what_comes_while_a_call_is_under_way_shares_the_next() -> None:
    calls: list[list[int]] = []
    go = asyncio.Event()

    async def call(some: Sequence[int]) -> Sequence[Exception | None]:
        calls.append(list(some))
        await go.wait()
        return [None] * len(some)

    batches = Batches(call)
    work = [asyncio.create_task(batches.do(number)) for number in range(31)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    # The first alone, and ten that fill a second; the rest waits for one of the two.
    go.set()
    await asyncio.gather(*work)
    assert sorted(one for some in calls for one in some) == list(range(31))
    assert max(map(len, calls)) == 10
    assert len(calls) <= 5


async def test_one_after_the_other_is_done_each_in_a_call_of_its_own() -> None:
    calls: list[list[str]] = []

    async def call(some: Sequence[str]) -> Sequence[Exception | None]:
        calls.append(list(some))
        return [None] * len(some)

    batches = Batches(call)
    for name in ("first", "second", "third"):
        await batches.do(name)  # right after the end of the call before
    assert calls == [["first"], ["second"], ["third"]]


async def test_each_entry_has_its_own_end() -> None:
    async def call(some: Sequence[str]) -> Sequence[Exception | None]:
        if "breaks" in some:
            raise OSError("broken")
        return [ValueError(one) if one == "wrong" else None for one in some]

    batches = Batches(call, company=0.01)
    ends = await asyncio.gather(
        *map(batches.do, ("right", "wrong")), return_exceptions=True
    )
    assert ends[0] is None
    assert isinstance(ends[1], ValueError)
    with pytest.raises(OSError, match="broken"):
        await batches.do("breaks")
    await batches.drained()
