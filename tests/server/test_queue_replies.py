"""What a client hears with a queue, and what becomes of its mail; end to end."""

from __future__ import annotations

import asyncio
import json
import re
import smtplib
import socket
import sqlite3
import time
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from tests.fake_ses import Answer, FakeSes, error
from tests.server.relay_process import WAIT, RelayProcess, until
from tests.server.test_life import MAIL, Client
from tests.server.test_traps import submit, with_relay

QUEUED = re.compile(r"250 2\.0\.0 queued as ([a-z2-7]\w+)(?:; (.*))?")
REJECTED = error("MessageRejected", text="Bad content")
UNVERIFIED = error("MessageRejected", text="Email address is not verified: a@b.example")
DENIED = error("AccessDeniedException", 403, "not authorized to ses:SendRawEmail")
THROTTLED = error("TooManyRequestsException", 429, "Maximum sending rate exceeded.")
DESK = "Desk <bounces@acme.example>"
FOREVER = Answer(then="hang")


def spooling(directory: Path, **more: str) -> dict[str, str]:
    """A spool of its own, with delays that a test can wait for."""
    return {
        "RELAY_QUEUE__ENGINE": "sqlite",
        "RELAY_QUEUE__PATH": str(directory / "spool.db"),
        "RELAY_QUEUE__ANSWER_WITHIN": "2",
        "RELAY_QUEUE__RETRY_DELAYS": "[0.2, 0.5]",
        "RELAY_QUEUE__SLOW_DELAYS": "[0.4]",
        "RELAY_QUEUE__UNSEEN_DELAYS": "[0.3]",
        **more,
    }


def jobs(directory: Path) -> list[dict[str, Any]]:
    """What is in the spool, as rows."""
    connection = sqlite3.connect(f"file:{directory / 'spool.db'}?mode=ro", uri=True)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM job")]
    finally:
        connection.close()


def states(directory: Path) -> list[str]:
    return [one["state"] for one in jobs(directory)]


def queued_as(reply: str) -> tuple[str, str]:
    """The id and the reason of a 250 queued."""
    found = QUEUED.fullmatch(reply)
    assert found, reply
    return found[1], found[2] or ""


async def test_ses_answer_in_time_is_the_reply_and_the_spool_never_knew_of_it(
    tmp_path: Path,
) -> None:
    def use(relay: RelayProcess) -> str:
        _, reply = submit(relay, MAIL)
        return reply

    async with FakeSes() as ses:
        reply = await with_relay(ses, use, **spooling(tmp_path))
        (request,) = ses.sent
    assert reply == "250 2.0.0 Ok 0100fake-000001"
    assert request.mail == MAIL
    assert jobs(tmp_path) == []


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (REJECTED, "554 5.6.0 Message rejected: Bad content"),
        (UNVERIFIED, "554 5.7.1 Message rejected: Email address is not verified: "),
        (
            error("BadRequestException", text="Local address contains control"),
            "553 5.1.3 ",
        ),
        (Answer(413, body=b"too long"), "552 5.3.4 "),
    ],
)
async def test_a_client_that_waits_hears_that_its_mail_is_at_fault_and_it_is_gone(
    tmp_path: Path, answer: Answer, reply: str
) -> None:
    def use(relay: RelayProcess) -> str:
        _, said = submit(relay, MAIL)
        assert jobs(tmp_path) == []
        return said

    async with FakeSes(answer) as ses:
        said = await with_relay(ses, use, **spooling(tmp_path))
        assert len(ses.sent) == 1
    assert said.startswith(reply)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (DENIED, "access denied"),
        (THROTTLED, "throttling failure: Maximum sending rate exceeded"),
        (error("InternalFailure", 500), "temporary service failure"),
        (error("SendingPausedException"), "sending paused"),
        (error("LimitExceededException"), "throttling failure: Daily message quota"),
        (error("AccountSuspendedException"), "message rejected: sending suspended"),
        (error("MailFromDomainNotVerifiedException"), "MAIL FROM domain not verified"),
        (error("NotFoundException", 404), "relay configuration problem"),
        (error("UnrecognizedClientException", 403), "relay credentials problem"),
        (error("SurpriseException"), "SES answered with an unlisted error"),
        (Answer(then="reset"), "no answer from SES; the mail may have been sent"),
        (Answer(body=b"{}"), "no answer from SES; the mail may have been sent"),
    ],
)
async def test_what_time_or_an_operator_can_repair_is_queued_and_sent_later(
    tmp_path: Path, answer: Answer, reason: str
) -> None:
    def use(relay: RelayProcess) -> str:
        _, reply = submit(relay, MAIL)
        until(lambda: states(tmp_path) == ["sent"])
        return reply

    async with FakeSes(answer) as ses:
        reply = await with_relay(ses, use, **spooling(tmp_path))
        assert [request.mail for request in ses.sent] == [MAIL, MAIL]
    assert queued_as(reply)[1].startswith(reason)


