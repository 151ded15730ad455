"""What a session pays for before it says anything."""

from __future__ import annotations

import asyncio
import sys
from types import FrameType

from relay.model.replies import INTERNAL
from relay.model.reply import Reply
from relay.smtp.doorkeeper import NOWHERE, Doorkeeper, Limits
from relay.smtp.listener_settings import ListenerSettings
from relay.smtp.memory import Memory
from relay.smtp.session import Session
from relay.system.door import Crowd


async def test_trap_29_the_library_looks_once_for_all_sessions_of_a_listener() -> None:
    async def accept(*_: object) -> Reply:
        return INTERNAL

    service = ListenerSettings(
        name="local",
        hostname="relay.example",
        accept=accept,
        limits=Limits(message_size=1, recipients=1, line_length=1000, timeout=1),
        allow=NOWHERE,
        doorkeeper=Doorkeeper(1, Memory(1), crowd=Crowd(1)),
        stopping=asyncio.Event(),
    )
    loop = asyncio.get_running_loop()
    kind = Session.of(service, loop)
    called: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.add(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        sessions = [kind(service, set(), loop=loop) for _ in range(2)]
    finally:
        sys.setprofile(None)
    assert "__init__" in called
    assert not called & {"getmembers", "_getmembers"}
    # What the library's own connection set-up reads is there for each.
    for session in sessions:
        assert session.hostname == "relay.example"
        assert session.transport is None
        assert session.loop is loop
    assert vars(sessions[0])["_closed"] is not vars(sessions[1])["_closed"]
