"""A listening socket for each address of a listener, and the end of its sessions."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from relay.smtp.listener_settings import ListenerSettings
from relay.smtp.session import Session
from relay.system.door import Door


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
        kind = Session.of(self._service, loop)

        def made() -> Session:
            return kind(self._service, self._sessions, loop=loop)

        crowd = self._service.doorkeeper.crowd
        doors = [Door(made, listening, crowd) for listening in self._sockets]
        try:
            await stopping.wait()
            for door in doors:
                door.close()
            while self._sessions:
                for session in tuple(self._sessions):
                    session.dismiss_if_idle()
                await asyncio.sleep(0.02)
        finally:
            for door in doors:
                door.close()
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
