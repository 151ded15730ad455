"""Whatever goes wrong on the line, no mail gets the answer to another.

But for one thing that HTTP/1.1 cannot tell apart: a second answer to one request
that arrives when the next request is already under way.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from relay.model.mail import Mail
from relay.model.outcome import Accepted, Deferred, Outcome
from relay.model.submission import Envelope, MailId
from relay.ses import error_table
from relay.ses.client_settings import ClientSettings
from relay.ses.open import open_ses
from relay.ses.parameters import RequestSettings
from relay.ses.sdk_client import connect
from relay.ses.send import DirectTransport
from relay.ses.send_by_sdk import SdkTransport

WAYS = (
    *["answer"] * 6,
    "chunked",
    "until the end",
    "and close",
    "close after it",
    "twice",
    "half",
    "reset",
    "reset after it",
    "late",
    "never",
    "before the end",
)


class Turmoil(asyncio.Protocol):
    """A server that answers each mail with its recipient's name, or fails it."""

    def __init__(self, chance: random.Random, seen: Counter[str]) -> None:
        self._chance = chance
        self._seen = seen
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        if len(body) < size:
            return
        self._data = body[size:]
        (recipient,) = json.loads(body[:size])["Destination"]["ToAddresses"]
        self._seen[recipient] += 1
        self._answer(recipient.partition("@")[0])

    def _answer(self, name: str) -> None:
        said = json.dumps({"MessageId": name}).encode()
        plain = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said)
        line = self._transport
        match self._chance.choice(WAYS):
            case "answer":
                line.write(plain)
            case "chunked":
                line.write(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    b"%x\r\n%b\r\n0\r\n\r\n" % (len(said), said)
                )
            case "until the end":
                line.write(b"HTTP/1.1 200 OK\r\n\r\n" + said)
                line.close()
            case "and close":
                line.write(plain.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"))
                line.close()
            case "close after it":
                line.write(plain)
                line.close()
            case "twice":
                line.write(plain + plain)
            case "half":
                line.write(plain[:-9])
                line.close()
            case "reset":
                self._reset()
            case "reset after it":
                line.write(plain)
                asyncio.get_running_loop().call_later(0.002, self._reset)
            case "late":
                asyncio.get_running_loop().call_later(1.2, line.write, plain)
            case "never":
                pass
            case "before the end":
                line.write(b"HTTP/1.1 100 Continue\r\n\r\n" + plain)

    def _reset(self) -> None:
        if not self._transport.is_closing():
            self._transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self._transport.abort()


@pytest.mark.parametrize("way", ["direct", "plain"])
async def test_no_mail_gets_the_answer_to_another_and_none_goes_out_twice(
    way: str,
) -> None:
    chance = random.Random(20)
    seen = Counter[str]()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Turmoil(chance, seen), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    access = ClientSettings(
        access_key_id="AKIAFAKE",
        access_key_secret="fake-secret",
        region="eu-west-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        connect_timeout=5,
        attempt_timeout=1,
        concurrency=8,
    )
    settings = RequestSettings()
    mails = iter(range(240))
    ends = dict[str, Outcome | None]()

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(server)
        transport: DirectTransport | SdkTransport
        if way == "direct":
            ses = await stack.enter_async_context(open_ses(access))
            direct = ses.transport(settings)
            assert isinstance(direct, DirectTransport)
            transport = direct
        else:
            connection = await stack.enter_async_context(connect(access))
            transport = SdkTransport(
                connection, settings=settings, attempt_timeout=access.attempt_timeout
            )

        async def send() -> None:
            for number in mails:
                recipient = f"mail-{number}@b.example"
                mail = Mail(
                    Envelope(None, (recipient,)), b"x" * chance.choice((9, 99999))
                )
                call = asyncio.ensure_future(transport.send(mail, MailId("1")))
                if chance.random() < 0.1:  # its session is cut off
                    loop.call_later(chance.uniform(0, 0.01), call.cancel)
                await asyncio.wait([call])
                ends[recipient] = None if call.cancelled() else call.result()

        async with asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(send())

    assert len(ends) == 240
    accepted = {to: end for to, end in ends.items() if isinstance(end, Accepted)}
    assert len(accepted) > 60
    for recipient, end in accepted.items():
        assert end == Accepted(recipient.partition("@")[0])
    others = [end for end in ends.values() if isinstance(end, Deferred)]
    assert {end.reply for end in others} == {error_table.LOST.reply}
    assert len(others) > 20
    assert max(seen.values()) == 1
    assert accepted.keys() <= seen.keys()
