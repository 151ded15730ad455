"""Takes the addresses that the relay is reached at, and waits where that helps."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from relay import config, log
from relay.system import sockets

# Seconds in which an address that cannot be had is tried again, and how often: the
# relay before this one may be on its way out, or the network on its way in.
PATIENCE = 5.0
TRIED_EVERY = 0.2


class Binder:
    """Takes addresses until the stack ends, with `PATIENCE` for all of them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._until: float | None = None

    async def bound(
        self, address: str, name: str, *, patient: bool = True, mode: str = ""
    ) -> list[socket.socket]:
        """Listening sockets for `address`; `mode` is a unix socket's, in octal.

        Raises CannotListen.
        """
        while True:
            try:
                bound = self._bind(address, mode)
                break
            except sockets.CannotListen as error:
                passes = patient and isinstance(error, sockets.CannotListenNow)
                text = f"listener {name}: {error}"
                if not (passes and self._waits(text)):
                    raise type(error)(text) from error
            await asyncio.sleep(TRIED_EVERY)
        self.keep(bound, name)
        return bound

    def keep(self, bound: Sequence[socket.socket], name: str) -> None:
        """Have these until the stack ends, and tell of them."""
        for sock in bound:
            self._stack.callback(sock.close)
            shown = sockets.shown(sock)
            log.line(logging.INFO, "listening", listener=name, address=shown)

    def _bind(self, address: str, mode: str) -> list[socket.socket]:
        if path := config.unix_path(address):
            from relay.system import unix_socket

            sock, remove = unix_socket.bind(Path(path), int(mode, 8))
            self._stack.callback(remove)
            return [sock]
        return sockets.bind(*config.host_and_port(address))

    def _waits(self, reason: str) -> bool:
        """Tell whether there is time left, and say once that it is waited."""
        now = asyncio.get_running_loop().time()
        if self._until is None:
            self._until = now + PATIENCE
            log.line(logging.WARNING, "waiting", reason=reason, seconds=PATIENCE)
        return now < self._until


async def page_sockets(settings: config.Config, binder: Binder) -> list[socket.socket]:
    """Take the page's port now, so that a taken one is known before all else.

    A page that nobody asked for is no reason to take no mail: where its default port
    is taken, say by another relay, there is none. Raises CannotListen.
    """
    web = settings.web
    if not web.listen:
        return []
    # Logto, which hands its mail over there, would find another relay.
    needed = bool(config.revealed(settings.intake.token)) or "listen" in web.given
    try:
        return await binder.bound(web.listen, "web", patient=needed)
    except sockets.CannotListen as error:
        if needed:
            raise
        log.line(
            logging.WARNING,
            "no page",
            detail=f'{error}; set web.listen to another address, or to "" for none',
        )
        return []


async def health_sockets(
    settings: config.Config, binder: Binder
) -> list[socket.socket]:
    if not settings.health.listen:
        return []
    return await binder.bound(settings.health.listen, "health")
