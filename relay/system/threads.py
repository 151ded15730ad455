"""Threads for one kind of blocking work, which hold up neither other work nor a stop.

What runs in them must be safe to leave half done: whatever still runs when the process
ends, ends with it. Work that has to be whole, the spool's, has a thread of its own.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Daemon(threading.Thread):
    """A thread that nobody waits for."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        super().__init__(target=run, name=name, daemon=True)


def end_process(code: int) -> int:
    """End the process with `code` where threads of ours are left; else give it back.

    Such a thread may be in the middle of an import or of a C library when the
    interpreter takes itself apart under it, which ends in SIGSEGV.
    """
    if any(isinstance(thread, _Daemon) for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass  # nobody reads it any more
        os._exit(code)
    return code


class Threads(ThreadPoolExecutor):
    """At most `most` threads; what comes while all are busy waits in its order.

    Python's own pool ends no process before its last call has returned, and asyncio
    waits for it as well: a resolver that hangs kept a stop waiting for half a minute.
    Of that pool this one has the name alone, because asyncio takes no other as its
    default.
    """

    def __init__(self, name: str, most: int) -> None:  # not the other's: see above
        self._name = name
        self._most = most
        self._changed = threading.Condition()
        self._work: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._made = self._idle = 0
        self._over = False

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Have `fn` called in one of the threads, as an executor does."""
        future: Future[T] = Future()
        with self._changed:
            if self._over:
                raise RuntimeError(f"no work begins in the threads {self._name!r} now")
            self._work.append((future, partial(fn, *args, **kwargs)))
            if self._idle < len(self._work) and self._made < self._most:
                self._made += 1
                name = f"{self._name}-{self._made}"
                _Daemon(name, self._run).start()
            self._changed.notify()
        return future

    async def run(
        self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call `function` in one of the threads, in the caller's context."""
        call = partial(copy_context().run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self, call)

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Let nothing new begin. It never waits, whatever `wait` says."""
        with self._changed:
            self._over = True
            dropped = list(self._work) if cancel_futures else []
            if cancel_futures:
                self._work.clear()
            self._changed.notify_all()
        for future, _ in dropped:
            future.cancel()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            _do(*work)
            del work  # and with it what it gave, while this thread waits

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._changed:
            self._idle += 1
            while not self._work and not self._over:
                self._changed.wait()
            self._idle -= 1
            return self._work.popleft() if self._work else None


def _do(future: Future[T], call: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - belongs to who waits for it
        future.set_exception(error)
    else:
        future.set_result(result)
