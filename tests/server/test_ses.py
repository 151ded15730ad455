"""The SES call over real HTTP: one request for one mail, and what came of it."""

from __future__ import annotations

import asyncio
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from aiohttp import web

from relay.delivery.transport import Transport, Unanswered
from relay.model.mail import ListManagement, Mail, SendOptions
from relay.model.outcome import Accepted, Deferred, Effect, Outcome, When
from relay.model.submission import Envelope, MailId
from relay.ses import error_table
from relay.ses.client_settings import ClientSettings
from relay.ses.open import open_ses
from relay.ses.parameters import RequestSettings
from relay.ses.sdk_client import CannotOpen, connect
from relay.ses.send import DirectTransport
from relay.ses.send_by_sdk import SdkTransport
from tests.fake_ses import SEND, Answer, FakeSes, error, self_signed
from tests.server.sdk import knows_tracking
from tests.unit.ses.test_error_table import ROWS

CONTENT = (
    b"From: a@a.example\r\nSubject: =?utf-8?q?=C3=A9?=\r\n\r\nh\xc3\xa9llo \xff\r\n"
)
MAIL = Mail(Envelope("app@a.example", ("b@b.example", "c@c.example")), CONTENT)
ID = MailId("one")


pytestmark = pytest.mark.usefixtures("no_aws_settings")


class Opener(Protocol):
    """Opens one of the two ways to SES."""

    def __call__(
        self, url: str, **other: object
    ) -> AbstractAsyncContextManager[Transport]: ...


@asynccontextmanager
async def directly(url: str, **other: object) -> AsyncIterator[Transport]:
    async with chosen(url, **other) as transport:
        assert isinstance(transport, DirectTransport)
        yield transport


@asynccontextmanager
async def plainly(url: str, **other: object) -> AsyncIterator[Transport]:
    access, settings = access_to(url, **other)
    async with connect(access) as connection:
        yield SdkTransport(
            connection, settings=settings, attempt_timeout=access.attempt_timeout
        )


@asynccontextmanager
async def chosen(url: str, **other: object) -> AsyncIterator[Transport]:
    access, settings = access_to(url, **other)
    async with open_ses(access) as ses:
        yield ses.transport(settings)


def access_to(url: str, **other: object) -> tuple[ClientSettings, RequestSettings]:
    settings: Any = other.pop("settings", RequestSettings())
    keywords: dict[str, Any] = {
        "access_key_id": "AKIAFAKE",
        "access_key_secret": "fake-secret",
        "region": "eu-west-1",
        "endpoint_url": url,
        "connect_timeout": 2,
        "attempt_timeout": 5,
    }
    keywords.update(other)
    return ClientSettings(**keywords), settings


@pytest.fixture(params=[directly, plainly], ids=["direct", "plain"])
def ses_at(request: pytest.FixtureRequest) -> Opener:
    """Both ways: what a test of this fixture says, either does."""
    opener: Opener = request.param
    return opener


async def outcome_of(
    opener: Opener, *script: Answer, **other: object
) -> tuple[Outcome, FakeSes]:
    async with FakeSes(*script) as fake, opener(fake.url, **other) as transport:
        return await transport.send(MAIL, ID), fake


def shown(outcome: Outcome) -> tuple[str, When | None, bool]:
    assert not isinstance(outcome, Accepted)
    if isinstance(outcome, Deferred):
        return str(outcome.reply), outcome.when, outcome.maybe_sent
    return str(outcome.reply), None, False


async def test_bytes_and_envelope_arrive_signed_and_as_botocore_models_them(
    ses_at: Opener,
) -> None:
    settings = RequestSettings("arn:f", "f@a.example", "arn:r", "news", "shop")
    options = SendOptions(
        tags=(("usage", "SignIn"),), list_management=ListManagement("l", "t")
    )
    async with FakeSes() as fake, ses_at(fake.url, settings=settings) as transport:
        outcome = await transport.send(replace(MAIL, options=options), ID)
    assert outcome == Accepted("0100fake-000001")
    (request,) = fake.requests
    assert (request.wrong, request.mail) == ("", CONTENT)
    assert request.parameters == {
        "Destination": {"ToAddresses": ["b@b.example", "c@c.example"]},
        "FromEmailAddressIdentityArn": "arn:f",
        "FeedbackForwardingEmailAddress": "f@a.example",
        "FeedbackForwardingEmailAddressIdentityArn": "arn:r",
        "ConfigurationSetName": "news",
        "TenantName": "shop",
        "EmailTags": [{"Name": "usage", "Value": "SignIn"}],
        "ListManagementOptions": {"ContactListName": "l", "TopicName": "t"},
    }


