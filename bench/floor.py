"""The floor: the least that Python can do between SMTP and SES, without features.

`python -m bench.floor PORT SES_URL`

No address is checked, no header read, no dot unstuffed, nothing signed, limited or
logged: commands are answered by their first letter, and the mail goes in base64 into
a request that was written before. What a relay costs more than this is its features.
"""

from __future__ import annotations

import asyncio
import binascii
import os
import ssl
import sys
from collections import deque
from urllib.parse import urlsplit

REPLIES = {
    b"E": b"250 floor\r\n",
    b"M": b"250 2.1.0 Ok\r\n",
    b"R": b"250 2.1.5 Ok\r\n",
    b"D": b"354 Go on\r\n",
}
HEAD = (
    b"POST /v2/email/outbound-emails HTTP/1.1\r\nHost: floor\r\n"
    b"Content-Type: application/json\r\nAuthorization: none\r\nContent-Length: %d\r\n"
    b"\r\n%s%s%s"
)
BEFORE = b'{"Destination":{"ToAddresses":["a@example.net"]},"Content":{"Raw":{"Data":"'
AFTER = b'"}}}'


class SesConnection(asyncio.Protocol):
    """One kept connection; the answer of a request goes to its SMTP session."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._session: Session | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # as asyncio promises

    def send(self, content: bytes, session: Session) -> None:
        self._session = session
        data = binascii.b2a_base64(content, newline=False)
        length = len(BEFORE) + len(data) + len(AFTER)
        self.transport.write(HEAD % (length, BEFORE, data, AFTER))

    def data_received(self, data: bytes) -> None:
        session, self._session = self._session, None
        if session is not None:  # else the rest of an answer that came in two parts
            self._pool.give_back(self)
            session.answered(data.startswith(b"HTTP/1.1 200 "))


class Pool:
    """The connections that are free; a new one where there is none."""

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url)
        self._free: deque[SesConnection] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._tls = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])

    def send(self, content: bytes, session: Session) -> None:
        if self._free:
            self._free.pop().send(content, session)
            return
        task = asyncio.ensure_future(self._open(content, session))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def give_back(self, connection: SesConnection) -> None:
        self._free.append(connection)

    async def _open(self, content: bytes, session: Session) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: SesConnection(self),
            self._place.hostname or "",
            self._place.port or 443,
            ssl=self._tls,
        )
        connection.send(content, session)


class Session(asyncio.Protocol):
    """One SMTP client."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lines = b""
        self._content: list[bytes] | None = None
        self._tail = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # as asyncio promises
        self._transport.write(b"220 floor\r\n")

    def answered(self, good: bool) -> None:
        self._transport.write(b"250 2.0.0 Ok\r\n" if good else b"451 4.3.0 No\r\n")

    def data_received(self, data: bytes) -> None:
        if self._content is not None:
            self._content.append(data)
            self._tail = (self._tail + data)[-5:] if len(data) < 5 else data[-5:]
            if self._tail == b"\r\n.\r\n":
                content = b"".join(self._content)[:-3]
                self._content, self._tail = None, b""
                self._pool.send(content, self)
            return
        *lines, self._lines = (self._lines + data).split(b"\r\n")
        for line in lines:
            verb = line[:1]
            if verb == b"Q":
                self._transport.write(b"221 Bye\r\n")
                self._transport.close()
                return
            if verb == b"D":
                self._content = []
            self._transport.write(REPLIES.get(verb, b"500 What?\r\n"))


async def main(port: int, url: str) -> None:
    pool = Pool(url)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Session(pool), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
