"""The thread that writes: all that asks while a commit runs shares the next commit.

Under load one fsync serves many mails, and a lone mail still waits for nobody.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
Operation = Callable[[sqlite3.Connection], T]


class Writer:
    """Runs operations on one connection, in order, in one thread.

    What `do` gives is on the disk. `look` is run at the end of each transaction, and
    `tell` hears what it gave before the callers of `do` go on.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        look: Operation[Any],
        tell: Callable[[Any], None],
    ) -> None:
        self._connection = connection
        self._look = look
        self._tell = tell
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._waiting: list[tuple[Operation[Any], asyncio.Future[Any]]] = []
        self._committer: asyncio.Task[None] | None = None
        self.transaction = 0  # its number, for what one of them looks up once

    async def do(self, operation: Operation[T]) -> T:
        """Run `operation` in a transaction; raises what it raises.

        It may be run twice, when another one in the same transaction fails.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((operation, done))
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_all(), name="spool")
        return await done

    async def outside(self, operation: Operation[T]) -> T:
        """Run `operation` between transactions, for what SQLite wants there."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, partial(operation, self._connection)
        )

    async def close(self) -> None:
        """End what is under way, and the thread; the connection stays open."""
        while self._committer is not None:
            await asyncio.wait([self._committer])
        self._thread.shutdown()

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                operations = [operation for operation, _ in batch]
                results, seen = await loop.run_in_executor(
                    self._thread, self._commit, operations
                )
                if seen is not None:
                    self._tell(seen)
                for (_, done), result in zip(batch, results, strict=True):
                    if done.done():  # its caller was cancelled
                        continue
                    if isinstance(result, _Failure):
                        done.set_exception(result.error)
                    else:
                        done.set_result(result)
        finally:
            self._committer = None

    def _commit(
        self, operations: list[Operation[Any]]
    ) -> tuple[list[Any], Any]:  # on the thread
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self.transaction += 1
        except sqlite3.Error as error:
            # None of them is at fault, say where somebody else holds the file; to
            # wait for each would keep the last for minutes.
            return [_Failure(error)] * len(operations), None
        try:
            return self._transaction(operations)
        except Exception as error:  # noqa: BLE001 - belongs to those who wait
            if len(operations) == 1:
                return [_Failure(error)], None
        # One that cannot be written must not take the others with it.
        results, seen = [], None
        for operation in operations:
            (result,), saw = self._commit([operation])
            results.append(result)
            seen = saw or seen
        return results, seen

    def _transaction(self, operations: list[Operation[Any]]) -> tuple[list[Any], Any]:
        connection = self._connection
        try:
            results = [operation(connection) for operation in operations]
            seen = self._look(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results, seen


class _Failure:
    def __init__(self, error: Exception) -> None:
        self.error = error
