"""What a session pays for before it says anything, and what is left at its end."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import weakref
from ipaddress import ip_network
from types import FrameType

from relay.model.replies import INTERNAL
from relay.model.reply import Reply
from relay.smtp.doorkeeper import Doorkeeper, Limits, Networks
from relay.smtp.listener_settings import ListenerSettings
from relay.smtp.memory import Memory
from relay.smtp.session import Session
from relay.system.door import Crowd, Door

START = b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"


def settings() -> ListenerSettings:
    """A listener whose mail is all refused."""

    async def accept(*_: object) -> Reply:
        return INTERNAL

    return ListenerSettings(
        name="local",
        hostname="relay.example",
        accept=accept,
        limits=Limits(message_size=1000, recipients=1, line_length=1000, timeout=60),
        allow=Networks([ip_network("127.0.0.0/8")]),
        doorkeeper=Doorkeeper(10, Memory(10_000), crowd=Crowd(10)),
        stopping=asyncio.Event(),
    )


async def test_trap_29_the_library_looks_once_for_all_sessions_of_a_listener() -> None:
    service = settings()
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


async def test_a_session_that_is_over_leaves_nothing_to_the_garbage_collector() -> None:
    service = settings()
    loop = asyncio.get_running_loop()
    kind = Session.of(service, loop)
    living: set[Session] = set()
    left: list[weakref.ref[Session]] = []

    def made() -> Session:
        session = kind(service, living, loop=loop)
        left.append(weakref.ref(session))
        return session

    def talk(words: bytes, until: bytes) -> None:
        with socket.create_connection(address) as client:
            client.sendall(words)
            said = b""
            while until not in said:
                said += client.recv(1000)

    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    crowd = service.doorkeeper.crowd
    door = Door(made, listening, crowd)
    gc.disable()
    try:
        for words, until in (
            (START + b"x: y\r\n.\r\nQUIT\r\n", b"221 "),
            (START + b"x", b"354 "),  # and no end
        ):
            await asyncio.to_thread(talk, words, until)
            while living or crowd.inside:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [session() for session in left] == [None, None]
    finally:
        gc.enable()
        door.close()
