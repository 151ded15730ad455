"""Turns, shared out among addresses: nobody is locked out by who guesses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from relay.smtp.turns import Turns


class Queue:
    """Takers of turns, which keep theirs until a test lets them go."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.having: list[str] = []
        self._gone: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def comes(self, *names: str, suspect: bool = False) -> None:
        """Takers come; the address is what stands before the dot of a name."""
        for name in names:
            self._gone[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._takes(name, suspect))
        await settled()

    async def _takes(self, name: str, suspect: bool) -> None:
        async with self._turns.turn(name.partition(".")[0], suspect=suspect):
            self.having.append(name)
            await self._gone[name].wait()
            self.having.remove(name)

    async def goes(self, name: str) -> None:
        self._gone[name].set()
        await settled()

    async def leaves(self, *names: str) -> None:
        for name in names:
            self._tasks[name].cancel()
        await settled()

    async def order(self) -> Sequence[str]:
        """Let each go that has a turn, the first first; who had one, in order."""
        seen = []
        while self.having:
            seen.append(self.having[0])
            await self.goes(self.having[0])
        return seen


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_address_with_a_thousand_guesses_has_one_turn_after_another() -> None:
    queue = Queue(Turns(2))
    await queue.comes(*(f"many.{n}" for n in range(1000)))
    await queue.comes("one.0")
    assert queue.having == ["many.0", "many.1"]
    await queue.goes("many.0")
    await queue.goes("many.1")
    assert "one.0" in queue.having


async def test_who_guessed_wrong_never_has_the_last_turn() -> None:
    queue = Queue(Turns(2))
    await queue.comes(*(f"bad{n}.0" for n in range(50)), suspect=True)
    assert queue.having == ["bad0.0"]
    await queue.comes("good.0")
    assert queue.having == ["bad0.0", "good.0"]


async def test_who_guessed_wrong_has_a_turn_however_many_others_come() -> None:
    queue = Queue(Turns(2))
    await queue.comes(*(f"good{n}.0" for n in range(50)))
    await queue.comes("bad.0", suspect=True)
    await queue.goes("good0.0")
    assert sorted(queue.having) == ["bad.0", "good1.0"]


async def test_addresses_take_their_turns_in_order() -> None:
    queue = Queue(Turns(1))
    await queue.comes("a.0", "a.1", "a.2", "b.0", "b.1", "c.0")
    assert await queue.order() == ["a.0", "a.1", "b.0", "c.0", "a.2", "b.1"]


async def test_who_leaves_while_waiting_or_as_its_turn_comes_keeps_none() -> None:
    queue = Queue(Turns(1))
    await queue.comes("a.0", "b.0", "b.1", "c.0", "d.0")
    await queue.leaves("b.0", "b.1", "c.0")
    queue._gone["a.0"].set()
    await asyncio.sleep(0)
    await queue.leaves("a.0")
    assert queue.having == ["d.0"]
    assert await queue.order() == ["d.0"]
    assert queue._turns._under_way == {False: 0, True: 0}
    assert queue._turns._waiting == {False: {}, True: {}}


async def test_a_cancelled_taker_is_passed_over_before_it_knows() -> None:
    queue = Queue(Turns(1))
    await queue.comes("a.0", "b.0", "c.0")
    queue._tasks["b.0"].cancel()
    queue._gone["a.0"].set()
    await settled()
    assert queue.having == ["c.0"]
