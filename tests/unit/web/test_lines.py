"""Which connections of a crowd stay, on real sockets."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from relay.web.lines import KEPT, Lines, counted, hold

REQUEST = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that no event tells of."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


class Client:
    """One connection; what it reads ends with the connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader, self.writer = reader, writer

    def ask(self, path: bytes) -> None:
        self.writer.write(REQUEST % path)

    async def answer(self) -> bytes:
        """The status line and what comes with it."""
        async with asyncio.timeout(20):
            return await self.reader.read(65536)

    async def is_closed(self) -> bool:
        try:
            return await self.answer() == b""
        except ConnectionError:
            return True


class Crowd:
    """A server for a few connections, and clients of it."""

    def __init__(self, lines: Lines, go: asyncio.Event) -> None:
        self.port = 0
        self.made = 0  # connections that the server has seen
        self.lines = lines
        self.go = go
        self._clients: list[Client] = []

    def __call__(self) -> asyncio.Protocol:
        """What the server makes for each connection."""
        self.made += 1
        return self.lines()

    async def client(self) -> Client:
        """A client whose connection the server has counted or refused."""
        before = self.made
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        client = Client(reader, writer)
        self._clients.append(client)
        await until(lambda: self.made > before)
        return client

    async def close(self) -> None:
        self.go.set()
        for client in self._clients:
            client.writer.close()


@asynccontextmanager
async def crowd(*, head: float = 60.0, idle: float = 60.0) -> AsyncIterator[Crowd]:
    """Two requests may be held, and KEPT connections are beside them."""
    go = asyncio.Event()

    async def at_once(_: web.Request) -> web.Response:
        return web.Response(text="at once")

    async def held(request: web.Request) -> web.Response:
        if not hold(request):
            raise web.HTTPServiceUnavailable
        await go.wait()
        return web.Response(text="held")

    async def large(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * 30_000_000)

    app = web.Application(middlewares=[counted])
    app.add_routes(
        [web.get("/at-once", at_once), web.get("/held", held), web.get("/large", large)]
    )
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    lines = Lines(
        runner.server,
        name="x",
        most=KEPT + 2,
        head_seconds=head,
        idle_seconds=idle,
    )
    loop = asyncio.get_running_loop()
    found = Crowd(lines, go)
    server = await loop.create_server(found, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        await found.close()
        server.close()
        await runner.cleanup()


async def test_the_one_that_was_silent_longest_goes_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    async with crowd() as crowded:
        silent = [await crowded.client() for _ in range(KEPT + 2)]
        newest = [await crowded.client() for _ in range(3)]
        for client in newest:
            client.ask(b"/at-once")
            assert (await client.answer()).startswith(b"HTTP/1.1 200")
        for client in silent[:3]:
            assert await client.is_closed()
        silent[3].ask(b"/at-once")
        assert (await silent[3].answer()).startswith(b"HTTP/1.1 200")
        assert len(crowded.lines) == KEPT + 2
    assert [record.message for record in caplog.records] == ["too many connections"]


async def test_requests_that_wait_keep_their_places_and_leave_some_for_probes() -> None:
    async with crowd() as crowded:
        held = [await crowded.client() for _ in range(2)]
        for client in held:
            client.ask(b"/held")
        more = await crowded.client()
        await until(lambda: not crowded.lines.holds_more())
        more.ask(b"/held")
        assert (await more.answer()).startswith(b"HTTP/1.1 503")
        for _ in range(2 * KEPT):  # a crowd of the silent pushes out its own kind
            await crowded.client()
        probe = await crowded.client()
        probe.ask(b"/at-once")
        assert (await probe.answer()).startswith(b"HTTP/1.1 200")
        crowded.go.set()
        for client in held:
            assert (await client.answer()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("said", [b"", b"GET /at-once HTTP/1.1\r\nHost"])
async def test_the_head_of_a_request_has_its_time(said: bytes) -> None:
    async with crowd(head=0.05) as crowded:
        client = await crowded.client()
        client.writer.write(said)
        assert await client.is_closed()
        await until(lambda: not len(crowded.lines))


async def test_the_head_of_a_second_request_has_its_time_too() -> None:
    async with crowd(head=5) as crowded:
        client = await crowded.client()
        client.ask(b"/at-once")
        assert (await client.answer()).startswith(b"HTTP/1.1 200")
        crowded.lines.head_seconds = 0.05
        client.writer.write(b"GET ")
        assert await client.is_closed()


async def test_between_two_requests_there_is_another_time() -> None:
    async with crowd(idle=0.05) as crowded:
        client = await crowded.client()
        client.ask(b"/at-once")
        assert (await client.answer()).startswith(b"HTTP/1.1 200")
        assert await client.is_closed()


async def test_a_request_that_is_worked_on_is_not_silent() -> None:
    async with crowd(head=0.02, idle=0.02) as crowded:
        client = await crowded.client()
        client.ask(b"/held")
        asyncio.get_running_loop().call_later(0.2, crowded.go.set)
        assert (await client.answer()).startswith(b"HTTP/1.1 200")


async def test_who_takes_nothing_of_an_answer_is_cut_off() -> None:
    async with crowd(idle=0.1) as crowded:
        client = await crowded.client()
        taken = client.writer.get_extra_info("socket")
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # A StreamWriter's transport is typed as one that cannot read, and can.
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.ask(b"/large")
        await until(lambda: not len(crowded.lines))
