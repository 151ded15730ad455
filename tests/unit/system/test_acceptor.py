"""Taking clients: many at once, one that is gone, and no file left for one more."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import struct
from collections.abc import Iterator
from typing import Any, cast

import pytest

from relay.system.acceptor import Acceptor
from relay.system.sockets import bind


class Greeter(asyncio.Protocol):
    """Greets, and remembers what its socket is like."""

    made: list[Greeter]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.made.append(self)
        self.transport.write(b"220 hello\r\n")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    (sock,) = bind("127.0.0.1", 0)
    with sock:
        yield sock


@pytest.fixture
def made() -> list[Greeter]:
    Greeter.made = []
    return Greeter.made


async def greeting(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    line = await reader.readline()
    writer.close()
    return line


async def test_a_crowd_is_greeted_whole(
    listening: socket.socket, made: list[Greeter]
) -> None:
    acceptor = Acceptor(Greeter, listening)
    port = listening.getsockname()[1]
    for _ in range(2):
        crowd = await asyncio.gather(*(greeting(port) for _ in range(150)))
        assert set(crowd) == {b"220 hello\r\n"}
    assert len(made) == 300
    acceptor.close()
    acceptor.close()
    with pytest.raises(ConnectionRefusedError):
        await greeting(port)


async def test_a_client_is_known_and_hears_each_line_at_once(
    listening: socket.socket, made: list[Greeter]
) -> None:
    acceptor = Acceptor(Greeter, listening)
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    await reader.readline()
    [greeter] = made
    about = greeter.transport.get_extra_info
    assert about("peername") == writer.get_extra_info("sockname")
    # Nagle's algorithm would hold a line back until the client confirms the last one.
    nodelay = about("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert nodelay
    writer.close()
    acceptor.close()


async def test_a_client_that_is_gone_already_is_no_fault(
    listening: socket.socket, made: list[Greeter]
) -> None:
    faults: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(context))
    gone = socket.create_connection(listening.getsockname())
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()
    acceptor = Acceptor(Greeter, listening)
    assert await greeting(listening.getsockname()[1]) == b"220 hello\r\n"
    assert faults == []
    acceptor.close()


async def test_without_files_clients_wait_until_there_are_some(
    listening: socket.socket, made: list[Greeter]
) -> None:
    faults: list[OSError] = []
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def handle(_: object, context: dict[str, Any]) -> None:
        faults.append(context["exception"])
        told.set()

    loop.set_exception_handler(handle)
    client = socket.create_connection(listening.getsockname())
    client.setblocking(False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with client:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
            acceptor = Acceptor(Greeter, listening)
            await told.wait()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert [error.errno for error in faults] == [errno.EMFILE]
        assert made == []
        assert await loop.sock_recv(client, 100) == b"220 hello\r\n"
        acceptor.close()
