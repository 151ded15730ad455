"""The bytes of a connection: mail data in any split, limits, deadlines."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.smtp.channel import CHUNK, Silent
from relay.smtp.data import Collector, Data
from relay.smtp.memory import Memory, Share
from relay.smtp.wire import Wire


class Nowhere(asyncio.Transport):
    """A transport that is closed already."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing is open."""

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def new_wire(*, timeout: float = 5, line: Nowhere | None = None) -> Wire:
    """A wire that reads what a test feeds, and has nothing to write."""
    return Wire(line or Nowhere(), timeout=timeout)


async def read(
    chunks: Sequence[bytes],
    *,
    size: int = 10_000,
    line_length: int = 1000,
    memory: int = 100_000,
) -> tuple[Data, bytes]:
    """What the chunks come to as mail data, and what stood behind it."""
    account = Share(shared := Memory(memory))
    wire = new_wire()

    async def feed() -> None:
        for chunk in chunks:
            if chunk:
                wire.received(chunk)
                await asyncio.sleep(0)  # so that the chunks are read one by one
                await asyncio.sleep(0)
        wire.ended()

    feeding = asyncio.create_task(feed())
    wire.begin_data(account, size=size, line_length=line_length)
    data = await wire.data()
    await feeding
    rest = bytes(wire._in + wire._arrived)
    account.close()
    assert shared.used == 0
    return data, rest


CONTENT = b"Subject: x\r\n\r\n..two dots\r\n.one\r\nbare\n.\nlf\r.\rcr\r\n\r\nno end"
STUFFED = (
    b"Subject: x\r\n\r\n...two dots\r\n..one\r\nbare\n.\nlf\r.\rcr\r\n\r\nno end\r\n"
)


@pytest.mark.parametrize("at", range(len(STUFFED) + 6))
async def test_trap_5_no_byte_is_lost_when_data_is_split_anywhere(at: int) -> None:
    whole = STUFFED + b".\r\nNOOP\r\n"
    data, rest = await read([whole[:at], whole[at:]])
    assert data == Data(CONTENT + b"\r\n")
    assert rest == b"NOOP\r\n"


