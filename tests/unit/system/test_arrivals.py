"""Who is told that there is something to read, and when no more."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from relay.system.arrivals import Arrivals

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    made = [socket.socketpair() for _ in range(3)]
    for pair in made:
        for one in pair:
            one.setblocking(False)
    yield made
    for pair in made:
        for one in pair:
            one.close()


async def some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_each_is_called_until_all_is_read_and_at_the_end(
    pairs: list[Pair],
) -> None:
    arrivals = Arrivals()
    read: list[tuple[int, bytes]] = []
    for number, (here, _) in enumerate(pairs):

        def take(number: int = number, here: socket.socket = here) -> None:
            read.append((number, here.recv(2)))

        arrivals.add(here.fileno(), take)
    pairs[0][1].sendall(b"abc")
    pairs[2][1].sendall(b"de")
    await some_turns()
    assert sorted(read) == [(0, b"ab"), (0, b"c"), (2, b"de")]
    pairs[1][1].close()
    await some_turns()
    assert (1, b"") in read
    for here, _ in pairs:
        arrivals.remove(here.fileno())
    arrivals.end()


async def test_who_was_taken_out_by_one_before_it_is_not_called(
    pairs: list[Pair],
) -> None:
    arrivals = Arrivals()
    called: list[int] = []
    for number, (here, there) in enumerate(pairs):

        def only_me(number: int = number) -> None:
            called.append(number)
            for one, _ in pairs:
                arrivals.remove(one.fileno())

        arrivals.add(here.fileno(), only_me)
        there.sendall(b"x")
    await some_turns()
    assert len(called) == 1
    arrivals.end()


async def test_one_that_breaks_keeps_no_other_from_reading(pairs: list[Pair]) -> None:
    arrivals = Arrivals()
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    read: list[bytes] = []
    for here, there in pairs[1:]:

        def take(here: socket.socket = here) -> None:
            read.append(here.recv(9))

        arrivals.add(here.fileno(), take)
        there.sendall(b"x")
    here, there = pairs[0]

    def broken() -> None:
        here.recv(9)
        raise RuntimeError("broken")

    arrivals.add(here.fileno(), broken)
    there.sendall(b"x")
    await some_turns()
    assert read == [b"x", b"x"]
    assert [str(context["exception"]) for context in told] == ["broken"]
    for here, _ in pairs:
        arrivals.remove(here.fileno())
    arrivals.end()


async def test_its_file_is_closed_when_the_last_is_taken_out_and_not_before(
    pairs: list[Pair],
) -> None:
    def open_files() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = open_files()
    arrivals = Arrivals()
    read: list[bytes] = []
    here, there = pairs[0]
    arrivals.add(here.fileno(), lambda: read.append(here.recv(9)))
    arrivals.end()
    there.sendall(b"x")
    await some_turns()
    assert read == [b"x"]
    arrivals.remove(here.fileno())
    arrivals.remove(here.fileno())  # twice is once
    assert open_files() == before
    # Who had paused reads on.
    arrivals.add(here.fileno(), lambda: read.append(here.recv(9)))
    there.sendall(b"y")
    await some_turns()
    arrivals.remove(here.fileno())
    assert read == [b"x", b"y"]
    assert open_files() == before
