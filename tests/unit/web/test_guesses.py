"""Whose turn it is to have a password compared."""

from __future__ import annotations

import asyncio

import pytest

from relay.web.guesses import Turns


class Queue:
    """People who enter, and the order in which they came in."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.inside: list[str] = []
        self.sent_away: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def add(self, name: str, failures: int) -> None:
        async def enter() -> None:
            if await self.turns.enter(failures):
                self.inside.append(name)
            else:
                self.sent_away.append(name)

        self.tasks[name] = asyncio.create_task(enter())
        await settled()

    async def leave(self) -> None:
        self.turns.leave()
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_failed_less_comes_first_and_equals_in_their_order() -> None:
    queue = Queue(Turns(1, waiting=10))
    for name, failures in (("a", 9), ("b", 9), ("c", 2), ("d", 2), ("right", 0)):
        await queue.add(name, failures)
    for _ in range(4):
        await queue.leave()
    assert queue.inside == ["a", "right", "c", "d", "b"]


async def test_where_too_many_wait_those_that_failed_most_are_sent_away() -> None:
    queue = Queue(Turns(1, waiting=2))
    for name, failures in (("a", 0), ("b", 5), ("c", 5), ("d", 7), ("right", 0)):
        await queue.add(name, failures)
    assert queue.sent_away == ["d", "c"]
    await queue.leave()
    await queue.leave()
    assert queue.inside == ["a", "right", "b"]


async def test_who_gives_up_waiting_leaves_no_turn_behind_him() -> None:
    queue = Queue(Turns(1, waiting=10))
    await queue.add("a", 0)
    await queue.add("b", 0)
    await queue.add("c", 0)
    queue.tasks["b"].cancel()
    queue.turns.leave()  # c's now
    queue.tasks["c"].cancel()  # at the very moment of his turn
    with pytest.raises(asyncio.CancelledError):
        await queue.tasks["c"]
    await queue.add("d", 0)
    assert queue.inside == ["a", "d"]
