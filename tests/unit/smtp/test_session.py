"""What a session pays for before it says anything."""

from __future__ import annotations

import asyncio

from relay.model.replies import INTERNAL
from relay.model.reply import Reply
from relay.smtp.doorkeeper import Doorkeeper, Limits
from relay.smtp.listener_settings import ListenerSettings
from relay.smtp.memory import Memory
from relay.smtp.session import Session
from relay.system.door import Crowd


async def test_trap_29_the_library_finds_nothing_to_look_at_in_a_session() -> None:
    async def accept(*_: object) -> Reply:
        return INTERNAL

    service = ListenerSettings(
        name="local",
        hostname="relay.example",
        accept=accept,
        limits=Limits(message_size=1, recipients=1, line_length=1000, timeout=1),
        allow=(),
        doorkeeper=Doorkeeper(1, Memory(1), crowd=Crowd(1)),
        stopping=asyncio.Event(),
    )
    session = Session(service, set(), loop=asyncio.get_running_loop())
    # Each attribute that it saw would be looked at for each connection.
    assert dir(session) == []
    assert session._smtp_methods == session._auth_methods == {}
