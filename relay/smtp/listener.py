"""A listening socket for each address of a listener, and the end of its sessions."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from relay.smtp.listener_settings import ListenerSettings
from relay.smtp.session import Session
from relay.system.door import Door


class Listener:
    """Serves the clients of one listener until told to stop.

    `take` gives it other settings: for sessions that begin from then on, and for what
    becomes of mail in those that began before.
    """

    def __init__(
        self, service: ListenerSettings, sockets: Sequence[socket.socket]
    ) -> None:
        self.name = f"listener {service.name}"
        self._service = service
        self._sockets = sockets
        self._sessions: set[Session] = set()
        self._kind: type[Session] | None = None

    def take(self, service: ListenerSettings) -> None:
        """Go on with other settings."""
        self._service = service
        self._kind = None

    def _in_force(self) -> ListenerSettings:
        return self._service

    async def run(self, stopping: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()

        def made() -> Session:
            if self._kind is None:
                self._kind = Session.of(self._service, loop)
            return self._kind(
                self._service, self._sessions, loop=loop, in_force=self._in_force
            )

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
