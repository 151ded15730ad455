"""Work in the task of who waits for it, which goes on elsewhere when that is over."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from relay.system.handover import Wait, driven, resumed

DONE = "done"  # what all work comes to here


class Kept:
    """A watch that a test gives up for; it knows what is waited for."""

    def __init__(self) -> None:
        self.waits: list[Wait] = []
        self.until: list[float] = []

    def begin(self, wait: Wait, until: float) -> None:
        self.waits.append(wait)
        self.until.append(until)

    def end(self, wait: Wait) -> None:
        self.waits.remove(wait)


class Answer(Wait):
    """A wait whose answer may come later; then it is in `later`."""

    def __init__(self) -> None:
        super().__init__()
        self.later: asyncio.Future[str] = self.get_loop().create_future()

    def _after(self) -> object:
        return self.later


class Work:
    """Asks once and remembers what came, and in which task."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.came: list[object] = []
        self.task: asyncio.Task[Any] | None = None

    async def done(self) -> str:
        came = await self.answer
        if isinstance(came, asyncio.Future):
            came = await came
        self.came.append(came)
        self.task = asyncio.current_task()
        return DONE


def begin(
    work: Coroutine[Any, Any, str], watch: Kept
) -> tuple[asyncio.Task[None], list[asyncio.Task[None]]]:
    """A task that drives `work`, and those that go on with it."""
    after: list[asyncio.Task[None]] = []

    async def client() -> None:
        if await driven(work, watch, 7.0) is None:
            after.append(asyncio.create_task(rest()))

    async def rest() -> None:
        assert await resumed(work) == DONE

    return asyncio.create_task(client()), after


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_ends_in_time_is_done_in_the_task_that_waits() -> None:
    work, watch = Work(), Kept()
    client, after = begin(work.done(), watch)
    await turn()
    assert (watch.waits, watch.until) == ([work.answer], [7.0])
    work.answer.set_result("taken")
    await client
    assert (work.came, work.task, after, watch.waits) == (["taken"], client, [], [])


async def test_what_is_given_up_goes_on_in_another_task() -> None:
    work, watch = Work(), Kept()
    client, after = begin(work.done(), watch)
    await turn()
    work.answer.give_up()
    await client
    assert (work.came, watch.waits) == ([], [])
    work.answer.later.set_result("taken later")
    (rest,) = after
    await rest
    assert (work.came, work.task) == (["taken later"], rest)


async def test_an_answer_between_giving_up_and_going_on_is_not_missed() -> None:
    work, watch = Work(), Kept()
    client, after = begin(work.done(), watch)
    await turn()
    work.answer.give_up()
    work.answer.later.set_result("just now")
    await client
    await after[0]
    assert work.came == ["just now"]


async def test_what_came_cannot_be_given_up_any_more() -> None:
    work, watch = Work(), Kept()
    client, after = begin(work.done(), watch)
    await turn()
    work.answer.set_result("taken")
    work.answer.give_up()
    await client
    assert (work.came, after) == (["taken"], [])


async def test_other_waits_stay_in_their_task_and_under_their_timeouts() -> None:
    came: list[object] = []

    async def done() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            came.append(asyncio.current_task())
        return DONE

    watch = Kept()
    client, after = begin(done(), watch)
    await client
    assert (came, after, watch.until) == ([client], [], [])


async def test_a_cancellation_ends_the_work() -> None:
    work, watch = Work(), Kept()
    client, after = begin(work.done(), watch)
    await turn()
    client.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client
    assert (work.came, after, watch.waits) == ([], [], [])
    assert work.answer.cancelled()


async def test_who_goes_on_is_cancelled_by_itself() -> None:
    work, watch = Work(), Kept()
    client, after = begin(work.done(), watch)
    await turn()
    work.answer.give_up()
    await client
    after[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await after[0]
    assert work.answer.later.cancelled()


async def test_what_the_work_raises_is_raised_to_who_waits() -> None:
    async def done() -> str:
        await asyncio.sleep(0)
        raise LookupError("none")

    client, _ = begin(done(), Kept())
    with pytest.raises(LookupError, match="none"):
        await client


async def test_an_error_that_came_is_the_works_to_handle() -> None:
    handled: list[str] = []
    answer = Answer()

    async def done() -> str:
        try:
            await answer
        except ConnectionError as error:
            handled.append(str(error))
        return DONE

    client, _ = begin(done(), Kept())
    await turn()
    answer.set_exception(ConnectionError("reset"))
    await client
    assert handled == ["reset"]
