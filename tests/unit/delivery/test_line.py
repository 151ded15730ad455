"""The line without a queue, on a loop whose time goes on at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

from relay.delivery.line import Line
from relay.delivery.pace import Pace
from relay.model.mail import Priority
from relay.model.replies import TOO_FAST, TOO_MANY_CALLS
from relay.model.reply import Reply


class _Leaping(selectors.DefaultSelector):
    """Waits for nothing: the time that it was to wait has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 0.0

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        self.at += timeout or 0.0
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.at


def run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(work)


def test_codes_leave_before_what_came_earlier_and_nobody_waits_for_ever() -> None:
    left: list[str] = []

    async def mail(line: Line, priority: Priority) -> None:
        assert await line.wait(priority, 1, before=1e9) is None
        left.append(priority.name)
        line.leave()

    async def all_of_them() -> None:
        line = Line(Pace(2.0), 50)
        async with asyncio.TaskGroup() as group:
            for priority in (Priority.LOW, Priority.NORMAL, Priority.HIGH):
                for _ in range(30):
                    group.create_task(mail(line, priority))
                await asyncio.sleep(0)

    run(all_of_them())
    # The first found a token; of the rest nine of ten turns are the codes'.
    assert left[0] == "LOW"
    assert left[1:21].count("HIGH") == 18
    assert left.index("NORMAL") < 12
    assert sorted(left) == sorted(["LOW", "NORMAL", "HIGH"] * 30)


def test_what_stood_in_the_way_is_told() -> None:
    async def both() -> None:
        loop = asyncio.get_running_loop()
        one_call = Line(Pace(), 1)
        assert await one_call.wait(Priority.HIGH, 1, before=5.0) is None
        assert await one_call.wait(Priority.HIGH, 1, before=5.0) == TOO_MANY_CALLS
        assert loop.time() >= 5.0
        slow = Line(Pace(1.0), 9)
        assert await slow.wait(Priority.HIGH, 20, before=loop.time() + 3) is None
        began = loop.time()
        # It could not be in time, and hears so at once.
        assert await slow.wait(Priority.HIGH, 1, before=began + 3) == TOO_FAST
        assert loop.time() == began

    run(both())


def test_a_turn_and_the_end_of_the_wait_in_one_moment_are_one_of_both() -> None:
    async def together() -> None:
        loop = asyncio.get_running_loop()
        line = Line(Pace(4.0, burst=1.0), 9)
        assert await line.wait(Priority.NORMAL, 1, before=9.0) is None
        before = loop.time() + 0.5
        waits = [line.wait(Priority.NORMAL, 1, before=before) for _ in range(5)]
        replies = await asyncio.gather(*waits)
        # Of five a second's half lets two out, and who hears of a turn has one.
        assert 1 <= replies.count(None) <= 2
        assert set(replies) == {None, TOO_FAST}

    run(together())


def test_who_leaves_the_line_takes_nobodys_turn() -> None:
    async def cancelled() -> Reply | None:
        line = Line(Pace(), 1)
        assert await line.wait(Priority.NORMAL, 1, before=9.0) is None
        waiting = [
            asyncio.create_task(line.wait(Priority.NORMAL, 1, before=9.0))
            for _ in range(3)
        ]
        await asyncio.sleep(0)
        waiting[0].cancel()
        line.leave()  # the first is cancelled in the same turn of the loop
        await asyncio.sleep(0)
        assert await waiting[1] is None
        line.leave()
        return await waiting[2]

    async def check() -> None:
        assert await cancelled() is None

    run(check())
