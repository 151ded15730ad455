"""Connections to a real server: kept, bounded, replaced, and never trusted too long."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from relay.ses.http.connection import Answer, Broken
from relay.ses.http.names import Names
from relay.ses.http.pool import Peer, Pool, Unsent

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class FakeServer:
    """A server that counts; `answer` is what it does with each request's head."""

    def __init__(self, answer: Script) -> None:
        self.answer = answer
        self.opened = self.requests = self.now = self.most = 0
        self._changed = asyncio.Condition()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what is true after a connection or a request came or went."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(condition)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.opened += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                await self._tell()
                await self.answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.now -= 1
            writer.close()
            await self._tell()


async def say_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


async def say_nothing(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await reader.read()


@asynccontextmanager
async def pool_at(
    answer: Script = say_ok, *, limit: int = 5, idle_seconds: float = 12
) -> AsyncIterator[tuple[Pool, FakeServer]]:
    peer = FakeServer(answer)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    pool = Pool(
        Peer(*server.sockets[0].getsockname()),
        names=Names(patience=2),
        limit=limit,
        connect_timeout=2,
        idle_seconds=idle_seconds,
    )
    async with server:
        try:
            yield pool, peer
        finally:
            await pool.close()
            await peer.until(lambda: not peer.now)


async def ask(pool: Pool, request: bytes = GET, seconds: float = 5) -> Answer:
    deadline = asyncio.get_running_loop().time() + seconds
    return await pool.exchange([request], deadline=deadline)


async def test_one_after_another_share_one_connection() -> None:
    async with pool_at() as (pool, peer):
        for _ in range(5):
            answer = await ask(pool)
            assert (answer.status, answer.body) == (200, b"ok")
            assert answer.headers == ((b"content-length", b"2"),)
    assert (peer.opened, peer.requests) == (1, 5)


async def test_many_at_once_never_have_more_connections_than_the_limit() -> None:
    async def soon(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        writer.write(OK)

    async with pool_at(soon, limit=3) as (pool, peer):
        await asyncio.gather(*(ask(pool) for _ in range(20)))
    assert (peer.opened, peer.most, peer.requests) == (3, 3, 20)


async def test_who_waits_in_vain_for_a_connection_sent_nothing() -> None:
    async with pool_at(say_nothing, limit=1) as (pool, peer):
        first = asyncio.create_task(ask(pool, seconds=0.4))
        await peer.until(lambda: peer.requests == 1)
        with pytest.raises(Unsent, match="no connection was free"):
            await ask(pool, seconds=0.1)
        with pytest.raises(Broken, match="no answer in time"):
            await first
    assert peer.requests == 1


async def test_a_place_that_comes_to_one_who_just_left_goes_to_the_next() -> None:
    async with pool_at(limit=1) as (pool, peer):

        async def first() -> None:
            await ask(pool)
            second.cancel()  # whose turn came in this very moment

        running = asyncio.create_task(first())
        await asyncio.sleep(0)
        second = asyncio.create_task(ask(pool))
        third = asyncio.create_task(ask(pool))
        assert (await third).status == 200
        await running
        assert second.cancelled()
        assert (await ask(pool)).status == 200  # and no place is lost
    assert (peer.opened, peer.requests) == (1, 3)


async def test_those_who_wait_have_their_turns_in_their_order() -> None:
    order: list[int] = []

    async def one(number: int) -> None:
        await ask(pool)
        order.append(number)

    async with pool_at(limit=1) as (pool, peer):
        await asyncio.gather(*(one(number) for number in range(10)))
    assert order == list(range(10))
    assert (peer.opened, peer.requests) == (1, 10)


async def test_the_latest_used_goes_first_and_the_others_come_of_age() -> None:
    async with pool_at(idle_seconds=1) as (pool, peer):
        await asyncio.gather(*(ask(pool) for _ in range(3)))
        assert peer.opened == 3
        async with asyncio.timeout(10):
            while peer.now > 1:
                await ask(pool)  # one is in use all the time
                await asyncio.sleep(0.05)
        assert (peer.opened, peer.now) == (3, 1)
        await peer.until(lambda: not peer.now)
        await ask(pool)
        assert peer.opened == 4


async def test_a_connection_that_the_server_closed_is_replaced_before_writing() -> None:
    async def last(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.write_eof()

    async with pool_at(last) as (pool, peer):
        for number in range(1, 6):
            assert (await ask(pool)).status == 200
            await peer.until(lambda: not peer.now)
            assert peer.opened == peer.requests == number


async def test_an_end_that_the_loop_has_not_read_yet_is_seen_all_the_same() -> None:
    closed, carry_on = threading.Event(), threading.Event()
    requests = []

    def serve(listening: socket.socket) -> None:
        for number in range(2):
            line, _ = listening.accept()
            requests.append(line.recv(1000))
            line.sendall(OK)
            carry_on.wait(10)
            line.close()
            if number == 0:
                closed.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        address = Peer(*listening.getsockname())
        pool = Pool(address, names=Names(patience=2), limit=1, connect_timeout=2)
        await ask(pool)
        carry_on.set()
        assert closed.wait(10)  # the loop stands still meanwhile
        time.sleep(0.05)  # noqa: ASYNC251 - until the kernel has carried it over
        assert (await ask(pool)).status == 200
        await pool.close()
        thread.join()
    assert requests == [GET, GET]


@pytest.mark.parametrize(
    "after",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"x", b"HTTP/1.1 2", b"\r\nhi"],
)
async def test_what_comes_after_an_answer_ends_the_connection_not_the_answer(
    after: bytes,
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK + after)

    async with pool_at(talk) as (pool, peer):
        for _ in range(3):
            assert (await ask(pool)).body == b"ok"
    assert (peer.opened, peer.requests) == (3, 3)


async def test_what_comes_unasked_ends_an_idle_connection() -> None:
    late = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await late.wait()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

    async with pool_at(talk) as (pool, peer):
        assert (await ask(pool)).status == 200
        late.set()
        await peer.until(lambda: not peer.now)
        assert (await ask(pool)).status == 200
    assert peer.opened == 2


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_a_connection_that_the_server_does_not_keep_is_not_kept(
    wire: bytes,
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(wire)

    async with pool_at(talk) as (pool, peer):
        for _ in range(3):
            assert (await ask(pool)).body == b"ok"
            await peer.until(lambda: not peer.now)
    assert (peer.opened, peer.requests) == (3, 3)


async def test_a_cancelled_exchange_closes_its_connection() -> None:
    async with pool_at(say_nothing) as (pool, peer):
        task = asyncio.create_task(ask(pool))
        await peer.until(lambda: peer.requests == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await peer.until(lambda: not peer.now)
        peer.answer = say_ok
        assert (await ask(pool)).status == 200
    assert (peer.opened, peer.requests) == (2, 2)


async def test_a_connect_that_is_cancelled_leaves_its_place_to_others() -> None:
    async with pool_at(limit=1) as (pool, _):
        task = asyncio.create_task(ask(pool))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert (await ask(pool)).status == 200


async def test_the_end_of_the_pool_breaks_what_is_under_way() -> None:
    async with pool_at(say_nothing) as (pool, peer):
        tasks = [asyncio.create_task(ask(pool)) for _ in range(3)]
        await peer.until(lambda: peer.requests == 3)
        await pool.close()
        for task in tasks:
            with pytest.raises(Broken, match="connection lost"):
                await task


async def test_a_connection_that_is_made_after_the_end_of_the_pool_is_not_kept() -> (
    None
):
    async with pool_at() as (pool, _):
        task = asyncio.create_task(ask(pool))
        await asyncio.sleep(0)  # it looks the address up
        await pool.close()
        with pytest.raises(Broken, match="closed as soon as it was made"):
            await task


async def test_a_large_request_waits_for_its_reader_and_lets_others_run() -> None:
    reading = asyncio.Event()
    read = 0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        await reading.wait()
        while read < total:
            read += len(await reader.read(100_000))
        writer.write(OK)

    made = 0
    piece = b"x" * 200_000
    total = 100 * len(piece)

    def pieces() -> Iterator[bytes]:
        nonlocal made
        for _ in range(100):
            made += 1
            yield piece

    async with pool_at(slow) as (pool, _):
        loop = asyncio.get_running_loop()
        sending = asyncio.create_task(
            pool.exchange([GET], pieces(), deadline=loop.time() + 30)
        )
        settled = -1
        while made != settled:  # until it waits
            settled = made
            await asyncio.sleep(0.05)
        # What the kernel holds for both sides, and a piece or two.
        assert 0 < made < 60
        reading.set()
        turns = 0
        while not sending.done():
            await asyncio.sleep(0)
            turns += 1
        assert (await sending).status == 200
    assert (made, read) == (100, total)
    assert turns >= 100 - settled  # a turn for others after each piece


async def test_an_early_refusal_is_an_answer_and_an_early_yes_is_none() -> None:
    status = b"413"

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK.replace(b"200", status))
        await reader.read()

    def pieces() -> list[bytes]:
        return [b"x" * 200_000] * 100

    async with pool_at(early) as (pool, peer):
        deadline = asyncio.get_running_loop().time() + 10
        answer = await pool.exchange([GET], pieces(), deadline=deadline)
        assert answer.status == 413
        status = b"200"
        with pytest.raises(Broken, match="before the request was written"):
            await pool.exchange([GET], pieces(), deadline=deadline)
    assert (peer.opened, peer.requests) == (2, 2)


async def test_the_deadline_holds_while_nobody_reads() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)

    async with pool_at(deaf) as (pool, _):
        deadline = asyncio.get_running_loop().time() + 0.2
        with pytest.raises(Broken, match="no answer in time"):
            await pool.exchange([GET], [b"x" * 200_000] * 100, deadline=deadline)


async def test_nothing_was_sent_where_there_is_no_server() -> None:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port = line.getsockname()[1]
    names = Names(patience=5)
    for host in ("127.0.0.1", "ses.invalid", "x" * 70 + ".invalid", "a..b"):
        pool = Pool(Peer(host, port), names=names, limit=1, connect_timeout=5)
        with pytest.raises(Unsent):
            await ask(pool)
        await pool.close()
