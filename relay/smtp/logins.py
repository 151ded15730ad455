"""Who may log in: users, their passwords, and the pace of wrong guesses."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv6Network

from relay import password
from relay.smtp.auth import Credentials
from relay.smtp.senders import Senders
from relay.smtp.turns import Turns

# A comparison keeps a core busy and takes what memory its hash asks for, so just
# these run at once.
HASHES_AT_ONCE = 2
# A success is remembered under a key that only this process has, so that an app
# with a connection for each mail pays once.
REMEMBERED = 1000
REMEMBERED_SECONDS = 600.0
# A wrong guess is answered after the first of these, the next of its address after
# twice that, up to the second; an address is forgotten after the third.
FIRST_DELAY, LONGEST_DELAY, FORGOTTEN_AFTER = 0.25, 2.0, 600.0
ADDRESSES = 10_000


@dataclass(frozen=True, slots=True)
class User:
    """A client that logs in; "" for the usage: the listener's."""

    name: str
    password_hash: str = field(repr=False)
    senders: Senders = field(default=Senders(()))
    usage: str = ""


class Logins:
    """Compares passwords off the event loop, and makes guessing slow.

    `stopping` ends the wait of those who guessed wrong. `take` gives it other users;
    who guessed wrong before is known all the same.
    """

    def __init__(
        self,
        users: Sequence[User],
        *,
        stopping: asyncio.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._users: dict[str, User] = {}
        self._stopping = stopping
        self._clock = clock
        self._pool = ThreadPoolExecutor(HASHES_AT_ONCE, thread_name_prefix="password")
        self._decoy = ""
        self._secret = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, float] = OrderedDict()  # key -> until
        self._under_way: dict[bytes, asyncio.Task[bool]] = {}
        self._turns = Turns(HASHES_AT_ONCE)
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self.take(users)

    def take(self, users: Sequence[User]) -> None:
        """Let these in from here on, and no others."""
        # An unknown name takes as long as a known one.
        first = users[0].password_hash if users else ""
        known = next(iter(self._users.values()), None)
        if known is None or known.password_hash != first:
            self._decoy = password.decoy(first) if first else ""
        self._users = {user.name: user for user in users}

    def same(self, user: User) -> User | None:
        """The user as it is now; None where it is gone, or has another password."""
        now = self._users.get(user.name)
        same = now is not None and now.password_hash == user.password_hash
        return now if same else None

    def close(self) -> None:
        """Let no further comparison begin."""
        for running in self._under_way.values():
            running.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def knows(self, name: str) -> bool:
        """Tell whether the name is a user's, for the log; never for the client."""
        return name in self._users

    async def check(self, given: Credentials, peer: str) -> User | None:
        """The user whom the credentials are of.

        None comes late, and as late for a known name as for an unknown one. Raises
        MemoryError when there is none for the comparison.
        """
        began = self._clock()
        user = self._users.get(given.name)
        origin = _origin(peer)
        found = self._decoy and await self._matches(user, given, origin)
        if found and user is not None:
            return user
        await self._slow_down(began + self._delay(origin))
        return None

    async def _matches(
        self, user: User | None, given: Credentials, origin: str
    ) -> bool:
        expected = self._decoy if user is None else user.password_hash
        key = self._key(given, expected)
        now = self._clock()
        if self._remembered.get(key, 0.0) > now:
            self._remembered.move_to_end(key)
            return True
        running = self._under_way.get(key)
        if running is None:  # else many connections of one app wait for the same
            running = asyncio.create_task(
                self._compared(expected, given.password, origin)
            )
            self._under_way[key] = running
            running.add_done_callback(lambda done: self._under_way.pop(key, None))
        # Others may wait for it too; it ends whatever becomes of this client.
        found = await asyncio.shield(running)
        if found:
            self._remembered[key] = now + REMEMBERED_SECONDS
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return found

    async def _compared(self, expected: str, secret: bytes, origin: str) -> bool:
        async with self._turns.turn(origin, suspect=self._has_failed(origin)):
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, password.matches, expected, secret
            )

    def _has_failed(self, origin: str) -> bool:
        _, until = self._failures.get(origin, (0, 0.0))
        return until > self._clock()

    def _key(self, given: Credentials, expected: str) -> bytes:
        """Of all that a comparison depends on: a new password makes it another."""
        name = given.name.encode("utf-8", "surrogateescape")
        hashed = expected.encode()
        text = b"".join(
            (
                len(name).to_bytes(4, "big"),
                name,
                len(hashed).to_bytes(4, "big"),
                hashed,
                given.password,
            )
        )
        return hmac.digest(self._secret, text, hashlib.sha256)

    def _delay(self, origin: str) -> float:
        """Enter a failure of this address, and tell how long it is to wait."""
        now = self._clock()
        count, until = self._failures.pop(origin, (0, 0.0))
        count = count + 1 if until > now else 1
        self._failures[origin] = (count, now + FORGOTTEN_AFTER)
        while len(self._failures) > ADDRESSES:
            self._failures.popitem(last=False)
        return min(FIRST_DELAY * 2.0 ** min(count - 1, 20), LONGEST_DELAY)

    async def _slow_down(self, until: float) -> None:
        try:
            async with asyncio.timeout(max(until - self._clock(), 0)):
                await self._stopping.wait()
        except TimeoutError:
            pass


def _origin(peer: str) -> str:
    """Whose guesses count together: an address, of IPv6 all that one network has."""
    if ":" not in peer:
        return peer
    try:
        return str(IPv6Network((peer, 64), strict=False))
    except ValueError:
        return peer
