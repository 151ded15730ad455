"""Wrong passwords and tokens: who guesses is slowed down by his address, and logged.

What is right never waits for that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from ipaddress import IPv6Address, ip_address

from aiohttp import web

from relay import log
from relay.web.lines import line_of

# As for logins by SMTP: a wrong guess is answered after the first of these, the next
# of its address after twice that, up to the second; an address is forgotten after the
# third.
FIRST_DELAY, LONGEST_DELAY, FORGOTTEN_AFTER = 0.25, 2.0, 600.0
ADDRESSES = 10_000
TOLD_EVERY = 60.0  # seconds between two lines about one address


@dataclass(slots=True)
class _Failures:
    count: int = 0
    until: float = 0.0
    tell_from: float = 0.0


class Guesses:
    """The failures at one door; `event` and `listener` are the log's words for it."""

    def __init__(self, event: str, *, listener: str) -> None:
        self._event = event
        self._listener = listener
        self._known: OrderedDict[str, _Failures] = OrderedDict()

    def of(self, request: web.Request) -> int:
        """How often the request's address has failed of late."""
        known = self._known.get(_network(request.remote or ""))
        return known.count if known and known.until > time.monotonic() else 0

    async def failed(
        self, request: web.Request, *, began: float, name: str = ""
    ) -> None:
        """Enter a failure, and wait as long after `began` as its address has to.

        `began` is monotonic; `name` is a user's, and never what was typed.
        """
        if (line := line_of(request)) is not None:
            line.is_wrong()
        now = time.monotonic()
        failures = self._entered(_network(request.remote or ""), now)
        if now >= failures.tell_from:
            failures.tell_from = now + TOLD_EVERY
            log.line(
                logging.WARNING,
                self._event,
                listener=self._listener,
                peer=request.remote,
                name=name,
                failures=failures.count,
            )
        delay = min(FIRST_DELAY * 2.0 ** min(failures.count - 1, 20), LONGEST_DELAY)
        await asyncio.sleep(max(began + delay - now, 0))

    def _entered(self, network: str, now: float) -> _Failures:
        failures = self._known.pop(network, None)
        if failures is None or failures.until <= now:
            failures = _Failures()
        failures.count += 1
        failures.until = now + FORGOTTEN_AFTER
        self._known[network] = failures
        while len(self._known) > ADDRESSES:
            self._known.popitem(last=False)
        return failures


def _network(peer: str) -> str:
    """What one person has: an address of IPv4, 64 bits of IPv6."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return address.packed[:8].hex()


class Turns:
    """Lets in so many at one time, those that failed least first."""

    def __init__(self, at_once: int, *, waiting: int) -> None:
        self._free = at_once
        self._most = waiting
        self._number = 0
        self._waiting: list[tuple[int, int, asyncio.Future[bool]]] = []

    async def enter(self, failures: int) -> bool:
        """Wait for a turn; False: too many others wait that failed no more often."""
        if self._free:
            self._free -= 1
            return True
        self._number += 1
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (failures, self._number, turn))
        if len(self._waiting) > self._most:
            last = max(self._waiting)
            self._waiting.remove(last)
            heapify(self._waiting)
            last[2].set_result(False)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.leave()
            else:
                self._waiting = [one for one in self._waiting if one[2] is not turn]
                heapify(self._waiting)
            raise

    def leave(self) -> None:
        """End a turn, and let the next one begin."""
        while self._waiting:
            _, _, turn = heappop(self._waiting)
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1
