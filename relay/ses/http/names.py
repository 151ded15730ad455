"""Names of hosts, looked up in threads of their own: a silent resolver harms no other.

The resolver of the system cannot be told to hurry, nor to stop.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from relay.system.threads import Threads

# So many may wait for a resolver at once; each is given up by those who asked, and
# the thread is free when the system gives up as well.
AT_ONCE = 4

Addresses = Sequence[tuple[int, int, int, str, Any]]  # as getaddrinfo gives them


class _LookUp(NamedTuple):
    began: float  # by the loop's time
    found: asyncio.Future[Addresses]


class Names:
    """Finds the addresses of hosts for connections of TCP.

    Who asks for what is being looked up waits for the same answer, unless that takes
    longer than `patience` already, in seconds.
    """

    def __init__(self, *, patience: float) -> None:
        self._patience = patience
        self._threads = Threads("names", AT_ONCE)
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[tuple[str, int, int], list[_LookUp]] = {}

    async def addresses(self, host: str, port: int, family: int = 0) -> Addresses:
        """The addresses of `host`; raises OSError, or UnicodeError for no name.

        An answer that does not come within `patience` is an OSError.
        """
        ask = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM
        )
        if _is_address(host):
            return ask(flags=socket.AI_NUMERICHOST)  # nobody is asked
        found = self._look_up((host, port, family), ask)
        try:
            async with asyncio.timeout(self._patience):
                # Shielded: others may wait for it, and a thread cannot be stopped.
                return await asyncio.shield(found)
        except TimeoutError:
            raise socket.gaierror(
                socket.EAI_AGAIN, f"the resolver is silent about {host}"
            ) from None

    def close(self) -> None:
        """Wait for no answer any more; what the resolver has begun it may end."""
        self._threads.shutdown(cancel_futures=True)
        for look_ups in self._under_way.values():
            for one in look_ups:
                one.found.cancel()

    def _look_up(
        self, key: tuple[str, int, int], ask: Callable[[], Addresses]
    ) -> asyncio.Future[Addresses]:
        under_way = self._under_way.setdefault(key, [])
        now = self._loop.time()
        if under_way and (
            now - under_way[-1].began < self._patience or len(under_way) >= AT_ONCE
        ):
            return under_way[-1].found
        look_up = _LookUp(now, self._loop.run_in_executor(self._threads, ask))
        under_way.append(look_up)

        def ended(found: asyncio.Future[Addresses]) -> None:
            if not found.cancelled():
                found.exception()  # whoever asked may have left
            under_way.remove(look_up)
            if not under_way:
                self._under_way.pop(key, None)

        look_up.found.add_done_callback(ended)
        return look_up.found


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
