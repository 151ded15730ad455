"""Defects of other relays and surprises of the libraries, end to end: client to SES."""

from __future__ import annotations

import asyncio
import contextlib
import os
import smtplib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.fake_ses import Answer, FakeSes
from tests.server.relay_process import WAIT, RelayProcess, running_relay
from tests.server.test_life import MAIL, Client, through

T = TypeVar("T")


async def with_relay(
    ses: FakeSes, use: Callable[[RelayProcess], T], **settings: str
) -> T:
    """Run a relay that sends through `ses`, and use it from a thread of its own."""

    def run() -> T:
        chosen = through(ses, **settings)
        with running_relay("-c", os.devnull, settings=chosen) as relay:
            return use(relay)

    return await asyncio.to_thread(run)


def submit(
    relay: RelayProcess,
    content: bytes,
    *,
    sender: str = "a@b.example",
    recipients: tuple[str, ...] = ("c@d.example",),
) -> tuple[list[int], str]:
    """Codes of the RCPT replies, and the reply to the mail."""
    with smtplib.SMTP("127.0.0.1", relay.port(), timeout=WAIT) as smtp:
        smtp.ehlo()
        smtp.mail(sender)
        codes = [smtp.rcpt(recipient)[0] for recipient in recipients]
        code, text = smtp.data(content)
    return codes, f"{code} {text.decode()}"


async def test_trap_1_and_4_a_refused_recipient_makes_no_second_mail() -> None:
    async with FakeSes() as ses:
        recipients = ("c@d.example", "not an address", "e@f.example")
        codes, reply = await with_relay(
            ses, lambda relay: submit(relay, MAIL, recipients=recipients)
        )
        (request,) = ses.sent
    assert codes == [250, 553, 250]
    assert reply.startswith("250 2.0.0 Ok ")
    assert request.json["Destination"] == {
        "ToAddresses": ["c@d.example", "e@f.example"]
    }


async def test_trap_7_and_8_headers_decide_no_recipient_and_no_sender() -> None:
    content = (
        b'From: "Desk, Acme" <desk@acme.example>\r\nTo: Ann <ann@example.com>\r\n'
        b"Bcc: boss@example.com,\r\n eve@example.com\r\nReturn-Path: <x@y.example>\r\n"
        b"Subject: s\r\n\r\nhello\r\n"
    )
    recipients = ("ann@example.com", "boss@example.com")
    async with FakeSes() as ses:
        await with_relay(
            ses, lambda relay: submit(relay, content, recipients=recipients)
        )
        (request,) = ses.sent
    assert set(request.json) == {"Content", "Destination"}
    assert request.json["Destination"] == {"ToAddresses": list(recipients)}
    assert request.mail == (
        b'From: "Desk, Acme" <desk@acme.example>\r\nTo: Ann <ann@example.com>\r\n'
        b"Subject: s\r\n\r\nhello\r\n"
    )


async def test_trap_18_and_26_and_36_a_bounce_with_a_null_sender_passes() -> None:
    async with FakeSes() as ses:
        _, reply = await with_relay(ses, lambda relay: submit(relay, MAIL, sender=""))
        (request,) = ses.sent
    assert reply.startswith("250 ")
    assert request.mail == MAIL


async def test_trap_15_and_41_a_silent_ses_holds_no_client_for_long() -> None:
    async with FakeSes(Answer(then="hang")) as ses:
        _, reply = await with_relay(
            ses,
            lambda relay: submit(relay, MAIL),
            RELAY_SES__ATTEMPT_TIMEOUT="3",
            RELAY_SES__CONNECT_TIMEOUT="2.5",
        )
        assert len(ses.sent) == 1
    assert reply.startswith("451 4.4.2 ")


def test_trap_11_and_34_what_ehlo_offers_is_enforced_for_each_session_alike() -> None:
    settings = {"RELAY_LIMITS__MESSAGE_SIZE": "1000", "RELAY_LIMITS__RECIPIENTS": "2"}
    with running_relay(settings=settings) as relay:
        for _ in range(3):
            with smtplib.SMTP("127.0.0.1", relay.port()) as smtp:
                for _ in range(3):
                    smtp.ehlo()
                assert smtp.esmtp_features["size"] == "1000"
                assert smtp.esmtp_features["limits"] == "RCPTMAX=2"
                assert {"smtputf8", "dsn"} <= smtp.esmtp_features.keys()
                assert smtp.docmd("MAIL FROM:<a@b.example> SIZE=1001")[0] == 552
                assert smtp.docmd("MAIL FROM:<a@b.example> SIZE=1000")[0] == 250
                codes = [smtp.rcpt(f"{name}@d.example")[0] for name in "xyx"]
                assert codes == [250, 250, 250]  # the third is the first again
                assert smtp.rcpt("z@d.example")[0] == 452
                exact = b"Subject: x\r\n\r\n" + b"x" * 984 + b"\r\n"
                assert len(exact) == 1000
                assert smtp.data(exact)[0] == 250
                # A long but legal MAIL, before and after other sessions' EHLO.
                local = "a" * 600
                assert smtp.docmd(f"MAIL FROM:<{'b' * 60}@b.example> AUTH={local}") == (
                    250,
                    b"2.1.0 Sender ok",
                )


