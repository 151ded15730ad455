"""Work that is done in the task of who waits for it, and goes on elsewhere without it.

In a task of its own work outlives whoever waits; but it is hardly ever outlived, and
the task and its turns of the loop cost as much as all else that a queue does for a mail
that SES takes at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Wait(asyncio.Future[Any]):
    """A wait that can be given up before what it waits for has come.

    Work may change its task here, and so it is in no timeout of asyncio's, which would
    hold on to the task that it was begun in. `given_up` tells that it was.
    """

    given_up = False  # set where it was, since one is made for each mail

    def give_up(self) -> None:
        """End it; what it waits for may come later, and elsewhere."""
        if not self.done():
            self.given_up = True
            self.set_result(self._after())

    def _after(self) -> object:
        """What the work has instead."""
        return None


class Watch(Protocol):
    """Gives up each wait that has lasted until its time."""

    def begin(self, wait: Wait, until: float) -> None:
        """Watch `wait`; `until` is a time of `time.monotonic`."""

    def end(self, wait: Wait) -> None:
        """Watch it no more."""


@coroutine
def driven(
    work: Coroutine[Any, Any, T], watch: Watch, until: float
) -> Generator[Any, None, T | None]:
    """Do `work` in the running task, and give what it comes to.

    None: a `Wait` of it was given up, which `watch` does from `until` on. What is left
    of it, `resumed` does in another task. What else the work waits for, it waits for
    in this one. Raises what `work` raises; a cancellation ends the work, as that of
    any coroutine that is awaited.
    """
    try:
        wait = work.send(None)
        while True:
            watched = wait if isinstance(wait, Wait) else None
            if watched is not None:
                watch.begin(watched, until)
            try:
                yield wait
            except BaseException as error:  # noqa: BLE001 - the work's, as with await
                if watched is not None:
                    watch.end(watched)
                wait = work.throw(error)
                continue
            if watched is not None:
                watch.end(watched)
                if watched.given_up:
                    return None
            wait = work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result


@coroutine
def resumed(work: Coroutine[Any, Any, T]) -> Generator[Any, None, T]:
    """Do what is left of `work` that was begun, in the running task."""
    result: T = yield from work
    return result
