"""Webhooks in memory come in their order, whatever was done to them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from relay.model.hook import Hook, Later
from relay.queue.memory_hooks import SPARE, MemoryHooks

MOST = 6


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("keep"), st.integers(0, 3)),
            st.tuples(st.sampled_from(["end", "put off", "first"]), st.integers(0, 5)),
            st.tuples(st.just("expire"), st.integers(0, 20)),
            st.tuples(st.just("leave"), st.just(0)),
        ),
        max_size=40,
    )
)
@example([("keep", 0), ("keep", 0), ("put off", 1)])
def test_the_first_are_those_that_are_due_first(steps: list[tuple[str, int]]) -> None:
    gone: list[Hook] = []
    store = MemoryHooks(now=lambda: 0.0, most=MOST, on_gone=gone.append)
    model: dict[int, Hook] = {}  # in the order of their places

    async def first(limit: int) -> Sequence[Hook]:
        found = await store.first("app", limit)
        by_due = sorted(model.values(), key=lambda one: (one.due, one.place))
        assert found == by_due[:limit]
        return found

    async def play() -> None:
        for number, (step, value) in enumerate(steps):
            some = await first(value)
            if step == "keep":
                await store.keep([Hook(f"{number}", "app", "", number, value)])
                place = max([*model, *(one.place for one in gone), 0]) + 1
                model[place] = Hook(f"{number}", "app", "", number, value, place=place)
                if len(model) > MOST:
                    del model[min(model)]
            elif step == "end":
                await store.keep((), ended=some)
                for one in some:
                    del model[one.place]
            elif step == "put off":
                later = [Later(one.place, 1, one.due + value % 3) for one in some]
                await store.keep((), later=later)
                for one, put_off in zip(some, later, strict=True):
                    model[one.place] = Hook(
                        one.id, "app", "", one.at, put_off.due, 1, one.place
                    )
            elif step == "expire":
                await store.expire(value)
                for place in [at for at, one in model.items() if one.at < value]:
                    del model[place]
            elif step == "leave":
                await store.leave("app")
                model.clear()
            assert await first(100) == await first(100)
            assert store.waiting.get("app", 0) == len(model)

    asyncio.run(play())


async def test_an_endpoint_that_nobody_asks_for_takes_no_more_memory() -> None:
    store = MemoryHooks(now=lambda: 0.0, most=MOST)
    for number in range(10 * SPARE):
        await store.keep([Hook(f"{number}", "app", "", 0.0, 0.0)])
    assert len(store._order["app"]) <= 2 * MOST + SPARE + 1
    found = await store.first("app", 100)
    assert [one.id for one in found] == [
        f"{number}" for number in range(10 * SPARE - MOST, 10 * SPARE)
    ]
