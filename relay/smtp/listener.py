"""A listening socket for each address of a listener, and the end of its sessions."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from relay.smtp.listener_settings import ListenerSettings
from relay.smtp.session import Session
from relay.system.acceptor import Acceptor


class Listener:
    """Serves the clients of one listener until told to stop."""

    def __init__(
        self, service: ListenerSettings, sockets: Sequence[socket.socket]
    ) -> None:
        self.name = f"listener {service.name}"
        self._service = service
        self._sockets = sockets
        self._sessions: set[Session] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        acceptors = [
            Acceptor(
                lambda: Session(self._service, self._sessions, loop=loop), listening
            )
            for listening in self._sockets
        ]
        try:
            await stopping.wait()
            for acceptor in acceptors:
                acceptor.close()
            while self._sessions:
                for session in tuple(self._sessions):
                    session.dismiss_if_idle()
                await asyncio.sleep(0.02)
        finally:
            for acceptor in acceptors:
                acceptor.close()
            await self._cut_off()

    async def _cut_off(self) -> None:
        """End what is still under way; the time for it is over."""
        tasks = []
        for session in tuple(self._sessions):
            session.dismiss()
            if session.task is not None:
                session.task.cancel()
                tasks.append(session.task)
        await asyncio.gather(*tasks, return_exceptions=True)