async def test_an_expired_token_is_tried_once_more_at_once_with_new_credentials(
    tmp_path: Path,
) -> None:
    expired = error("ExpiredTokenException", 403, "The security token is expired")
    async with FakeSes(expired) as ses:
        _, reply = await with_relay(
            ses, lambda relay: submit(relay, MAIL), **spooling(tmp_path)
        )
        assert len(ses.sent) == 2
    assert reply == "250 2.0.0 Ok 0100fake-000002"


async def test_trap_15_on_a_silent_ses_only_the_first_client_waits(
    tmp_path: Path,
) -> None:
    def use(relay: RelayProcess) -> list[tuple[float, str]]:
        answered = []
        for _ in range(4):
            began = time.monotonic()
            _, reply = submit(relay, MAIL)
            answered.append((time.monotonic() - began, reply))
        return answered

    async with FakeSes(FOREVER, FOREVER, FOREVER, FOREVER) as ses:
        answered = await with_relay(
            ses,
            use,
            **spooling(
                tmp_path,
                RELAY_QUEUE__ANSWER_WITHIN="5",
                RELAY_SES__ATTEMPT_TIMEOUT="6",
                RELAY_SES__CONNECT_TIMEOUT="1",
                RELAY_GRACE="8",
            ),
        )
    first, *others = answered
    assert first[0] >= 5
    assert all(seconds < 5 for seconds, _ in others)
    assert {queued_as(reply)[1] for _, reply in answered} <= {
        "",
        "no answer from SES; the mail may have been sent",
    }