def test_trap_25_and_35_nothing_a_client_says_is_answered_by_the_library() -> None:
    with running_relay() as relay:
        client = Client(relay.port())
        assert client.reply().startswith("220 ")
        client.say("EHLO t")
        assert client.reply().startswith("250 ")
        for line, code in (
            ("MAIL FROM:<ä@b.example>", "553 5.6.7 "),
            ("MAIL FROM:<a@bücher.example> SIZE=ä", "501 5.5.4 "),
            ("MAIL FROM:<a@bücher.example>", "250 2.1.0 "),
            ("RCPT TO:<é@d.example>", "553 5.6.7 "),
            ("RCPT TO:<>", "553 5.1.3 "),
            ("RCPT TO:<c@d.example", "553 5.1.3 "),
            ("RCPT TO:<c@bücher.example>", "250 2.1.5 "),
            ("ÄÖÜ", "500 5.5.1 "),
            ("NOOP ä", "250 2.0.0 "),
        ):
            client.say(line)
            assert client.reply().startswith(code), line
        client.close()


def test_trap_28_lines_without_end_and_empty_lines_are_not_kept() -> None:
    settings = {
        "RELAY_LIMITS__MESSAGE_SIZE": "1000000",
        "RELAY_LIMITS__LINE_LENGTH": "100000",
    }
    with running_relay(settings=settings) as relay:
        idle = resident(relay)
        for flood, code in ((b"x" * 1_000_000, "554 5.6.0"), (b"\r\n", "552 5.3.4")):
            client = Client(relay.port())
            client.begin()
            for _ in range(48 if len(flood) > 2 else 1):
                client.socket.sendall(flood if len(flood) > 2 else flood * 24_000_000)
            client.socket.sendall(b"\r\n.\r\n")
            assert client.reply().startswith(code)
            client.close()
        assert resident(relay) - idle < 16_000_000


def resident(relay: RelayProcess) -> int:
    """The peak of the process' memory, in bytes."""
    status = Path(f"/proc/{relay.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def test_trap_42_localhost_listens_on_both_of_its_addresses() -> None:
    both = {str(where[0]) for *_, where in socket.getaddrinfo("localhost", 0)}
    listeners = '[{"address": "localhost:0"}]'
    with running_relay(settings={"RELAY_LISTENERS": listeners}) as relay:
        port = relay.port()
        for address in both:
            with contextlib.closing(socket.create_connection((address, port))) as one:
                assert one.recv(4) == b"220 "


def test_trap_44_the_placeholders_of_logto_are_a_subject_like_any_other() -> None:
    templates = (
        '[{"usageType": "SignIn", "subject": "<sign-in-template-subject>", '
        '"content": "Your code is {{code}}."}]'
    )
    with running_relay(settings={"RELAY_TEMPLATES": templates}) as relay:
        head = b'X-Relay-Usage: SignIn\r\nX-Relay-Variables: {"code": "1"}\r\n'
        _, reply = submit(relay, head + MAIL)
        assert reply.startswith("250 ")
        assert b"\r\nSubject: <sign-in-template-subject>\r\n" in (
            relay.next_captured().content
        )


@pytest.mark.parametrize("name", ["a.b", "ä", "x y", "a" * 256])
async def test_trap_43_a_usage_of_any_text_makes_a_tag_that_ses_takes(
    name: str,
) -> None:
    templates = '[{"usageType": "Generic", "subject": "s", "content": "c"}]'
    async with FakeSes() as ses:
        head = f"X-Relay-Usage: {name}\r\n".encode()
        _, reply = await with_relay(
            ses, lambda relay: submit(relay, head + MAIL), RELAY_TEMPLATES=templates
        )
        (request,) = ses.sent
    assert reply.startswith("250 ")
    (tag,) = request.json["EmailTags"]
    assert tag["Name"] == "usage"
    assert tag["Value"].replace("_", "").replace("-", "").isalnum() or name == "ä"
    assert 0 < len(tag["Value"]) <= 256
