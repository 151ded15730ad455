"""The connections to one server: kept open, bounded, and never trusted too long.

A request goes out once. Only a connection that is found closed before any byte of
the request was written is replaced by another.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiohappyeyeballs import start_connection

from relay.ses.http.connection import MOST_BYTES, Answer, Line
from relay.ses.http.names import Names
from relay.ses.http.tls_socket import TlsSocket, secured
from relay.system.arrivals import Arrivals

# AWS closes what is idle for 20 s. The SDK keeps its connections for as long.
IDLE_SECONDS = 12.0
_NEXT_ADDRESS = 0.25  # seconds until another address is tried too, RFC 8305


class Unsent(Exception):  # noqa: N818 - a statement about the request
    """No connection could be had: nothing of the request went out.

    `tls`: the server was reached, and TLS failed.
    """

    def __init__(self, text: str, *, tls: bool = False) -> None:
        super().__init__(text)
        self.tls = tls


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to connect to; without `tls` the connection is in the clear."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


class Pool:
    """Connections to `peer`, at most `limit`; the latest used goes first."""

    def __init__(
        self,
        peer: Peer,
        *,
        names: Names,
        limit: int,
        connect_timeout: float,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._peer = peer
        self._names = names
        self._connect_timeout = connect_timeout
        self._idle_seconds = idle_seconds
        self._free = limit  # of the exchanges that may be under way
        self._turns: deque[asyncio.Future[None]] = deque()  # who waits, while none is
        self._lines: set[Line] = set()  # all that are made and not yet lost
        self._idle: list[Line] = []  # the latest used at the end
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._arrivals = Arrivals()
        self._none_left = asyncio.Event()

    async def exchange(
        self,
        first: Sequence[bytes],
        rest: Iterable[bytes] = (),
        *,
        deadline: float,
        most_bytes: int = MOST_BYTES,
    ) -> Answer:
        """Send one request and read its answer by `deadline`, the loop's time.

        Raises Unsent, or Broken when the request may have gone out.
        """
        if self._free:
            self._free -= 1
        else:
            await self._turn(deadline)
        try:
            line = self._pooled() or await self._connect(deadline)
            answer = await line.exchange(
                first, rest, deadline=deadline, most_bytes=most_bytes
            )
            if line.reusable:
                self._keep(line)
            return answer
        finally:
            self._leave()

    def at_hand(self) -> bool:
        """Tell whether an exchange, begun now, need not wait for a connection."""
        return bool(self._idle and self._free)

    async def close(self) -> None:
        """Close all connections, for good; exchanges under way break."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle.clear()
        while self._lines:
            self._none_left.clear()
            for line in tuple(self._lines):
                line.abort()
            await self._none_left.wait()
        self._arrivals.end()

    # Its own, and no semaphore: that is asked three times for each exchange, and
    # nearly none has to wait.

    async def _turn(self, deadline: float) -> None:
        """Wait until an exchange ends that gives its place to this one."""
        turn = self._loop.create_future()
        self._turns.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                await turn
        except BaseException as error:
            if not (turn.cancel() or turn.cancelled()):
                self._leave()  # it came at the last moment
            if isinstance(error, TimeoutError):
                raise Unsent("no connection was free in time") from None
            raise

    def _leave(self) -> None:
        """Give a place to who has waited longest, if anybody waits."""
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():  # else its wait was given up
                turn.set_result(None)
                return
        self._free += 1

    def _pooled(self) -> Line | None:
        while self._idle:
            line = self._idle.pop()
            if line.usable():
                return line
            line.abort()
        return None

    def _keep(self, line: Line) -> None:
        line.idle_since = self._loop.time()
        self._idle.append(line)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._idle_seconds, self._close_old)

    def _close_old(self) -> None:
        self._sweep = None
        oldest = self._loop.time() - self._idle_seconds
        # In the order of their last use, so that the first is the oldest.
        while self._idle and self._idle[0].idle_since <= oldest:
            self._idle.pop(0).abort()
        if self._idle:
            due = self._idle[0].idle_since + self._idle_seconds
            self._sweep = self._loop.call_at(due, self._close_old)

    async def _connect(self, deadline: float) -> Line:
        until = min(deadline, self._loop.time() + self._connect_timeout)
        peer = self._peer
        try:
            async with asyncio.timeout_at(until):
                addresses = await self._names.addresses(peer.host, peer.port)
                sock = await start_connection(
                    addresses, happy_eyeballs_delay=_NEXT_ADDRESS
                )
                if peer.tls is not None:
                    sock = await secured(sock, peer.tls, peer.host)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                line = Line(self._made, self._gone)
                TlsSocket(sock, line, arrivals=self._arrivals)
                return line
        except ssl.SSLError as error:
            raise Unsent(_said(error), tls=True) from error
        # A host name that cannot be one is a UnicodeError; uvloop knows RuntimeError.
        except socket.gaierror as error:
            raise Unsent(f"{peer.host}: {_said(error)}") from error
        except (OSError, UnicodeError, RuntimeError) as error:
            raise Unsent(_said(error)) from error

    def _made(self, line: Line) -> None:
        self._lines.add(line)
        if self._closed:
            line.abort()

    def _gone(self, line: Line) -> None:
        self._lines.discard(line)
        if line in self._idle:
            self._idle.remove(line)
        if not self._lines:
            self._none_left.set()


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else "no connection in time"
