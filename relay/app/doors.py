"""The doors that mail leaves by: the connections, pace and quota of an account of SES.

Accounts with the same credentials and region have one together. A door outlives the
settings that it was opened by, as long as the next ones say the same of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack

from relay import config
from relay.app.ses_side import Opener
from relay.delivery.account_pace import AccountPace
from relay.delivery.pace import Pace
from relay.delivery.use import Use
from relay.ses.when_open import SesWhenOpen

# Credentials and region, and how the door is used.
Key = tuple[tuple[str, ...], float, float, int]


class Door:
    """One of them; `source` keeps the pace where the account of SES says it."""

    __slots__ = ("concurrency", "key", "pace", "ses", "source", "stack")

    def __init__(self, key: Key, pace: Pace, ses: SesWhenOpen | None = None) -> None:
        self.key = key
        self.pace = pace
        self.concurrency = key[-1]
        self.ses = ses
        self.source: AccountPace | None = None
        self.stack = AsyncExitStack()  # ends with the connections


def pace_of(settings: config.Config) -> Callable[[], Pace]:
    """What makes an account's pace: of relays that share a queue, each has a part."""
    if settings.queue.engine != "sqs":
        return Pace
    from relay.delivery.shared_pace import SharedPace

    return SharedPace


def key_of(account: config.Sending) -> Key:
    """What has to be the same for two accounts, or two settings, to share a door."""
    ses = account.ses
    return account.door, ses.connect_timeout, ses.attempt_timeout, ses.concurrency


def first_of_each(accounts: Iterable[config.Sending]) -> list[config.Sending]:
    """The accounts whose settings count for their door."""
    found: dict[tuple[str, ...], config.Sending] = {}
    for account in accounts:
        found.setdefault(account.door, account)
    return list(found.values())


class Doors:
    """All that are open; as a service, it asks for the quotas of those in force."""

    name = "accounts"

    def __init__(
        self, opener: Opener | None, *, pace: Callable[[], Pace] = Pace
    ) -> None:
        """Without `opener` nothing leaves; `pace` makes a new account's."""
        self._pace = pace
        self._opener = opener
        self._doors: dict[Key, Door] = {}
        self._asking: dict[Door, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._stopping: asyncio.Event | None = None

    def begin(self, accounts: Sequence[config.Sending]) -> Sequence[SesWhenOpen]:
        """Make those of the start: the ways to SES that open once they run."""
        ways = []
        for account in first_of_each(accounts):
            door = self._made(account)
            if self._opener is not None:
                door.ses = self._opener.ses_when_open(account, door.stack)
                ways.append(door.ses)
            self._doors[door.key] = door
        return ways

    async def opened(self, accounts: Sequence[config.Sending]) -> Sequence[Door]:
        """Open those that are new with these accounts, for `take`. Raises CannotStart.

        Beside the loop: the SDK takes its time for each.
        """
        found: dict[Key, Door] = {}
        try:
            # Again, because one that was there may have been closed meanwhile.
            while missing := [
                account
                for account in first_of_each(accounts)
                if key_of(account) not in self._doors.keys() | found.keys()
            ]:
                for account in missing:
                    door = self._made(account)
                    found[door.key] = door
                    if self._opener is not None:
                        door.ses = await self._opener.opened_beside(account, door.stack)
        except BaseException:
            for door in found.values():
                await door.stack.aclose()
            raise
        return list(found.values())

    def take(
        self, accounts: Sequence[config.Sending], opened: Sequence[Door] = ()
    ) -> Mapping[tuple[str, ...], Door]:
        """Have these accounts leave from now on: each one's door, by its `door`."""
        self._doors |= {door.key: door for door in opened}
        found = {}
        for account in first_of_each(accounts):
            door = found[account.door] = self._doors[key_of(account)]
            self._set_pace(door, account)
        for door in self._asking.keys() - found.values():
            self._ask_no_more(door)
        return found

    @property
    def untracks(self) -> bool:
        """Whether calls can switch tracking off, by all ways that are open."""
        ways = (door.ses for door in self._doors.values())
        return all(way is None or way.untracks for way in ways)

    def _made(self, account: config.Sending) -> Door:
        # What was learnt of the account's pace holds, however it is connected to.
        of_it = [one.pace for one in self._doors.values() if one.key[0] == account.door]
        return Door(key_of(account), of_it[0] if of_it else self._pace())

    def _set_pace(self, door: Door, account: config.Sending) -> None:
        if account.rate != "auto":
            self._ask_no_more(door)
            door.source = None
            door.pace.set_full(account.rate)
        elif door.ses is None:
            door.pace.set_full(None)
        elif door.source is None:
            named = account.name if account.key else ""
            door.source = AccountPace(
                door.ses, door.pace, share=account.share, account=named
            )
            self._ask(door)
        else:
            door.source.take(share=account.share)
            self._ask(door)

    def _ask(self, door: Door) -> None:
        if self._group is None or self._stopping is None or door.source is None:
            return  # it does not run yet
        if door not in self._asking:
            asking = door.source.run(self._stopping)
            self._asking[door] = self._group.create_task(asking, name="account")

    def _ask_no_more(self, door: Door) -> None:
        if (asking := self._asking.pop(door, None)) is not None:
            asking.cancel()

    def retire(self, use: Use, unused: Callable[[], Iterable[Door]]) -> None:
        """Close what is `unused` once nobody holds on by `use`, and no sooner."""
        if self._group is None:
            return  # it is over: all are closed soon
        leaving = self._group.create_task(self._retire(use, unused), name="doors")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _retire(self, use: Use, unused: Callable[[], Iterable[Door]]) -> None:
        await use.ended()
        for door in unused():
            if self._doors.get(door.key) is door:
                del self._doors[door.key]
            self._ask_no_more(door)
            await door.stack.aclose()

    async def run(self, stopping: asyncio.Event) -> None:
        """Ask for quotas until told to stop."""
        try:
            async with asyncio.TaskGroup() as self._group:
                self._stopping = stopping
                for door in self._doors.values():
                    self._ask(door)
                await stopping.wait()
                for leaving in self._leaving:
                    leaving.cancel()  # `close` comes when all work has ended
        except ExceptionGroup as broken:
            raise broken.exceptions[0] from broken
        finally:
            self._group = None

    async def close(self) -> None:
        """Close all; for the end of the process."""
        for door in tuple(self._doors.values()):
            await door.stack.aclose()