async def test_a_mail_that_is_not_to_be_tracked_says_so_in_its_call(
    ses_at: Opener,
) -> None:
    if not knows_tracking():
        pytest.skip("the installed SDK has no ConfigurationOverrides")
    mail = replace(MAIL, options=SendOptions(untracked=True))
    async with FakeSes() as fake, ses_at(fake.url) as transport:
        outcome = await transport.send(mail, ID)
    (request,) = fake.requests
    assert isinstance(outcome, Accepted)
    assert request.wrong == ""
    off = {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}
    assert request.parameters.get("ConfigurationOverrides") == {"Tracking": off}


async def test_trap_2_and_21_each_row_of_the_table_comes_of_one_request(
    ses_at: Opener,
) -> None:
    script = [
        Answer(status, "", body=text.encode())
        if code.isdigit()
        else error(code, status, text)
        for code, status, text, _, _ in ROWS
    ]
    async with FakeSes(*script) as fake, ses_at(fake.url) as transport:
        outcomes = [await transport.send(MAIL, ID) for _ in ROWS]
    assert [shown(outcome)[:2] for outcome in outcomes] == [row[3:] for row in ROWS]
    assert len(fake.sent) == fake.opened == len(ROWS)


async def test_the_error_type_may_carry_a_uri(ses_at: Opener) -> None:
    outcome, _ = await outcome_of(
        ses_at, error("MessageRejected:http://internal.amazon.com/x/", text="Bad")
    )
    assert shown(outcome)[0] == "554 5.6.0 Message rejected: Bad"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_5xx_with_html_is_ses_in_trouble(ses_at: Opener, status: int) -> None:
    page = Answer(status, body=b"<html>\xff</html>", content_type="text/html")
    outcome, fake = await outcome_of(ses_at, page)
    assert isinstance(outcome, Deferred)
    assert outcome.maybe_sent
    assert outcome.reply.code == 451
    assert fake.opened == 1


@pytest.mark.parametrize(
    "script",
    [
        Answer(then="reset"),
        Answer(then="close"),
        Answer(then="hang"),
        Answer(then="trickle"),
        Answer(body=b"{}"),
        Answer(body=b'{"MessageId": ""}'),
        Answer(body=b'{"MessageId": "a b"}'),
        Answer(body=b'{"MessageId": 5}'),
        Answer(body=b"<html>"),
        Answer(body=b"\xff\xfe"),
        Answer(body=b"[]"),
        Answer(body=b'"x"'),
        Answer(body=b""),
    ],
    ids=str,
)
async def test_traps_21_and_22_an_end_that_nobody_saw_may_have_been_sent(
    ses_at: Opener, script: Answer
) -> None:
    outcome, fake = await outcome_of(
        ses_at, script, attempt_timeout=3, connect_timeout=2.5
    )
    assert shown(outcome) == (str(error_table.LOST.reply), When.UNSEEN, True)
    assert len(fake.sent) == fake.opened == 1


SAID = b'{"MessageId": "0100-a"}'
FRAMED = b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n" + SAID


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 OK\r\n\r\n" + SAID,
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n" + SAID,
        b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n" + SAID,
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n" + SAID,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + SAID,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" + SAID,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n" + SAID,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + SAID,
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"HTTP/1.1 2",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
        b"Upgrade: x\r\n\r\n" + SAID,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2_000_000,
        b"HTTP/1.1 200 OK\r\nBad header\r\n\r\n" + SAID,
    ],
    ids=lambda wire: repr(wire[:60]),
)
async def test_what_is_no_answer_may_have_been_sent(
    ses_at: Opener, wire: bytes
) -> None:
    outcome, fake = await outcome_of(ses_at, Answer(body=wire, then="raw"))
    assert shown(outcome) == (str(error_table.LOST.reply), When.UNSEEN, True)
    assert len(fake.sent) == fake.opened == 1


@pytest.mark.parametrize(
    "wire",
    [
        FRAMED,
        b"HTTP/1.1 200 OK\r\n\r\n" + SAID,
        b"HTTP/1.0 200 OK\r\n\r\n" + SAID,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n"
        + SAID
        + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + FRAMED,
        FRAMED.replace(b"200 OK", b"200 "),
        FRAMED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        FRAMED.replace(b"Content-Length: ", b"content-length:   "),
    ],
    ids=repr,
)
async def test_an_answer_counts_however_http_frames_it(
    ses_at: Opener, wire: bytes
) -> None:
    outcome, _ = await outcome_of(ses_at, Answer(body=wire, then="raw"))
    assert outcome == Accepted("0100-a")


