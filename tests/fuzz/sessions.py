"""A listener in this process, which fuzzers talk to over real sockets."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_network

from relay import log
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.smtp.doorkeeper import NOWHERE, Doorkeeper, Limits, Networks
from relay.smtp.listener_settings import ListenerSettings
from relay.smtp.memory import Memory
from relay.smtp.session import Session
from relay.system.door import Crowd, Door

LOCAL = Networks([ip_network("127.0.0.0/8")])
SECONDS = 20.0  # for one conversation; more is a session that hangs
_REPLY = re.compile(rb"\d{3}[ -][\x20-\x7e]*")


class Broken(AssertionError):  # noqa: N818 - a statement about the relay
    """The relay did what it must never do."""


class _Bugs(logging.Handler):
    """Remembers what the log says of bugs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(f"{record.getMessage()} {getattr(record, 'fields', '')}")


class Sessions:
    """Holds conversations with real sessions; `proxied`: a PROXY header comes first."""

    def __init__(self, *, proxied: bool = False) -> None:
        self._loop = asyncio.new_event_loop()
        self._bugs = _Bugs()
        log.logger.addHandler(self._bugs)
        log.logger.propagate = False
        self._loop.set_exception_handler(
            lambda _, context: self._bugs.found.append(str(context))
        )
        self._taken: list[Submission] = []
        self._living: set[Session] = set()
        self.doorkeeper = Doorkeeper(100, Memory(200_000), crowd=Crowd(100))

        async def accept(submission: Submission, _: Callable[[], bool]) -> Reply:
            self._taken.append(submission)
            return Reply(250, "0.0", f"Ok {len(submission.content)}")

        self._service = ListenerSettings(
            name="fuzzed",
            hostname="relay.test",
            accept=accept,
            limits=Limits(
                message_size=20_000, recipients=3, line_length=1000, timeout=SECONDS
            ),
            allow=LOCAL,
            doorkeeper=self.doorkeeper,
            stopping=asyncio.Event(),
            auth="any",
            proxies=LOCAL if proxied else NOWHERE,
        )
        sock = socket.create_server(("127.0.0.1", 0))
        self._port = sock.getsockname()[1]
        self._kind = Session.of(self._service, self._loop)
        self._door = self._loop.run_until_complete(self._opened(sock))

    async def _opened(self, sock: socket.socket) -> Door:
        return Door(self._session, sock, self.doorkeeper.crowd)

    def _session(self) -> Session:
        return self._kind(self._service, self._living, loop=self._loop)

    def close(self) -> None:
        """End the listener."""
        self._door.close()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
        log.logger.removeHandler(self._bugs)
        log.logger.propagate = True

    def talk(self, chunks: Sequence[bytes]) -> tuple[list[bytes], list[Submission]]:
        """Send the chunks one by one, close that side, and read to the end.

        The reply lines and the mail that was taken. Raises Broken when the relay
        hangs, says what is no reply, keeps something, or logs a bug.
        """
        self._taken.clear()
        self._bugs.found.clear()
        try:
            said = self._loop.run_until_complete(
                asyncio.wait_for(self._talk(chunks), SECONDS)
            )
        except TimeoutError:
            raise Broken("the session hangs") from None
        if self._bugs.found:
            raise Broken(str(self._bugs.found))
        lines = said.split(b"\r\n")
        if lines.pop() != b"":
            raise Broken(f"a reply without its end: {said!r}")
        for line in lines:
            if not _REPLY.fullmatch(line):
                raise Broken(f"not a reply: {line!r}")
        for submission in self._taken:
            if len(submission.content) > 20_000:
                raise Broken("more than the limit was taken")
        if self.doorkeeper.open or self.doorkeeper.memory.used or self._living:
            raise Broken(f"something is kept: {self.doorkeeper}")
        return lines, list(self._taken)

    async def _talk(self, chunks: Sequence[bytes]) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        reading = asyncio.create_task(reader.read())
        try:
            for chunk in chunks:
                writer.write(chunk)
                await writer.drain()
                for _ in range(3):  # so that the chunks arrive one by one
                    await asyncio.sleep(0)
            writer.write_eof()
        except (ConnectionError, RuntimeError, OSError):
            pass  # the relay has closed already
        try:
            said = await reading
        except ConnectionError:
            # What came before the reset; the stream gives it to nobody any more.
            said = bytes(reader._buffer)  # type: ignore[attr-defined]
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass
        crowd = self.doorkeeper.crowd
        while self._living or crowd.inside:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        return said