async def test_an_unreachable_ses_holds_nobody_and_gets_all_when_it_is_back(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    away = FakeSes(port=port)

    def use(relay: RelayProcess) -> list[str]:
        return [submit(relay, MAIL + b"%d\r\n" % number)[1] for number in range(3)]

    # A refused connection is known at once, but not on every machine within 2 s.
    patient = spooling(
        tmp_path, RELAY_QUEUE__ANSWER_WITHIN="18", RELAY_SES__ATTEMPT_TIMEOUT="6"
    )
    replies = await with_relay(away, use, **patient)
    assert [queued_as(reply)[1] for reply in replies] == ["SES cannot be reached"] * 3
    async with FakeSes(port=port) as back:

        def wait(relay: RelayProcess) -> None:
            until(lambda: set(states(tmp_path)) == {"sent"})

        await with_relay(back, wait, **spooling(tmp_path))
        sent = sorted(request.mail for request in back.sent)
    assert sent == [MAIL + b"%d\r\n" % number for number in range(3)]


MANY = tuple(f"user{number}@d.example" for number in range(120))


async def test_trap_11_more_than_fifty_recipients_are_several_calls(
    tmp_path: Path,
) -> None:
    async with FakeSes() as ses:

        def use(relay: RelayProcess) -> str:
            _, reply = submit(relay, MAIL, recipients=MANY)
            told.update(relay.event("sent"))
            return reply

        told: dict[str, Any] = {}
        reply = await with_relay(ses, use, **spooling(tmp_path))
        calls = [request.json["Destination"]["ToAddresses"] for request in ses.sent]
    assert sorted(map(len, calls)) == [20, 50, 50]
    assert {address for call in calls for address in call} == set(MANY)
    assert jobs(tmp_path) == []
    # One line tells of all calls, in their order; the reply names the first.
    assert told["calls"] == 3
    assert sorted(told["messageIds"]) == [f"0100fake-00000{n}" for n in (1, 2, 3)]
    assert reply == f"250 2.0.0 Ok {told['messageIds'][0]}"


async def test_all_calls_refused_in_time_are_a_5xx_and_nothing_is_kept(
    tmp_path: Path,
) -> None:
    async with FakeSes(REJECTED, REJECTED, REJECTED) as ses:

        def use(relay: RelayProcess) -> str:
            _, reply = submit(relay, MAIL, recipients=MANY)
            assert jobs(tmp_path) == []
            return reply

        reply = await with_relay(ses, use, **spooling(tmp_path))
    assert reply.startswith("554 5.6.0 Message rejected")


async def test_one_refused_call_of_several_fails_with_a_report_and_no_5xx(
    tmp_path: Path,
) -> None:
    async with FakeSes(REJECTED) as ses:

        def use(relay: RelayProcess) -> str:
            _, reply = submit(relay, MAIL, recipients=MANY)
            # Two calls were taken from memory; the report went by the queue.
            until(lambda: sorted(states(tmp_path)) == ["failed", "sent"])
            return reply

        reply = await with_relay(
            ses,
            use,
            **spooling(tmp_path, RELAY_QUEUE__REPORT_FROM="bounces@acme.example"),
        )
        report = ses.sent[-1]
    queued_as(reply)
    assert report.json["Destination"] == {"ToAddresses": ["a@b.example"]}
    (failed,) = [one for one in jobs(tmp_path) if one["state"] == "failed"]
    for recipient in json.loads(failed["recipients"]):
        assert f"Final-Recipient: rfc822; {recipient}".encode() in report.mail


async def test_trap_45_a_client_that_left_before_a_5xx_gets_a_report_instead(
    tmp_path: Path,
) -> None:
    async with FakeSes(Answer(400, "MessageRejected", "Bad", seconds=0.7)) as ses:

        def use(relay: RelayProcess) -> str:
            client = Client(relay.port())
            client.submit()
            client.socket.shutdown(socket.SHUT_WR)
            reply = client.reply()
            client.close()
            until(lambda: sorted(states(tmp_path)) == ["failed", "sent"])
            return reply

        reply = await with_relay(
            ses,
            use,
            **spooling(
                tmp_path, RELAY_QUEUE__REPORT_FROM="Desk <bounces@acme.example>"
            ),
        )
        report = message_from_bytes(ses.sent[-1].mail)
    queued_as(reply)
    assert report.get_content_type() == "multipart/report"
    assert report["From"] == "Mail relay <bounces@acme.example>"
    assert b"Status: 5.6.0" in ses.sent[-1].mail


async def test_a_half_closed_client_still_reads_what_ses_said(tmp_path: Path) -> None:
    async with FakeSes(Answer(seconds=0.5)) as ses:

        def use(relay: RelayProcess) -> str:
            client = Client(relay.port())
            client.submit()
            client.socket.shutdown(socket.SHUT_WR)
            reply = client.reply()
            client.close()
            return reply

        reply = await with_relay(ses, use, **spooling(tmp_path))
    assert reply == "250 2.0.0 Ok 0100fake-000001"


async def test_identity_not_verified_waits_when_nobody_heard_it(tmp_path: Path) -> None:
    loop, left = asyncio.get_running_loop(), asyncio.Event()
    late = Answer(400, "MessageRejected", "Email address is not verified", after=left)
    async with FakeSes(late) as ses:

        def use(relay: RelayProcess) -> None:
            client = Client(relay.port())
            client.submit()
            client.close()
            loop.call_soon_threadsafe(left.set)
            until(lambda: states(tmp_path) == ["sent"])

        await with_relay(ses, use, **spooling(tmp_path))
        assert len(ses.sent) == 2


SIGN_IN = (
    b"From: a@b.example\r\nX-Relay-Usage: SignIn\r\n"
    b'X-Relay-Variables: {"code": "%d"}\r\n\r\nold\r\n'
)
TEMPLATE = '[{"usageType": "SignIn", "subject": "{{code}}", "content": "{{code}}"%s}]'


async def test_a_code_that_could_not_be_sent_in_its_time_is_given_up(
    tmp_path: Path,
) -> None:
    denied = [DENIED] * 50
    async with FakeSes(*denied) as ses:

        def use(relay: RelayProcess) -> tuple[str, dict[str, Any]]:
            _, reply = submit(relay, SIGN_IN % 739214)
            return reply, relay.event("failed")

        reply, entry = await with_relay(
            ses,
            use,
            **spooling(
                tmp_path,
                RELAY_TEMPLATES=TEMPLATE % ', "validFor": 5',
                RELAY_QUEUE__REPORT_TO="ops@acme.example",
            ),
        )
    queued_as(reply)
    assert entry["reply"] == "554 5.4.7 Delivery time expired; last: Access denied"
    (failed, report) = jobs(tmp_path)
    assert failed["state"] == "failed"
    assert failed["expires_at"] - failed["accepted_at"] == pytest.approx(5)
    assert json.loads(report["recipients"]) == ["ops@acme.example"]
    assert "739214" not in str([failed, report])


async def test_a_newer_code_takes_the_place_of_one_that_waits(tmp_path: Path) -> None:
    async with FakeSes(DENIED) as ses:

        def use(relay: RelayProcess) -> dict[str, Any]:
            older = queued_as(submit(relay, SIGN_IN % 111111)[1])[0]
            newer = submit(relay, SIGN_IN % 222222)[1]
            assert newer.startswith("250 2.0.0 Ok ")
            until(lambda: states(tmp_path) == ["superseded"])
            entry = relay.event("superseded")
            assert entry["id"] == older
            return entry

        entry = await with_relay(
            ses,
            use,
            **spooling(
                tmp_path,
                RELAY_TEMPLATES=TEMPLATE % ', "supersedes": true',
                RELAY_QUEUE__SLOW_DELAYS="[30]",
            ),
        )
        bodies = [b"222222" in request.mail for request in ses.sent]
    assert entry["usage"] == "SignIn"
    assert bodies == [False, True]


async def test_the_accounts_rate_paces_what_leaves(tmp_path: Path) -> None:
    async with FakeSes() as ses:
        ses.resources["/v2/email/account"] = Answer(
            body=json.dumps({"SendQuota": {"MaxSendRate": 10}}).encode()
        )
        took: list[float] = []

        def use(relay: RelayProcess) -> None:
            until(lambda: any(one.path.endswith("account") for one in ses.requests))
            began = time.monotonic()
            with smtplib.SMTP("127.0.0.1", relay.port(), timeout=WAIT) as client:
                for _ in range(30):
                    client.sendmail("a@b.example", ["c@d.example"], MAIL)
            until(lambda: len(ses.sent) == 30)
            took.append(time.monotonic() - began)

        await with_relay(ses, use, **spooling(tmp_path))
    assert took[0] >= 2.0  # 30 at 9 a second, the first few of them earlier
    # What found a token free went from memory.
    assert set(states(tmp_path)) == {"sent"}


async def test_what_a_stop_leaves_is_sent_after_the_next_start(tmp_path: Path) -> None:
    async with FakeSes(DENIED) as ses:
        settings = spooling(tmp_path, RELAY_QUEUE__SLOW_DELAYS="[2]")

        def first(relay: RelayProcess) -> str:
            _, reply = submit(relay, MAIL)
            assert relay.stop() == 0
            return reply

        queued_as(await with_relay(ses, first, **settings))
        assert states(tmp_path) == ["queued"]

        def second(relay: RelayProcess) -> None:
            until(lambda: states(tmp_path) == ["sent"])

        await with_relay(ses, second, **settings)
        assert len(ses.sent) == 2