async def test_an_answer_counts_in_whatever_pieces_it_comes(ses_at: Opener) -> None:
    outcome, _ = await outcome_of(ses_at, Answer(body=FRAMED, then="raw bytewise"))
    assert outcome == Accepted("0100-a")


async def test_a_connection_that_ses_closes_after_each_answer_costs_no_mail(
    ses_at: Opener,
) -> None:
    async with FakeSes() as fake, ses_at(fake.url) as transport:
        for number in range(20):
            # Every other one says so before, the rest do not.
            said = b"\r\nConnection: close\r\n\r\n" if number % 2 else b"\r\n\r\n"
            wire = FRAMED.replace(b"\r\n\r\n", said)
            fake.answers.append(Answer(body=wire, then="raw"))
            assert await transport.send(MAIL, ID) == Accepted("0100-a")
            await fake.all_closed()
    assert fake.opened == len(fake.sent) == 20


async def test_a_mail_too_large_for_ses_is_refused_before_it_was_read(
    ses_at: Opener,
) -> None:
    large = replace(MAIL, content=CONTENT + b"0123456789abcde\r\n" * 700_000)
    refusal = Answer(413, then="answer unread")
    async with FakeSes(refusal, refusal) as fake, ses_at(fake.url) as transport:
        outcomes = [await transport.send(large, ID) for _ in range(2)]
        assert {shown(one)[0] for one in outcomes} == {str(error_table.TOO_LONG.reply)}
        assert isinstance(await transport.send(MAIL, ID), Accepted)
    assert (fake.opened, len(fake.sent)) == (3, 1)


async def test_an_ses_that_reads_slowly_gets_a_large_mail_whole(
    ses_at: Opener,
) -> None:
    large = replace(MAIL, content=CONTENT + b"0123456789abcde\r\n" * 300_000)
    async with FakeSes(Answer(pause=0.002)) as fake, ses_at(fake.url) as transport:
        assert isinstance(await transport.send(large, ID), Accepted)
    assert [(one.mail, one.wrong) for one in fake.sent] == [(large.content, "")]


async def test_a_large_mail_is_never_in_memory_a_second_time() -> None:
    large = replace(MAIL, content=CONTENT + b"0123456789abcde\r\n" * 700_000)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        left = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        while left:
            left -= len(await reader.read(left))
        writer.write(FRAMED)

    async with peer(serve) as address, directly(f"http://{address}") as transport:
        assert isinstance(await transport.send(MAIL, ID), Accepted)
        tracemalloc.start()
        outcome = await transport.send(large, ID)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(outcome, Accepted)
    assert most < 3_000_000 < len(large.content) / 3


async def test_a_large_mail_whose_reading_ends_half_way_may_have_been_sent(
    ses_at: Opener,
) -> None:
    large = replace(MAIL, content=CONTENT + b"0123456789abcde\r\n" * 700_000)
    script = Answer(then="reset unread")
    async with FakeSes(script) as fake, ses_at(fake.url) as transport:
        outcome = await transport.send(large, ID)
    assert shown(outcome) == (str(error_table.LOST.reply), When.UNSEEN, True)
    assert fake.opened == 1


async def test_a_cancelled_call_leaves_nothing_that_disturbs_the_next(
    ses_at: Opener,
) -> None:
    async with (
        FakeSes(*[Answer(then="hang")] * 3) as fake,
        ses_at(fake.url, concurrency=3) as transport,
    ):
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(transport.send(MAIL, ID)) for _ in range(3)]
            async with asyncio.timeout(10):
                while len(fake.sent) < 3:
                    await fake.arrived.wait()
                    fake.arrived.clear()
            for call in calls:
                call.cancel()
        for _ in range(3):
            assert isinstance(await transport.send(MAIL, ID), Accepted)
    assert fake.opened == 6


async def test_tls_fails_half_way_and_nothing_was_sent(ses_at: Opener) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)  # the client's hello
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\nspeak TLS elsewhere")

    async with peer(serve) as address, ses_at(f"https://{address}") as transport:
        outcome = await transport.send(MAIL, ID)
    assert shown(outcome) == (str(error_table.NO_TLS.reply), When.SOON, False)


