"""SMTP smuggling: no line end but CRLF ends mail, coming in or going out."""

from __future__ import annotations

import asyncio
import os
import re
from itertools import product

from tests.fake_ses import FakeSes
from tests.server.relay_process import running_relay
from tests.server.test_life import Client, through

# All that servers have been seen to take for the end of data, and their kin: see
# CVE-2023-51764 (Postfix), -51765 (Sendmail), -51766 (Exim), and SEC Consult's paper.
LINE_ENDS = (b"\r\n", b"\n", b"\r", b"\n\n", b"\r\r", b"\r\r\n", b"\n\r", b"")
ODD = (b"\0\r\n", b"\r\n\0", b"\x85", b"\xe2\x80\xa8", b" \r\n", b"\t\r\n", b"\x0b\x0c")
SMUGGLED = b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\n"


def attempts() -> list[bytes]:
    """What stands between two halves of a mail, and must not end the first."""
    plain = [a + b"." + b for a, b in product(LINE_ENDS, LINE_ENDS)]
    odd = [a + b"." + b for a, b in product(ODD, (*LINE_ENDS, *ODD))]
    odd += [a + b"." + b for a, b in product(LINE_ENDS, ODD)]
    return [one for one in plain + odd if b"\r\n.\r\n" not in one]


async def test_nothing_but_crlf_dot_crlf_ends_a_mail_and_none_goes_out_bare() -> None:
    async with FakeSes() as ses:
        await asyncio.to_thread(submit_all, through(ses))
        assert len(ses.sent) == len(attempts())
        for attempt, request in zip(attempts(), ses.sent, strict=True):
            found = request.parameters["Destination"]["ToAddresses"]
            assert found == ["ann@example.com"], attempt
            assert b"victim@example.com" in request.mail, attempt
            assert request.mail.endswith(b"the end\r\n"), attempt
            # Going out there is no bare CR or LF that another server could misread.
            assert not re.search(rb"\r(?!\n)|(?<!\r)\n", request.mail), attempt


def submit_all(settings: dict[str, str]) -> None:
    with running_relay("-c", os.devnull, settings=settings) as relay:
        client = Client(relay.port())
        client.reply()
        client.say("EHLO t")
        client.reply()
        for attempt in attempts():
            client.say("MAIL FROM:<app@example.com>", "RCPT TO:<ann@example.com>")
            client.say("DATA")
            assert [client.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
            client.socket.sendall(
                b"From: app@example.com\r\n\r\nthe beginning"
                + attempt
                + SMUGGLED
                + b"the end\r\n.\r\n"
            )
            assert client.reply().startswith("250 2.0.0 Ok "), attempt
        client.say("QUIT")
        assert client.reply().startswith("221 ")
        client.close()
