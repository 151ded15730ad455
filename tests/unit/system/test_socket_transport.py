"""The transport on a connected socket, against a client that reads when it likes."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from typing import cast

import pytest

from relay.system.arrivals import Arrivals
from relay.system.departures import Departures
from relay.system.socket_transport import SocketTransport

MUCH = bytes(range(256)) * 16_384  # 4 MB, more than the kernel takes


class Told(asyncio.Protocol):
    """Remembers what it was told."""

    def __init__(self, *, stays: bool = True) -> None:
        self.transport: SocketTransport | None = None
        self.received = b""
        self.told: list[str] = []
        self.lost = asyncio.get_running_loop().create_future()
        self.arrived = asyncio.Event()
        self._stays = stays

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("SocketTransport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.arrived.set()

    def eof_received(self) -> bool:
        self.told.append("end")
        self.arrived.set()
        return self._stays

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(error)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        server, _ = listening.accept()
    server.setblocking(False)
    client.setblocking(False)
    with client, server:
        yield client, server


Ends = tuple[socket.socket, socket.socket]


async def read_all(client: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    chunks = []
    while chunk := await loop.sock_recv(client, 65_536):
        chunks.append(chunk)
    return b"".join(chunks)


async def test_what_the_kernel_does_not_take_goes_later_in_its_order(
    ends: Ends,
) -> None:
    client, server = ends
    told = Told()
    transport = SocketTransport(server, told, arrivals=Arrivals())
    for kind in (bytes, bytearray, memoryview):
        transport.write(kind(MUCH))
    assert transport.get_write_buffer_size() > 0
    assert told.told == ["pause"]
    transport.close()  # in order: all of it still goes out
    transport.write(b"never")
    assert await read_all(client) == MUCH * 3
    assert await told.lost is None
    assert told.told == ["pause", "resume"] or told.told == ["pause"]
    assert transport.get_write_buffer_size() == 0


async def test_who_is_slow_is_waited_for_and_then_written_to_again(ends: Ends) -> None:
    client, server = ends
    told = Told()
    transport = SocketTransport(server, told, arrivals=Arrivals())
    transport.write(MUCH)
    loop = asyncio.get_running_loop()
    read = 0
    while read < len(MUCH):
        read += len(await loop.sock_recv(client, 262_144))
    assert told.told == ["pause", "resume"]
    transport.write(b"more")
    assert await loop.sock_recv(client, 10) == b"more"
    transport.close()
    assert await told.lost is None


async def test_an_abort_drops_what_was_not_sent(ends: Ends) -> None:
    client, server = ends
    told = Told()
    transport = SocketTransport(server, told, arrivals=Arrivals())
    transport.write(MUCH)
    transport.abort()
    transport.abort()
    assert transport.is_closing()
    assert await told.lost is None
    assert len(await read_all(client)) < len(MUCH)


def arrived(client: socket.socket) -> bytes:
    """What is here by now."""
    try:
        return client.recv(100_000)
    except BlockingIOError:
        return b""


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_is_written_in_a_turn_leaves_at_its_end_in_its_order(
    ends: Ends,
) -> None:
    client, server = ends
    transport = SocketTransport(server, Told(), arrivals=Arrivals())
    transport.write(b"one, ")
    transport.write(b"two")
    assert arrived(client) == b""
    assert transport.get_write_buffer_size() == 0  # the kernel has refused nothing
    await turn()
    assert arrived(client) == b"one, two"
    transport.write(b"three")
    await turn()
    assert arrived(client) == b"three"


async def test_much_does_not_wait_and_what_is_before_it_goes_first(ends: Ends) -> None:
    client, server = ends
    transport = SocketTransport(server, Told(), arrivals=Arrivals())
    transport.write(b"before ")
    transport.write(b"x" * 20_000)
    transport.write(b" after")
    assert arrived(client) == b"before " + b"x" * 20_000
    await turn()
    assert arrived(client) == b" after"


async def test_a_last_word_leaves_before_the_end(ends: Ends) -> None:
    client, server = ends
    told = Told()
    transport = SocketTransport(server, told, arrivals=Arrivals())
    transport.write(b"221 bye")
    transport.close()
    assert await read_all(client) == b"221 bye"
    assert await told.lost is None


async def test_an_abort_drops_what_was_to_leave(ends: Ends) -> None:
    client, server = ends
    told = Told()
    transport = SocketTransport(server, told, arrivals=Arrivals())
    transport.write(b"never")
    transport.abort()
    assert await told.lost is None
    assert await read_all(client) == b""


async def test_a_reset_before_it_leaves_is_told_as_what_it_is(ends: Ends) -> None:
    client, server = ends
    told = Told()
    transport = SocketTransport(server, told, arrivals=Arrivals())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    transport.write(b"to nobody")
    assert isinstance(await told.lost, ConnectionError)


async def test_one_that_breaks_takes_no_other_along() -> None:
    loop = asyncio.get_running_loop()
    departures, left, broken = Departures(loop), list[str](), list[object]()
    loop.set_exception_handler(
        lambda _, context: broken.append(context.get("exception"))
    )

    def breaks() -> None:
        departures.add(lambda: left.append("later"))
        raise RuntimeError("a bug")

    departures.add(breaks)
    departures.add(lambda: left.append("the other"))
    await turn()
    assert left == ["the other", "later"]
    assert list(map(str, broken)) == ["a bug"]


async def test_a_client_that_closed_its_side_is_still_written_to(ends: Ends) -> None:
    client, server = ends
    told = Told(stays=True)
    transport = SocketTransport(server, told, arrivals=Arrivals())
    await asyncio.get_running_loop().sock_sendall(client, b"last words")
    client.shutdown(socket.SHUT_WR)
    while "end" not in told.told:
        told.arrived.clear()
        await told.arrived.wait()
    assert told.received == b"last words"
    assert not transport.is_closing()
    transport.write(b"heard")
    transport.close()
    assert await read_all(client) == b"heard"


async def test_a_protocol_that_has_enough_at_the_end_is_closed(ends: Ends) -> None:
    client, server = ends
    told = Told(stays=False)
    SocketTransport(server, told, arrivals=Arrivals())
    client.shutdown(socket.SHUT_WR)
    assert await told.lost is None
    assert await read_all(client) == b""


async def test_a_reset_is_told_as_what_it_is(ends: Ends) -> None:
    client, server = ends
    told = Told()
    transport = SocketTransport(server, told, arrivals=Arrivals())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert isinstance(await told.lost, ConnectionError)
    transport.write(b"to nobody")
    transport.close()


async def test_a_reset_is_told_while_much_is_unsent(ends: Ends) -> None:
    client, server = ends
    told = Told()
    transport = SocketTransport(server, told, arrivals=Arrivals())
    transport.write(MUCH)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    assert isinstance(await told.lost, ConnectionError)
    assert transport.get_write_buffer_size() == 0


async def test_nothing_is_read_in_a_pause(ends: Ends) -> None:
    client, server = ends
    told = Told()
    transport = SocketTransport(server, told, arrivals=Arrivals())
    transport.pause_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    await asyncio.get_running_loop().sock_sendall(client, b"early")
    for _ in range(5):
        await asyncio.sleep(0)
    assert told.received == b""
    transport.resume_reading()
    transport.resume_reading()
    await told.arrived.wait()
    assert told.received == b"early"
    transport.close()
    transport.resume_reading()
    assert not transport.is_reading()
    assert await told.lost is None
