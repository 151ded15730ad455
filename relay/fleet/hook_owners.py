"""Who has which webhook events in the bucket, and who of them is gone.

Each process that has some says every now and then that it is there, by an object that
it writes anew. How old another's is tells the store's clock, never that of a machine.
"""

from __future__ import annotations

import itertools
import json
import secrets
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from relay.fleet import keys
from relay.fleet.bucket import Bucket, Listed
from relay.fleet.record import VERSION

EVERY = 60.0  # seconds
PATIENCE = 300.0  # seconds after which who said nothing is gone


@dataclass(slots=True)
class Seen:
    """What a look at the bucket found: batches by owner, in the order of their keys.

    `gone` are the owners that others may take over, `now` is the time of the store,
    Unix time.
    """

    now: float
    batches: dict[str, list[Listed]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)


class Owners:
    """All of them, of which this process is one: `own`. Methods raise Unwritable."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        now: Callable[[], float],
        every: float = EVERY,
        patience: float = PATIENCE,
    ) -> None:
        self.own = secrets.token_hex(8)
        self._bucket = bucket
        self._now = now
        self._every = every
        self._patience = patience
        self._said = float("-inf")
        self._numbers = itertools.count(1)

    async def say(self) -> None:
        """Tell that this one is there."""
        await self._bucket.put(keys.owner_key(self.own), self._word())
        self._said = self._now()

    async def be_known(self) -> None:
        """Tell it before a batch is written, if that was too long ago.

        A machine that slept may count as gone, and a batch without an owner is free.
        """
        if self._now() - self._said > 2 * self._every:
            await self.say()

    async def look(self) -> Seen:
        """See what is there; this one tells that it is, first."""
        await self.say()
        batches: defaultdict[str, list[Listed]] = defaultdict(list)
        owners: dict[str, Listed] = {}
        # Owners come last: whoever has a batch in the list said before that it is.
        async for page in self._bucket.pages(keys.HOOKS):
            for one in page:
                match one.key.split("/"):
                    case [_, "batch", owner, _, _]:
                        batches[owner].append(one)
                    case [_, "owner", owner]:
                        owners[owner] = one
        if self.own not in owners:  # another one took this for gone, just now
            return Seen(0.0, dict(batches))
        now = owners[self.own].modified
        old = [
            name
            for name, one in owners.items()
            if not one.size or now - one.modified > self._patience
        ]
        gone = [*old, *(owner for owner in batches if owner not in owners)]
        return Seen(now, dict(batches), [one for one in gone if one != self.own])

    async def claim(self, owner: str) -> bool:
        """Take over the batches of an owner that may be gone: True for one relay.

        It then counts as there for a while, so that no other one does it as well.
        """
        key = keys.owner_key(owner)
        found = await self._bucket.get(key)
        if found is not None and found.body and found.age <= self._patience:
            return False
        tag = "" if found is None else found.etag
        return await self._bucket.put(key, self._word(), match=tag) is not None

    async def free(self, owner: str) -> None:
        """Let others have its batches at once."""
        await self._bucket.put(keys.owner_key(owner), b"")

    async def forget(self, owner: str) -> None:
        """It has none any more."""
        await self._bucket.delete(keys.owner_key(owner))

    def _word(self) -> bytes:
        """Another one each time: what is replaced on a condition must be told apart."""
        said = {"v": VERSION, "by": self.own, "number": next(self._numbers)}
        return json.dumps(said).encode()
