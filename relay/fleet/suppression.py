"""Who gets no mail, for a fleet: an object in the bucket for each address.

`gone/` holds the entries, `soft/` what else is remembered of an address. Keys are
hashes, so that a list of them is all that a relay has to read.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any, cast, get_args

from relay.fleet import keys
from relay.fleet.bucket import Bucket, Found, Listed
from relay.fleet.record import VERSION
from relay.fleet.together import together
from relay.model.suppression import (
    NO_PAST,
    Fact,
    Hashes,
    Known,
    Past,
    Reason,
    Soft,
    Source,
    Suppressed,
    after,
)
from relay.queue import Unwritable
from relay.queue.suppression import KEPT_PAST, Move

TRIES = 6  # to write beside others
AT_ONCE = 20
# A rule of the bucket deletes what is left over, and 57 days is the least that it may
# have (docs/fleet.md): an entry is written anew before that.
RENEWED_AFTER = 20 * 86_400.0
RENEWED_AT_ONCE = 500  # of one look, by each relay


class BucketSuppressions:
    """`Suppressions` in the bucket; `unix` is Unix time."""

    looks_every = 600.0

    def __init__(self, bucket: Bucket, *, unix: Callable[[], float]) -> None:
        self._bucket = bucket
        self._unix = unix
        # Taken in while the bucket is listed, which may have passed them by then.
        self._meanwhile: list[tuple[str, Known]] = []

    async def look(self, hashes: Hashes, *, keep_bounces: float) -> None:
        self._meanwhile.clear()
        found: dict[str, set[int]] = {"gone": set(), "soft": set()}
        old: list[Listed] = []
        for folder, numbers in found.items():
            async for page in self._bucket.pages(f"{folder}/"):
                for one in page:
                    number = _number(one.key)
                    if number is None:
                        continue
                    numbers.add(number)
                    # By this machine's clock, which some days do not matter to.
                    if one.modified < time.time() - RENEWED_AFTER:
                        old.append(one)
        hashes.gone, hashes.past = found["gone"], found["soft"]
        for address, known in self._meanwhile:
            hashes.take(address, known)
        await self._renew(old, keep_bounces=keep_bounces)

    async def find(self, address: str) -> Known:
        gone, soft = await self._both(address)
        return _known(gone, soft)

    async def learn(
        self, facts: Sequence[Fact], *, soft_bounces: int, hashes: Hashes
    ) -> list[Suppressed]:
        new: list[Suppressed] = []
        limit = asyncio.Semaphore(AT_ONCE)

        async def take(fact: Fact) -> None:
            move = partial(after, fact=fact, soft_bounces=soft_bounces)
            async with limit:
                before, known = await self.move(fact.address, move)
            hashes.take(fact.address, known)
            self._meanwhile.append((fact.address, known))
            if known.entry is not None and before.entry is None:
                new.append(known.entry)

        await together(map(take, facts))
        return new

    async def move(self, address: str, move: Move) -> tuple[Known, Known]:
        """What was known of an address, and what is since. Raises Unwritable.

        What is remembered goes before the entry: who removes writes that it was
        removed and then looks for an entry, who enters looks then whether it was.
        """
        first: Known | None = None
        for _ in range(TRIES):
            gone, soft = await self._both(address)
            known = _known(gone, soft)
            first = first or known
            now = move(known)
            if now.past != known.past and not await self._put(
                _key("soft", address), _past_to_bytes(now.past), soft
            ):
                continue
            if now.entry is None:
                there = _entry(await self._bucket.get(_key("gone", address)))
                if there is not None and (
                    there == known.entry or now.past.outdates(there)
                ):
                    await self._bucket.delete(_key("gone", address))
                return first, now
            if now.entry == known.entry:
                return first, now
            if not await self._put(
                _key("gone", address), _entry_to_bytes(now.entry), gone
            ):
                continue
            past = _past(await self._bucket.get(_key("soft", address)))
            if not past.outdates(now.entry):
                return first, now
            await self._bucket.delete(_key("gone", address))
            return first, Known(None, past)
        text = "suppression: too many relays write at once"
        raise Unwritable(text, RuntimeError(text))

    async def entries(self, *, start: str = "") -> AsyncIterator[list[Suppressed]]:
        """All entries behind the address `start`, in the order of their keys."""
        first = _key("gone", start) if start else ""
        async for page in self._bucket.pages("gone/", after=first):
            limit = asyncio.Semaphore(AT_ONCE)

            async def read(
                one: Listed, limit: asyncio.Semaphore = limit
            ) -> Suppressed | None:
                async with limit:
                    return _entry(await self._bucket.get(one.key))

            found = await together(map(read, page))
            yield [entry for entry in found if entry is not None]

    async def number(self) -> int:
        """How many entries there are."""
        return sum([len(page) async for page in self._bucket.pages("gone/")])

    async def _both(self, address: str) -> tuple[Found | None, Found | None]:
        gone, soft = await asyncio.gather(
            self._bucket.get(_key("gone", address)),
            self._bucket.get(_key("soft", address)),
        )
        return gone, soft

    async def _put(self, key: str, body: bytes, before: Found | None) -> bool:
        match = "" if before is None else before.etag
        return await self._bucket.put(key, body, match=match) is not None

    async def _renew(self, old: list[Listed], *, keep_bounces: float) -> None:
        """Write some anew, so that the bucket's rule leaves them.

        What is over is left to that rule. Any relay may do any of it, each once.
        """
        some = random.sample(old, min(len(old), RENEWED_AT_ONCE))
        limit = asyncio.Semaphore(AT_ONCE)

        async def renew(one: Listed) -> None:
            async with limit:
                found = await self._bucket.get(one.key)
                if found is not None and not self._is_over(one, found, keep_bounces):
                    await self._bucket.put(one.key, found.body, match=found.etag)

        await together(map(renew, some))

    def _is_over(self, one: Listed, found: Found, keep_bounces: float) -> bool:
        now = self._unix()
        if one.key.startswith("gone/"):
            entry = _entry(found)
            return entry is None or entry.is_over(now, keep_bounces)
        past = _past(found)
        last = max(past.removed, past.delivered, *(soft.at for soft in past.soft), 0.0)
        return last < now - KEPT_PAST


def _key(folder: str, address: str) -> str:
    return keys.hashed_key(folder, address)


def _number(key: str) -> int | None:
    """The hash of the address that a key is about, as `model.suppression.digest`."""
    try:
        return int(key.rpartition("/")[2][:16], 16)
    except ValueError:  # nothing of ours
        return None


def _entry_to_bytes(entry: Suppressed) -> bytes:
    return json.dumps(
        {
            "v": VERSION,
            "address": entry.address,
            "reason": entry.reason,
            "at": entry.at,
            "source": entry.source,
            "detail": entry.detail,
        }
    ).encode()


def _past_to_bytes(past: Past) -> bytes:
    return json.dumps(
        {
            "v": VERSION,
            "removed": past.removed,
            "delivered": past.delivered,
            "soft": past.soft,
        }
    ).encode()


def _known(gone: Found | None, soft: Found | None) -> Known:
    return Known(_entry(gone), _past(soft))


def _entry(found: Found | None) -> Suppressed | None:
    there = _read(found)
    reason, source = there.get("reason"), there.get("source")
    if reason not in get_args(Reason) or source not in get_args(Source):
        return None
    try:
        return Suppressed(
            str(there["address"]),
            cast("Reason", reason),
            float(there["at"]),
            cast("Source", source),
            str(there.get("detail", "")),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _past(found: Found | None) -> Past:
    there = _read(found)
    try:
        return Past(
            float(there.get("removed", 0.0)),
            float(there.get("delivered", 0.0)),
            tuple(Soft(float(at), str(key)) for at, key in there.get("soft", ())),
        )
    except (TypeError, ValueError):
        return NO_PAST


def _read(found: Found | None) -> dict[str, Any]:
    if found is None:
        return {}
    try:
        there = json.loads(found.body)
    except ValueError:
        return {}
    return there if isinstance(there, dict) else {}