@pytest.mark.parametrize(
    "smuggled",
    [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\r\r\n.\n"],
)
async def test_only_crlf_dot_crlf_ends_data(smuggled: bytes) -> None:
    whole = b"a" + smuggled + b"MAIL FROM:<x@y.z>\r\n.\r\n"
    data, rest = await read([whole])
    # The dot after a true line end was stuffed by an honest client.
    assert data.content == (b"a" + smuggled + b"MAIL FROM:<x@y.z>\r\n").replace(
        b"\r\n.", b"\r\n"
    )
    assert rest == b""


async def test_an_empty_mail_is_a_mail() -> None:
    assert await read([b".\r\nQUIT\r\n"]) == (Data(b""), b"QUIT\r\n")


@given(
    st.lists(st.sampled_from([b"\r\n", b".", b"a", b"\r", b"\n", b"\r\n.\r\n"])),
    st.data(),
)
def test_any_split_gives_the_same_content(
    pieces: list[bytes], draw: st.DataObject
) -> None:
    whole = b"".join(pieces) + b"\r\n.\r\n"
    cuts = sorted(draw.draw(st.sets(st.integers(0, len(whole)))))
    chunks = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert asyncio.run(read(chunks)) == asyncio.run(read([whole]))


async def test_the_size_counts_neither_stuffed_dots_nor_the_final_one() -> None:
    exact = b"..\r\n" * 5 + b".\r\n"  # 5 lines of one dot: 15 bytes
    assert (await read([exact], size=15))[0] == Data(b".\r\n" * 5)
    assert (await read([exact], size=14))[0] == Data(b"", too_large=True)


async def test_a_line_over_the_limit_is_found_in_and_across_chunks() -> None:
    fine, bad = b"x" * 1000 + b"\r\n", b"x" * 1001 + b"\r\n"
    assert (await read([fine, fine, b".\r\n"]))[0].content == fine * 2
    assert (await read([fine + bad + fine + b".\r\n"]))[0].line_too_long
    assert (await read([fine + bad[:300], bad[300:] + b".\r\n"]))[0].line_too_long


async def test_mail_without_room_is_read_to_its_end_and_its_room_given_back() -> None:
    data, rest = await read([b"x" * 900 + b"\r\n"] * 3 + [b".\r\nQ"], memory=2000)
    assert (data, rest) == (Data(b"", no_room=True), b"Q")


async def test_a_drip_of_bytes_is_no_complete_command() -> None:
    wire = new_wire(timeout=0.2)

    async def drip() -> None:
        while True:
            wire.received(b"N")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    with pytest.raises(Silent):
        await wire.command(100)
    dripping.cancel()


async def test_an_overlong_command_is_dropped_up_to_its_end() -> None:
    wire = new_wire()
    wire.received(b"x" * 10_000 + b"\r\nNOOP\r\n")
    wire.ended()
    assert await wire.command(2048) is None
    assert await wire.command(2048) == b"NOOP"
    with pytest.raises(EOFError):
        await wire.command(2048)


async def test_what_nobody_reads_yet_is_not_read_from_the_client_either() -> None:
    line = Nowhere()
    wire = new_wire(line=line)
    wire.received(b"NOOP\r\n" + b"x" * CHUNK)
    assert line.paused
    assert await wire.command(100) == b"NOOP"
    assert not line.paused


async def test_a_client_that_speaks_late_but_in_time_is_heard() -> None:
    wire = new_wire(timeout=0.3)
    asyncio.get_running_loop().call_later(0.2, wire.received, b"NOOP\r\n")
    assert await wire.command(100) == b"NOOP"
    # The clock of the first wait goes off in the second, and looks again.
    asyncio.get_running_loop().call_later(0.2, wire.received, b"QUIT\r\n")
    assert await wire.command(100) == b"QUIT"
    with pytest.raises(Silent):
        await wire.command(100)


class Taking(Nowhere):
    """A transport whose client has taken all of `said`, or leaves `behind` bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self.behind = 0
        self.gone = False

    def is_closing(self) -> bool:
        return self.gone

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said += data

    def get_write_buffer_size(self) -> int:
        return self.behind


@pytest.fixture
async def line() -> AsyncIterator[Taking]:
    taking = Taking()
    yield taking
    taking.gone = True


async def waiting(wire: Wire, at_once: Callable[[bytes], bool]) -> asyncio.Task[object]:
    task = asyncio.create_task(wire.command(100, at_once))
    await asyncio.sleep(0)
    assert wire.waiting
    return task


async def test_what_can_be_answered_at_once_is_answered_while_the_session_waits(
    line: Taking,
) -> None:
    wire = new_wire(line=line)
    seen = []

    def at_once(command: bytes) -> bool:
        seen.append(command)
        wire.say("250 Ok")
        return command != b"QUIT"

    task = await waiting(wire, at_once)
    wire.received(b"MAIL\r\nRC")
    assert line.said == b"250 Ok\r\n"
    wire.received(b"PT\r\n")
    assert line.said == b"250 Ok\r\n" * 2
    assert wire.waiting
    wire.received(b"QUIT\r\n")
    assert await task == b"QUIT"
    assert seen == [b"MAIL", b"RCPT", b"QUIT"]


async def test_mail_data_that_begins_at_once_is_collected_while_the_session_waits(
    line: Taking,
) -> None:
    wire = new_wire(line=line)
    account = Share(shared := Memory(1000))

    def at_once(command: bytes) -> bool:
        wire.begin_data(account, size=100, line_length=100)
        wire.say("354 Go on")
        return True

    task = await waiting(wire, at_once)
    wire.received(b"DATA\r\n")
    assert line.said == b"354 Go on\r\n"
    wire.received(b"a\r\n")
    assert shared.used == 3
    assert not task.done()
    wire.received(b".\r\nNOOP\r\n")
    await task
    assert wire.in_data
    assert await wire.data() == Data(b"a\r\n")
    assert not wire.in_data
    assert await wire.command(100) == b"NOOP"


async def test_a_bug_in_what_is_done_at_once_is_the_sessions(line: Taking) -> None:
    wire = new_wire(line=line)

    def at_once(command: bytes) -> bool:
        raise KeyError(command)

    task = await waiting(wire, at_once)
    wire.received(b"MAIL\r\nRCPT\r\n")
    with pytest.raises(KeyError, match="MAIL"):
        await task


async def test_what_the_client_has_not_read_yet_lets_no_more_be_answered_at_once(
    line: Taking,
) -> None:
    wire = new_wire(line=line, timeout=0.2)
    count = 0

    def at_once(command: bytes) -> bool:
        nonlocal count
        count += 1
        wire.say("x" * 998)
        return True

    task = await waiting(wire, at_once)
    line.behind = 1_000_000
    wire.received(b"NOOP\r\n" * 10_000)
    assert count <= 70
    task.cancel()


async def test_mail_data_that_comes_in_drips_has_its_own_deadline(line: Taking) -> None:
    wire = new_wire(timeout=0.2, line=line)

    def at_once(command: bytes) -> bool:
        wire.begin_data(Share(Memory(1000)), size=100, line_length=100)
        return True

    task = await waiting(wire, at_once)
    wire.received(b"DATA\r\n")

    async def drip() -> None:
        while True:
            wire.received(b"x")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    with pytest.raises(Silent):
        await task
    dripping.cancel()


@pytest.mark.parametrize("sizes", [(2,), (1,), (2, 4096), (100,), (4095, 1)])
def test_data_in_small_pieces_takes_the_memory_that_is_counted(
    sizes: Sequence[int],
) -> None:
    account = Share(shared := Memory(10_000_000))
    collector = Collector(account, size=10_000_000, line_length=10_000_000)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    count = 0
    while shared.used < 300_000:
        collector.feed(b"x" * sizes[count % len(sizes)])
        count += 1
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 1.3 * shared.used
    collector.feed(b"\r\n.\r\n")
    assert set(collector.taken().content) == set(b"x\r\n")
    account.close()


def test_small_pieces_twice_as_many_take_twice_as_long() -> None:
    def seconds(count: int) -> float:
        collector = Collector(Share(Memory(10**7)), size=10**7, line_length=10**7)
        began = time.process_time()
        for _ in range(count):
            collector.feed(b"xy")
        return time.process_time() - began

    assert min(seconds(125_000) for _ in range(3)) < 3.5 * min(
        seconds(62_500) for _ in range(3)
    )
