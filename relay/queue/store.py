"""The spool's file as its owner has it: one thread that writes, its clock, its space.

Every write of the relay goes through here.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from relay.queue import Unwritable, moves
from relay.queue.clock import clock_of
from relay.queue.shared_commit import Operation, T, Writer

# Free space that mail may not take: what is accepted must still be able to end.
RESERVE = 4_000_000
PLENTY = 1_000_000_000  # with so much free, nobody need look closer
PLENTY_LASTS = 0.1  # seconds in which nobody writes so much
RESERVE_PART = 0.05  # of a small file system


class Store:
    """Writes to the file at `path`; `tell` hears what is first in line after each."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        tell: Callable[[moves.First], None],
        *,
        lanes: Callable[[], int],
    ) -> None:
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        (self.last,) = connection.execute(
            "SELECT coalesce(max(seq), 0) FROM job"
        ).fetchone()
        self.clock = clock_of(connection)

        def look(connection: sqlite3.Connection) -> moves.First:
            return moves.first_in_line(connection, lanes=lanes())

        self._writer = Writer(connection, look=look, tell=tell)
        self._plenty_until, self._plenty = float("-inf"), 0.0
        self._promised_in = self._promised = 0  # bytes to mail of one transaction

    @property
    def transaction(self) -> int:
        """The number of the transaction under way."""
        return self._writer.transaction

    async def write(self, operation: Operation[T]) -> T:
        """Run `operation` in a transaction; durable when this returns.

        Raises Unwritable.
        """
        try:
            return await self._writer.do(operation)
        except (sqlite3.Error, OSError) as error:
            raise Unwritable(f"{self._path}: {error}", error) from error

    async def outside(self, operation: Operation[T]) -> T:
        """Run `operation` between transactions. Raises Unwritable."""
        try:
            return await self._writer.outside(operation)
        except sqlite3.Error as error:
            raise Unwritable(f"{self._path}: {error}", error) from error

    def write_clock(self, connection: sqlite3.Connection) -> None:
        """Have the file remember that this time has passed."""
        connection.execute(
            "INSERT INTO clock VALUES (1, ?, ?) ON CONFLICT (only)"
            " DO UPDATE SET ahead = excluded.ahead, seen = excluded.seen",
            (self.clock.ahead, self.clock.now()),
        )

    def free(self) -> int:
        """How many bytes are free where the file is. Raises Unwritable."""
        try:
            found = os.statvfs(self._path.parent)
        except OSError as error:
            raise Unwritable(f"{self._path}: {error}", error) from error
        return found.f_bavail * found.f_frsize

    def leave_room(self, connection: sqlite3.Connection, size: int) -> None:
        """Raise OSError where `size` bytes of mail would take the reserve."""
        if self._promised_in != self.transaction:
            self._promised_in, self._promised = self.transaction, 0
        needs = 3 * size
        now = time.monotonic()
        if now < self._plenty_until and needs < self._plenty:
            self._plenty -= needs
            return
        # Mail that shares the commit is not on the disk yet.
        self._promised += size
        size = self._promised
        needs = 3 * size
        found = os.statvfs(self._path.parent)
        free = found.f_bavail * found.f_frsize
        if free > PLENTY + needs:
            self._plenty_until = now + PLENTY_LASTS
            self._plenty = free - PLENTY - needs
            return
        reserve = min(RESERVE, int(found.f_blocks * found.f_frsize * RESERVE_PART))
        try:
            log_size = self._wal.stat().st_size
        except FileNotFoundError:
            log_size = 0
        # A body is written twice: to the log, then to its place, which may be one that
        # is unused. All that still is in the log comes to its place, too: a log that
        # cannot be brought into the file would only grow, and nothing could end.
        grows = max(size + log_size - moves.unused_bytes(connection), 0)
        if free < size + grows + reserve:
            raise OSError(f"{free} bytes are free, too few for a mail of {size}")

    async def close(self) -> None:
        """End what is under way, and the thread; the connection stays open."""
        await self._writer.close()