@pytest.mark.parametrize("silent", [True, False])
async def test_tls_that_is_never_spoken_was_certainly_not_sent(
    ses_at: Opener, silent: bool
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if silent:
            await reader.read()

    async with (
        peer(serve) as address,
        ses_at(f"https://{address}", connect_timeout=0.3) as transport,
    ):
        outcome = await transport.send(MAIL, ID)
    assert shown(outcome) == (str(error_table.UNREACHABLE.reply), When.SOON, False)


async def test_over_tls_a_connection_closed_between_mails_costs_no_mail(
    ses_at: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = self_signed(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    large = replace(MAIL, content=CONTENT + b"0123456789abcde\r\n" * 100_000)
    async with FakeSes(tls=context) as fake, ses_at(fake.url) as transport:
        for mail in (MAIL, large, MAIL, large):
            fake.answers.append(Answer(body=FRAMED, then="raw"))
            assert await transport.send(mail, ID) == Accepted("0100-a")
            await fake.all_closed()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(transport.send(MAIL, ID)) for _ in range(20)]
        assert len({task.result() for task in tasks}) == 20
    assert [one.mail for one in fake.sent[:2]] == [MAIL.content, large.content]
    assert fake.opened == len(fake.sent) == 24


async def test_a_certificate_for_another_name_is_not_taken(
    ses_at: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = self_signed(tmp_path)  # it names 127.0.0.1 alone
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    async with FakeSes(tls=context) as fake:
        port = fake.url.rpartition(":")[2]
        async with ses_at(f"https://localhost:{port}") as transport:
            outcome = await transport.send(MAIL, ID)
    assert shown(outcome) == (str(error_table.NO_TLS.reply), When.SOON, False)
    assert fake.opened == 0


async def test_a_connection_that_closes_as_soon_as_it_is_made_may_have_been_sent(
    ses_at: Opener,
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    async with peer(serve) as address, ses_at(f"http://{address}") as transport:
        outcome = await transport.send(MAIL, ID)
    assert shown(outcome) == (str(error_table.LOST.reply), When.UNSEEN, True)


async def test_a_token_of_the_session_goes_along_and_is_signed(
    ses_at: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFAKE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "to/ken+==")
    keys = {"access_key_id": "", "access_key_secret": ""}
    async with FakeSes() as fake, ses_at(fake.url, **keys) as transport:
        assert isinstance(await transport.send(MAIL, ID), Accepted)
    (request,) = fake.sent
    assert request.headers["X-Amz-Security-Token"] == "to/ken+=="
    assert "x-amz-security-token" in request.headers["Authorization"]


async def test_a_token_that_would_forge_a_header_field_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFAKE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hush\r\nX-Forged: 1")
    keys = {"access_key_id": "", "access_key_secret": ""}
    async with FakeSes() as fake, directly(fake.url, **keys) as transport:
        outcome = await transport.send(MAIL, ID)
    assert shown(outcome) == (str(error_table.NO_CREDENTIALS.reply), When.SOON, False)
    assert isinstance(outcome, Deferred)
    assert "token" in outcome.detail
    assert "hush" not in outcome.detail
    assert fake.opened == 0


async def test_trap_22_a_reset_before_the_request_was_read_may_have_been_sent_too(
    ses_at: Opener,
) -> None:
    # The other side alone knows how much it had read.
    outcome, fake = await outcome_of(ses_at, Answer(then="reset unread"))
    assert shown(outcome) == (str(error_table.LOST.reply), When.UNSEEN, True)
    assert fake.opened == 1


async def test_a_slow_answer_in_time_is_an_answer(ses_at: Opener) -> None:
    outcome, _ = await outcome_of(ses_at, Answer(seconds=0.3), attempt_timeout=20)
    assert isinstance(outcome, Accepted)


async def test_a_large_mail_has_more_time(ses_at: Opener) -> None:
    large = replace(MAIL, content=CONTENT + b"x" * 1_000_000)
    script = (Answer(seconds=3), Answer(seconds=3))
    async with (
        FakeSes(*script) as fake,
        ses_at(fake.url, attempt_timeout=2, connect_timeout=1.9) as transport,
    ):
        assert isinstance(await transport.send(large, ID), Accepted)
        assert isinstance(await transport.send(MAIL, ID), Deferred)


async def test_a_mail_of_40_mb_passes(ses_at: Opener) -> None:
    large = replace(MAIL, content=CONTENT + b"0123456789abcde\r\n" * 2_350_000)
    async with FakeSes() as fake, ses_at(fake.url) as transport:
        fake_answer = await transport.send(large, ID)
    assert isinstance(fake_answer, Accepted)
    assert fake.sent[0].mail == large.content


@asynccontextmanager
async def peer(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server of a few lines, which closes after `serve`; gives host and port."""
    serving = set[asyncio.Task[None]]()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(run(reader, writer)))

    server = await asyncio.start_server(start, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*serving)


def closed_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port: int = line.getsockname()[1]
    return port


async def test_a_refused_connection_is_certainly_not_sent(ses_at: Opener) -> None:
    async with ses_at(f"http://127.0.0.1:{closed_port()}") as transport:
        outcome = await transport.send(MAIL, ID)
    assert shown(outcome) == (
        "451 4.4.1 SES cannot be reached",
        When.SOON,
        False,
    )
    assert isinstance(outcome, Deferred)
    assert outcome.again


async def test_an_unknown_host_is_certainly_not_sent(ses_at: Opener) -> None:
    async with ses_at("http://ses.invalid") as transport:
        outcome = await transport.send(MAIL, ID)
    assert shown(outcome)[2] is False
    assert str(outcome.reply)[:9] == "451 4.4.1"  # type: ignore[union-attr]  # a failure has a reply


async def test_a_host_that_does_not_answer_the_connect_is_certainly_not_sent(
    ses_at: Opener,
) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # a full backlog: further connects wait
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        async with ses_at(
            f"http://127.0.0.1:{port}", connect_timeout=0.3, attempt_timeout=3
        ) as transport:
            outcome = await transport.send(MAIL, ID)
        for one in waiting:
            one.close()
    assert shown(outcome) == (str(error_table.UNREACHABLE.reply), When.SOON, False)


async def test_trap_47_a_certificate_that_nobody_vouches_for(
    ses_at: Opener, tmp_path: Path
) -> None:
    context, _ = self_signed(tmp_path)
    async with FakeSes(tls=context) as fake, ses_at(fake.url) as transport:
        outcome = await transport.send(MAIL, ID)
    assert shown(outcome) == ("454 4.7.5 TLS with SES failed", When.SOON, False)
    assert fake.opened == 0


async def test_aws_ca_bundle_is_honoured(
    ses_at: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = self_signed(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    async with FakeSes(tls=context) as fake, ses_at(fake.url) as transport:
        assert isinstance(await transport.send(MAIL, ID), Accepted)


async def test_an_aws_ca_bundle_that_cannot_be_read_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(CannotOpen, match=r"AWS_CA_BUNDLE.*/nowhere\.pem"):
        async with chosen("http://127.0.0.1:1"):
            pass


@asynccontextmanager
async def proxy(refuse: bool = False) -> AsyncIterator[tuple[str, list[str]]]:
    """A small proxy: CONNECT, and forwarding of requests with a whole URL."""
    seen: list[str] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        verb, target, _ = head.split("\r\n", 1)[0].split(" ")
        seen.append(f"{verb} {target}")
        if refuse:
            writer.write(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        host, port = target.removeprefix("http://").split("/")[0].split(":")
        upstream, away = await asyncio.open_connection(host, int(port))
        if verb == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            away.write(head.encode())
        async with asyncio.TaskGroup() as group:
            group.create_task(pipe(reader, away))
            group.create_task(pipe(upstream, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen


async def test_https_proxy_is_honoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = self_signed(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    async with FakeSes(tls=context) as fake, proxy() as (url, seen):
        monkeypatch.setenv("HTTPS_PROXY", url)
        async with chosen(fake.url) as transport:
            assert isinstance(await transport.send(MAIL, ID), Accepted)
        assert seen == [f"CONNECT {fake.url.removeprefix('https://')}"]


async def test_no_proxy_is_honoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = self_signed(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with FakeSes(tls=context) as fake, chosen(fake.url) as transport:
        assert isinstance(await transport.send(MAIL, ID), Accepted)


@pytest.mark.parametrize("there", [True, False])
async def test_trap_47_a_proxy_that_does_not_let_us_through_sent_nothing(
    monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    async with proxy(refuse=True) as (url, _):
        address = url if there else f"http://127.0.0.1:{closed_port()}"
        monkeypatch.setenv("HTTPS_PROXY", address)
        async with chosen("https://127.0.0.2:1") as transport:
            outcome = await transport.send(MAIL, ID)
    assert shown(outcome) == (str(error_table.UNREACHABLE.reply), When.SOON, False)


async def test_awss_own_setting_of_the_endpoint_is_honoured(
    ses_at: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeSes() as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", fake.url)
        async with ses_at("") as transport:
            assert isinstance(await transport.send(MAIL, ID), Accepted)
        assert len(fake.sent) == 1


async def test_fips_and_the_own_endpoint_of_aws_are_honoured_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with proxy(refuse=True) as (url, seen):
        monkeypatch.setenv("HTTPS_PROXY", url)
        monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
        async with chosen("", region="us-east-1") as transport:
            await transport.send(MAIL, ID)
    assert seen == ["CONNECT email-fips.us-east-1.amazonaws.com:443"]


async def test_what_the_sdk_refuses_waits_and_was_not_sent(ses_at: Opener) -> None:
    wrong: Any = (("name", 424242),)
    async with FakeSes() as fake, ses_at(fake.url) as transport:
        outcome = await transport.send(
            replace(MAIL, options=SendOptions(tags=wrong)), ID
        )
    assert shown(outcome) == (str(error_table.UNKNOWN.reply), When.SLOWLY, False)
    assert isinstance(outcome, Deferred)
    assert outcome.detail == "ParamValidationError: EmailTags[0].Value"
    assert fake.opened == 0


async def test_no_credentials_anywhere_wait_and_are_found_later(
    ses_at: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeSes() as fake:
        async with ses_at(
            fake.url, access_key_id="", access_key_secret=""
        ) as transport:
            outcome = await transport.send(MAIL, ID)
            assert shown(outcome) == (
                "454 4.7.0 Temporary authentication failure",
                When.SOON,
                False,
            )
            (tmp_path / "credentials").write_text(
                "[default]\naws_access_key_id = AKIAFAKE\n"
                "aws_secret_access_key = fake-secret\n"
            )
            assert isinstance(await transport.send(MAIL, ID), Accepted)
        assert fake.opened == 1


async def test_after_an_expired_token_the_next_attempt_has_new_credentials(
    ses_at: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeSes(error("ExpiredTokenException", 403, "expired")) as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", fake.url)
        role = "arn:aws:iam::111122223333:role/relay"
        async with ses_at(fake.url, role_arn=role) as transport:
            outcome = await transport.send(MAIL, ID)
            assert shown(outcome)[1:] == (When.SOON, False)
            assert len(fake.sent) == 1
            assert isinstance(await transport.send(MAIL, ID), Accepted)
            assert isinstance(await transport.send(MAIL, ID), Accepted)
    used = [request.key_id for request in fake.sent]
    assert used == ["ASIAROLE1", "ASIAROLE2", "ASIAROLE2"]
    assert {request.key_id for request in fake.requests} == {"AKIAFAKE", *used}


async def test_many_expired_answers_at_once_renew_the_credentials_once(
    ses_at: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = error("ExpiredTokenException", 403, "expired")
    async with FakeSes(expired, expired, replace(expired, seconds=0.3)) as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", fake.url)
        role = "arn:aws:iam::111122223333:role/relay"
        async with ses_at(fake.url, role_arn=role) as transport:
            async with asyncio.TaskGroup() as group:
                late = [group.create_task(transport.send(MAIL, ID)) for _ in range(3)]
                await asyncio.wait(late, return_when=asyncio.FIRST_COMPLETED)
                assert isinstance(await transport.send(MAIL, ID), Accepted)
            assert isinstance(await transport.send(MAIL, ID), Accepted)
    assert len(fake.requests) - len(fake.sent) == 2  # AssumeRole


async def test_a_roles_credentials_are_renewed_before_they_expire(
    ses_at: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeSes() as fake:
        fake.roles.clear()
        fake.roles.extend([("ASIAROLE1", 60.0), ("ASIAROLE2", 3600.0)])
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", fake.url)
        async with ses_at(
            fake.url, role_arn="arn:aws:iam::111122223333:role/relay"
        ) as transport:
            async with asyncio.timeout(15):
                while not fake.sent or fake.sent[-1].key_id == "ASIAROLE1":
                    assert isinstance(await transport.send(MAIL, ID), Accepted)
    assert fake.sent[-1].key_id == "ASIAROLE2"


async def test_a_role_that_may_not_be_assumed_waits(
    ses_at: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeSes() as fake:
        fake.sts = error("AccessDenied", 403, "not authorized to sts:AssumeRole")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", fake.url)
        async with ses_at(
            fake.url, role_arn="arn:aws:iam::111122223333:role/relay"
        ) as transport:
            outcome = await transport.send(MAIL, ID)
    assert shown(outcome)[0] == "454 4.7.0 Temporary authentication failure"
    assert isinstance(outcome, Deferred)
    assert outcome.alarm
    assert "sts:AssumeRole" in outcome.detail
    assert fake.sent == []


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "x"}, "eu-north-1"),
        ({"AWS_DEFAULT_REGION": "eu-south-1"}, "eu-south-1"),
        ({}, "ap-south-1"),
    ],
)
async def test_trap_39_the_region_of_the_environment_goes_before_the_profiles(
    ses_at: Opener,
    variables: dict[str, str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "config").write_text("[default]\nregion = ap-south-1\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with FakeSes() as fake, ses_at(fake.url, region="") as transport:
        assert isinstance(await transport.send(MAIL, ID), Accepted)
    assert f"/{expected}/ses/aws4_request" in fake.sent[0].headers["Authorization"]


async def test_no_region_stops_the_start_with_its_cure() -> None:
    with pytest.raises(CannotOpen, match=r"ses\.region.*AWS_REGION"):
        async with chosen("http://127.0.0.1:1", region=""):
            pass


@pytest.mark.parametrize(
    ("other", "variables"),
    [
        ({"endpoint_url": "not a url"}, {}),
        ({"region": "no region!"}, {}),
        ({}, {"AWS_PROFILE": "nobody"}),
        ({"region": ""}, {"AWS_PROFILE": "nobody"}),
    ],
)
async def test_settings_that_make_no_client_stop_the_start(
    other: dict[str, str],
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CannotOpen):
        async with chosen("http://127.0.0.1:1", **other):
            pass


async def test_a_pause_by_a_clients_configuration_set_pauses_nothing(
    ses_at: Opener,
) -> None:
    paused = error("SendingPausedException")
    own = replace(MAIL, options=SendOptions(configuration_set="mine"))
    async with FakeSes(paused, paused) as fake, ses_at(fake.url) as transport:
        effects = [await transport.send(mail, ID) for mail in (own, MAIL)]
    assert [one.effect for one in effects if isinstance(one, Deferred)] == [
        Effect.NONE,
        Effect.PAUSE,
    ]


async def test_many_calls_at_once_share_the_client(ses_at: Opener) -> None:
    async with FakeSes() as fake, ses_at(fake.url, concurrency=10) as transport:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(transport.send(MAIL, ID)) for _ in range(50)]
        outcomes = [task.result() for task in tasks]
    assert all(isinstance(one, Accepted) for one in outcomes)
    assert len(set(outcomes)) == 50
    assert fake.opened == 50


async def test_trap_32_moto_as_a_second_opinion_has_the_same_bytes_and_recipients(
    ses_at: Opener,
) -> None:
    from moto.server import ThreadedMotoServer
    from moto.ses.models import ses_backends

    mail = replace(
        MAIL, content=b"From: a@a.example\r\nTo: x@x.example\r\n\r\n\xc3\xa9\r\n"
    )
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    await asyncio.to_thread(server.start)
    try:
        _, port = server.get_host_and_port()
        backend = ses_backends["123456789012"]["eu-west-1"]
        backend.verify_domain("a.example")
        async with ses_at(f"http://127.0.0.1:{port}") as transport:
            outcome = await transport.send(mail, ID)
        assert isinstance(outcome, Accepted)
        kept = backend.sent_messages[-1]
        assert kept.raw_data.encode() == mail.content
        assert set(mail.envelope.recipients) <= set(kept.destinations)
    finally:
        await asyncio.to_thread(server.stop)


async def test_the_details_for_the_log_hold_no_content_and_no_secret(
    ses_at: Opener,
) -> None:
    for script in (error("Odd", 400, "x"), Answer(then="reset")):
        outcome, _ = await outcome_of(ses_at, script)
        assert isinstance(outcome, Deferred)
        assert outcome.detail
        assert "fake-secret" not in outcome.detail
        assert "llo" not in json.dumps(outcome.detail)


ACCOUNT = "/v2/email/account"
ENDLESS = 80_000_000  # bytes that nobody keeps


@asynccontextmanager
async def redirecting(
    status: int,
) -> AsyncIterator[tuple[str, list[str], list[dict[str, str]]]]:
    """An endpoint that sends all requests elsewhere; what each side has heard."""
    here: list[str] = []
    elsewhere: list[dict[str, str]] = []

    async def believe(request: web.BaseRequest) -> web.Response:
        elsewhere.append(dict(request.headers))
        return web.json_response({"MessageId": "0100-x", "SendQuota": {}})

    async def send_away(request: web.BaseRequest) -> web.Response:
        await request.read()
        here.append(request.path)
        target = f"http://127.0.0.1:{other.addresses[0][1]}{request.path}"
        return web.Response(status=status, headers={"Location": target})

    other = web.ServerRunner(web.Server(believe))
    own = web.ServerRunner(web.Server(send_away))
    for runner in (other, own):
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{own.addresses[0][1]}", here, elsewhere
    finally:
        for runner in (other, own):
            await runner.cleanup()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(ses_at: Opener, status: int) -> None:
    async with redirecting(status) as (url, here, elsewhere):
        async with ses_at(url) as transport:
            outcome = await transport.send(MAIL, ID)
        access, _ = access_to(url)
        async with open_ses(access) as ses:
            with pytest.raises(Unanswered, match=str(status)):
                await ses.account.quota()
    assert (here, elsewhere) == ([SEND, ACCOUNT], [])
    assert shown(outcome) == (str(error_table.UNKNOWN.reply), When.SLOWLY, False)


async def test_a_redirect_of_sts_is_never_followed(
    ses_at: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with redirecting(307) as (url, here, elsewhere):
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        role = "arn:aws:iam::111122223333:role/relay"
        async with ses_at(url, role_arn=role) as transport:
            outcome = await transport.send(MAIL, ID)
    assert (set(here), elsewhere) == ({"/"}, [])
    assert isinstance(outcome, Deferred)
    assert outcome.reply == error_table.NO_CREDENTIALS.reply


@asynccontextmanager
async def endless() -> AsyncIterator[tuple[str, list[int]]]:
    """An endpoint whose answers do not end; how much of each was taken."""
    taken: list[int] = []

    async def go_on(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        taken.append(0)
        with suppress(ConnectionError):
            while taken[-1] < ENDLESS:
                await response.write(b" " * 100_000)
                taken[-1] += 100_000
        return response

    runner = web.ServerRunner(web.Server(go_on))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", taken
    finally:
        await runner.cleanup()


async def test_an_endless_answer_is_cut_off(ses_at: Opener) -> None:
    async with endless() as (url, taken):
        async with ses_at(url) as transport:
            outcome = await transport.send(MAIL, ID)
        access, _ = access_to(url)
        async with open_ses(access) as ses:
            with pytest.raises(Unanswered):
                await ses.account.quota()
    assert shown(outcome) == (str(error_table.LOST.reply), When.UNSEEN, True)
    assert len(taken) == 2
    assert max(taken) < ENDLESS  # what the sockets hold is taken as well


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("piece", [b"[", b'{"a":', b'{"MessageId":['])
async def test_an_answer_of_deep_json_is_an_end_that_nobody_saw(
    ses_at: Opener, status: int, piece: bytes
) -> None:
    answer = Answer(status=status, body=piece * 50_000)
    outcome, _ = await outcome_of(ses_at, answer)
    assert shown(outcome) == (str(error_table.LOST.reply), When.UNSEEN, True)
    async with FakeSes() as fake:
        fake.resources[ACCOUNT] = answer
        access, _ = access_to(fake.url)
        async with open_ses(access) as ses:
            with pytest.raises(Unanswered):
                await ses.account.quota()


@pytest.mark.parametrize("body", [b"[]", b"7", b'"x"', b'{"SendQuota": [1]}'])
async def test_an_account_that_is_no_account_is_no_answer(body: bytes) -> None:
    async with FakeSes() as fake:
        fake.resources[ACCOUNT] = Answer(body=body)
        access, _ = access_to(fake.url)
        async with open_ses(access) as ses:
            with pytest.raises(Unanswered):
                await ses.account.quota()


async def test_of_ses_text_2_kb_get_into_the_log(ses_at: Opener) -> None:
    said = error("Odd", 400, "x" * 300_000)
    outcome, _ = await outcome_of(ses_at, said)
    assert isinstance(outcome, Deferred)
    assert 2_000 <= len(outcome.detail) < 2_300
    async with FakeSes() as fake:
        fake.resources[ACCOUNT] = said
        access, _ = access_to(fake.url)
        async with open_ses(access) as ses:
            with pytest.raises(Unanswered) as refused:
                await ses.account.quota()
    assert len(str(refused.value)) < 2_300


SECRET_URLS = [
    "http://user:pa55w0rd@127.0.0.1:1",
    "http://user:pa55w0rd@h@127.0.0.1:1",
    "http://user:80/pa55w0rd@127.0.0.1:1",
    "http://user:pa55w0rd@127.0.0.1:port",
    "http://user:pa55w0rd'@no_host!",
]


@pytest.mark.parametrize("url", SECRET_URLS)
@pytest.mark.parametrize("by_environment", [False, True])
async def test_a_password_in_the_endpoint_stands_in_no_text(
    url: str, by_environment: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, settings = access_to("" if by_environment else url)
    if by_environment:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", url)
    texts = [repr(access)]
    try:
        async with open_ses(access) as ses:
            outcome = await ses.transport(settings).send(MAIL, ID)
            assert isinstance(outcome, Deferred)
            texts.append(repr(outcome))
            with pytest.raises(Unanswered) as refused:
                await ses.account.quota()
            texts.append(str(refused.value))
    except CannotOpen as error:
        texts.append(str(error))
    assert len(texts) > 1
    assert [text for text in texts if "pa55w0rd" in text] == []
