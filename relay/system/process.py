"""Run the parts of the relay until a signal, and end them in order.

Two signals in asyncio's own terms: the event `stopping` means begin nothing new,
finish what is in hand; cancellation means that the time for it is over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

# Turns of the loop in which a client that waits at a listener is greeted: asyncio needs
# one each to listen, to take it, to make its connection and to begin its session.
TURNS = 10


class CannotStart(Exception):  # noqa: N818 - a statement, meant for the operator
    """The relay cannot start as it is set up."""


class CannotStartNow(CannotStart):
    """What stands in the way may pass by itself: the same start may work later."""


class Service(Protocol):
    """A part that runs until told to stop."""

    name: str

    async def run(self, stopping: asyncio.Event) -> None: ...


class Hangups:
    """SIGHUP, which asks for new settings and ends nothing, not even at the very end.

    Not by the loop's own handlers: these are taken away before the process ends, and
    what the signal does then is to end it.
    """

    def __init__(self) -> None:
        self._came = False
        self._tell: Callable[[], object] | None = None
        signal.signal(signal.SIGHUP, self._hear)

    def _hear(self, *_: object) -> None:
        self._came = True
        if self._tell is not None:
            self._tell()

    @contextmanager
    def told_to(self, event: asyncio.Event) -> Iterator[None]:
        """Have `event` of the running loop set for each, also for those before."""
        loop = asyncio.get_running_loop()
        self._tell = partial(loop.call_soon_threadsafe, event.set)
        if self._came:
            event.set()
        try:
            yield
        finally:
            self._tell = None


async def run_until_signal(
    services: Sequence[Service],
    more: Callable[[], Awaitable[Sequence[Service]]],
    *,
    stopping: asyncio.Event,
    grace: Callable[[], float],
    on_stop: Callable[[], None],
) -> None:
    """Run all services until SIGTERM or SIGINT, then give them what `grace` says.

    `more` makes those that begin after the others have served whoever waited for
    them; it may take its time. `on_stop` is called at the first signal.
    A second signal ends the grace at once. Raises TimeoutError when work had to be
    cut off, and an ExceptionGroup when a service broke, or `more` did.
    """
    loop = asyncio.get_running_loop()
    over = False
    async with asyncio.timeout(None) as deadline:

        def on_signal() -> None:
            if over or deadline.expired():
                return  # a signal too many, or one that came in at the very end
            left = 0.0 if stopping.is_set() else grace()
            if not stopping.is_set():
                on_stop()
            stopping.set()
            deadline.reschedule(loop.time() + left)

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal)
        try:
            async with asyncio.TaskGroup() as group:
                for service in services:
                    group.create_task(_run(service, stopping), name=service.name)
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                for service in await more():
                    group.create_task(_run(service, stopping), name=service.name)
        finally:
            over = True
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


async def _run(service: Service, stopping: asyncio.Event) -> None:
    await service.run(stopping)
    if not stopping.is_set():  # half a relay is worse than none: let all stop
        raise RuntimeError(f"{service.name} ended by itself")


def notify(state: str) -> None:
    """Tell systemd, where it listens (sd_notify(3)); else do nothing."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if not where:
        return
    name = "\0" + where[1:] if where.startswith("@") else where
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(name)
            sock.sendall(state.encode())
        except OSError:
            pass  # nobody listens any more; not the relay's business
