"""Threads of one kind of work: bounded, in order, and nobody's end waits for them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextvars import ContextVar
from typing import NoReturn

import pytest

from relay.system.threads import Threads

word: ContextVar[str] = ContextVar("word")


async def test_what_a_call_gives_and_raises_is_its_callers() -> None:
    threads = Threads("test", 2)

    def broken() -> NoReturn:
        raise LookupError("x")

    assert await threads.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(LookupError, match="x"):
        await threads.run(broken)
    word.set("mine")
    assert await threads.run(word.get) == "mine"
    name = await threads.run(lambda: threading.current_thread().name)
    assert name.startswith("test-")
    threads.shutdown()
    with pytest.raises(RuntimeError):
        await threads.run(divmod, 7, 2)


async def test_there_are_never_more_than_asked_for() -> None:
    threads = Threads("bounded", 2)
    both_in, go_on = threading.Barrier(3), threading.Event()

    def block() -> None:
        both_in.wait(timeout=10)
        go_on.wait(timeout=10)

    blocked = [threads.submit(block) for _ in range(2)]
    await asyncio.to_thread(both_in.wait, 10)
    later = [threads.submit(int) for _ in range(50)]
    assert [future.running() or future.done() for future in later] == [False] * 50
    go_on.set()
    await asyncio.gather(*map(asyncio.wrap_future, blocked))
    await asyncio.gather(*map(asyncio.wrap_future, later))
    names = {thread.name for thread in threading.enumerate()}
    assert {name for name in names if name.startswith("bounded-")} == {
        "bounded-1",
        "bounded-2",
    }
    threads.shutdown()


async def test_work_is_done_in_the_order_in_which_it_came() -> None:
    threads = Threads("test", 1)
    go_on = threading.Event()
    threads.submit(go_on.wait, 10)
    order: list[int] = []
    later = [threads.submit(order.append, number) for number in range(50)]
    assert later[7].cancel()
    go_on.set()
    await asyncio.wrap_future(later[-1])
    assert order == [number for number in range(50) if number != 7]
    threads.shutdown()


async def test_a_shutdown_drops_what_has_not_begun_and_waits_for_nothing() -> None:
    threads = Threads("test", 1)
    begun, go_on = threading.Event(), threading.Event()

    def block() -> bool:
        begun.set()
        return go_on.wait(10)

    first = threads.submit(block)
    assert await asyncio.to_thread(begun.wait, 10)
    second = threads.submit(go_on.wait, 10)
    threads.shutdown(wait=True, cancel_futures=True)
    assert second.cancelled()
    assert not first.done()
    go_on.set()
    assert await asyncio.wrap_future(first)


HANGS = """
import asyncio, threading
from relay.system.threads import Threads

async def main():
    loop = asyncio.get_running_loop()
    loop.set_default_executor(Threads("default", 2))
    never = threading.Event()
    own = Threads("own", 2)
    tasks = [
        asyncio.create_task(asyncio.to_thread(never.wait)),
        asyncio.create_task(own.run(never.wait)),
    ]
    await asyncio.sleep(0.1)
    own.shutdown()
    print("over", flush=True)

asyncio.run(main())
"""


def test_a_process_ends_while_its_threads_hang() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", HANGS],
        capture_output=True,
        text=True,
        timeout=30,  # Python's own pool would keep it for ever
        check=True,
    )
    assert (done.stdout, done.stderr) == ("over\n", "")
