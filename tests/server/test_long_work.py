"""A mail that takes long to prepare, and the clients that come meanwhile."""

from __future__ import annotations

import json
import select
import smtplib
import socket
from contextlib import closing

from tests.server.relay_process import running_relay

TEMPLATES = [
    {"usageType": "Wrap", "subject": "x", "content": "<div>{{message.html}}</div>"},
]
CONTENT = (
    b"X-Relay-Usage: Wrap\r\nFrom: a@b.example\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n"
    + b"<td class=a><b>Hello</b> <a href='https://x.example/?a=1&amp;b'>it</a></td>\r\n"
    * 12_000
)


def begun(port: int, content: bytes) -> socket.socket:
    """A client that has sent all of a mail, and waits for the reply to it."""
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    with client.makefile("rb") as replies:
        replies.readline()
        for command in (
            b"EHLO a",
            b"MAIL FROM:<a@b.example>",
            b"RCPT TO:<c@d.example>",
        ):
            client.sendall(command + b"\r\n")
            while replies.readline()[3:4] == b"-":
                pass
        client.sendall(b"DATA\r\n")
        replies.readline()
    client.sendall(content + b".\r\n")
    return client


def test_other_clients_are_served_while_a_mail_is_prepared() -> None:
    assert len(CONTENT) < 1_000_000
    settings = {"RELAY_TEMPLATES": json.dumps(TEMPLATES)}
    with running_relay(settings=settings) as relay:
        port = relay.port()
        with closing(begun(port, CONTENT)) as slow:
            # The second one at the latest comes after the mail.
            for _ in range(2):
                with smtplib.SMTP("127.0.0.1", port, timeout=60) as other:
                    assert other.noop()[0] == 250
            answered, _, _ = select.select([slow], [], [], 0)
            assert not answered, "the others had to wait for the long mail"
            assert slow.recv(1000).startswith(b"250 2.0.0 captured as ")
