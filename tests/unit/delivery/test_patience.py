"""One clock for all who wait: each wait ends at its own time, or before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextvars import Context
from typing import TypeVarTuple

import pytest

from relay.delivery.patience import Patience
from relay.system.handover import Wait
from tests.unit.delivery.test_queued_machine import Loop

With = TypeVarTuple("With")


class CountingLoop(Loop):
    """A loop that remembers which timers were set."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[float] = []

    def call_at(
        self,
        when: float,
        callback: Callable[[*With], object],
        *args: *With,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self.timers.append(when)
        return super().call_at(when, callback, *args, context=context)


class Waits:
    """Waits by one `Patience`, in a loop whose time goes on when a test says so."""

    def __init__(self) -> None:
        self.loop = CountingLoop()
        self.patience = Patience(self.loop.time)
        self.over: list[Wait] = []
        self.tasks: list[asyncio.Task[None]] = []

    def begin(self, seconds: float) -> Wait:
        over = Wait(loop=self.loop)
        self.over.append(over)
        until = self.loop.at + seconds
        self.tasks.append(self.loop.create_task(self.patience.wait(over, until)))
        self.turn()
        return over

    def turn(self) -> None:
        async def rest() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        self.loop.run_until_complete(rest())

    def pass_by(self, seconds: float) -> list[bool]:
        """Which waits have ended after so many more seconds."""
        self.loop.at += seconds
        self.turn()
        return [task.done() for task in self.tasks]


@pytest.fixture
def waits() -> Iterator[Waits]:
    made = Waits()
    yield made
    for task in made.tasks:
        task.cancel()
    made.turn()
    made.loop.close()


def test_each_wait_ends_at_its_own_time(waits: Waits) -> None:
    waits.begin(3.0)
    waits.pass_by(1.0)
    waits.begin(3.0)
    waits.begin(0.5)  # it had waited elsewhere before
    assert waits.pass_by(0.4) == [False, False, False]
    assert waits.pass_by(0.2) == [False, False, True]
    assert waits.pass_by(1.5) == [True, False, True]
    assert waits.pass_by(1.0) == [True, True, True]


def test_what_ends_before_is_waited_for_no_longer(waits: Waits) -> None:
    first = waits.begin(3.0)
    waits.begin(4.0)
    first.set_result(None)
    assert waits.pass_by(0.0) == [True, False]
    assert waits.pass_by(3.5) == [True, False]
    assert waits.pass_by(0.6) == [True, True]


def test_one_that_is_cut_off_takes_no_other_along(waits: Waits) -> None:
    waits.begin(3.0)
    waits.begin(3.0)
    waits.tasks[0].cancel()
    assert waits.pass_by(0.0) == [True, False]
    assert waits.pass_by(3.1) == [True, True]
    assert waits.tasks[0].cancelled()
    assert not waits.tasks[1].cancelled()


def test_who_comes_when_all_have_gone_waits_as_long(waits: Waits) -> None:
    waits.begin(3.0).set_result(None)
    waits.pass_by(10.0)
    waits.begin(3.0)
    assert waits.pass_by(2.9) == [True, False]
    assert waits.pass_by(0.2) == [True, True]


def test_many_that_are_answered_in_time_set_one_timer(waits: Waits) -> None:
    for _ in range(100):
        waits.begin(3.0).set_result(None)
        waits.pass_by(0.01)
    assert waits.loop.timers == [1003.0]


def test_no_time_left_is_no_wait(waits: Waits) -> None:
    waits.begin(0)
    assert waits.pass_by(0.0) == [True]
