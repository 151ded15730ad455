"""Doors: never more inside than there are files for, and all come in in the end."""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from relay.system.door import Crowd, Door
from relay.system.open_files import tell_once
from relay.system.sockets import bind


class Guest(asyncio.Protocol):
    """Stays until it is sent away."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._room.guests.append(self)
        self._room.changed.set()


class Room:
    """What is behind some doors: who is inside, and whose door each came by."""

    def __init__(self, *, most: int, doors: int = 1) -> None:
        self.crowd = Crowd(most)
        self.guests: list[Guest] = []
        self.by: list[int] = []
        self.changed = asyncio.Event()
        self._stack = ExitStack()
        bound = [bind("127.0.0.1", 0)[0] for _ in range(doors)]
        self.ports = [sock.getsockname()[1] for sock in bound]
        self.doors = [
            Door(self._guest_at(index), sock, self.crowd)
            for index, sock in enumerate(bound)
        ]

    def _guest_at(self, index: int) -> Callable[[], Guest]:
        def guest() -> Guest:
            self.by.append(index)
            return Guest(self)

        return guest

    def come(self, number: int, door: int = 0) -> None:
        """Connect so often; a kernel says yes before anybody is let in."""
        for _ in range(number):
            client = socket.create_connection(("127.0.0.1", self.ports[door]))
            self._stack.callback(client.close)

    async def until(self, there: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not there():
                self.changed.clear()
                await self.changed.wait()

    def send_away(self) -> None:
        guest = self.guests.pop(0)
        assert guest.transport is not None
        guest.transport.abort()

    async def close(self) -> None:
        for door in self.doors:
            door.close()
        self._stack.close()
        while self.crowd.inside:
            while self.guests:
                self.send_away()
            await asyncio.sleep(0)


async def some_turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_more_are_inside_than_there_is_room_for_and_all_come_in() -> None:
    room = Room(most=7, doors=3)
    for door in range(3):
        room.come(30, door)
    for gone in range(90):
        await room.until(lambda: bool(room.guests))
        await some_turns()
        assert room.crowd.inside == min(7, 90 - gone)
        room.send_away()
    await room.close()
    assert room.crowd.inside == 0
    assert sorted(room.by) == [0] * 30 + [1] * 30 + [2] * 30


async def test_no_door_waits_for_long_for_the_others() -> None:
    room = Room(most=1, doors=3)
    for door in range(3):
        room.come(5, door)
    for _ in range(15):
        await room.until(lambda: bool(room.guests))
        room.send_away()
    await room.close()
    for index in range(0, 15, 3):
        assert sorted(room.by[index : index + 3]) == [0, 1, 2]


async def test_a_closed_door_lets_nobody_in_when_somebody_leaves() -> None:
    room = Room(most=1)
    room.come(2)
    await room.until(lambda: bool(room.guests))
    await some_turns()
    room.doors[0].close()
    room.send_away()
    await some_turns()
    assert room.crowd.inside == 0
    with pytest.raises(ConnectionRefusedError):
        room.come(1)
    await room.close()


@contextmanager
def no_files() -> Iterator[None]:
    """Let this process open nothing more; what is open stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as lowest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest.fileno(), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_who_comes_while_no_file_is_left_comes_in_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tell_once(asyncio.get_running_loop())
    room = Room(most=10)
    room.come(3)
    with no_files():
        await some_turns()
        assert room.crowd.inside == 0
    await room.until(lambda: len(room.guests) == 3)
    assert [record.message for record in caplog.records] == ["no files left"]
    await room.close()


async def test_a_guest_is_known_and_hears_each_line_at_once() -> None:
    room = Room(most=1)
    with socket.create_connection(("127.0.0.1", room.ports[0])) as client:
        await room.until(lambda: bool(room.guests))
        transport = room.guests[0].transport
        assert transport is not None
        about = transport.get_extra_info
        assert about("peername") == client.getsockname()
        # Nagle's algorithm would hold a line back until the client confirms the last.
        assert about("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    await room.close()


async def test_a_client_that_is_gone_already_is_no_fault() -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: faults.append(context)
    )
    room = Room(most=2)
    gone = socket.create_connection(("127.0.0.1", room.ports[0]))
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()
    room.come(1)
    await room.until(lambda: bool(room.guests))
    await some_turns()
    assert faults == []
    await room.close()


async def test_who_gets_no_protocol_leaves_at_once() -> None:
    crowd = Crowd(1)
    met: list[str] = []

    def broken() -> asyncio.Protocol:
        met.append("one")
        raise RuntimeError("no protocol")

    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: told.append(str(context.get("exception")))
    )
    (sock,) = bind("127.0.0.1", 0)
    where = sock.getsockname()
    door = Door(broken, sock, crowd)
    reader, writer = await asyncio.open_connection(*where)
    assert await reader.read() == b""
    writer.close()
    assert (crowd.inside, met, told) == (0, ["one"], ["no protocol"])
    door.close()
