"""What a client asks of reports with RFC 3461: from its commands to what SES gets."""

from __future__ import annotations

import smtplib
from pathlib import Path

from tests.fake_ses import Answer, FakeSes
from tests.server.relay_process import WAIT, RelayProcess, until
from tests.server.test_life import MAIL
from tests.server.test_queue_replies import (
    DENIED,
    MANY,
    REJECTED,
    queued_as,
    spooling,
    states,
)
from tests.server.test_traps import with_relay

FROM = "bounces@acme.example"


def submit(
    relay: RelayProcess, options: list[str], recipients: dict[str, list[str]]
) -> str:
    """Hand a mail over with parameters of MAIL and of each RCPT; the reply to it."""
    with smtplib.SMTP("127.0.0.1", relay.port(), timeout=WAIT) as smtp:
        smtp.ehlo()
        assert smtp.has_extn("dsn")
        assert smtp.mail("a@b.example", options)[0] == 250
        for recipient, asked in recipients.items():
            assert smtp.rcpt(recipient, asked)[0] == 250
        code, text = smtp.data(MAIL)
    return f"{code} {text.decode()}"


async def test_each_call_of_a_large_mail_is_reported_as_its_recipients_asked(
    tmp_path: Path,
) -> None:
    asked = {
        recipient: [
            f"NOTIFY={'NEVER' if number % 2 else 'FAILURE'}",
            f"ORCPT=rfc822;meant+2B{recipient}",
        ]
        for number, recipient in enumerate(MANY)
    }
    async with FakeSes(REJECTED) as ses:

        def use(relay: RelayProcess) -> str:
            reply = submit(relay, ["RET=FULL", "ENVID=QQ+3D1"], asked)
            # Two calls were taken from memory; the report went by the queue.
            until(lambda: sorted(states(tmp_path)) == ["failed", "sent"])
            return reply

        queued_as(await with_relay(ses, use, **spooling(tmp_path, **from_bounces())))
        refused, report = ses.sent[0], ses.sent[-1]
    assert report.json["Destination"] == {"ToAddresses": ["a@b.example"]}
    assert b"\r\nOriginal-Envelope-Id: QQ=1\r\n" in report.mail
    assert b"\r\nContent-Type: message/rfc822\r\n\r\n" + refused.mail in report.mail
    # Which call SES saw first is the relay's matter; all of its recipients failed.
    failed = [one for one in MANY if f"; {one}\r\n".encode() in report.mail]
    assert len(failed) >= 10
    assert all("NOTIFY=FAILURE" in asked[one] for one in failed)
    for one in failed:
        lines = (
            f"Original-Recipient: rfc822; meant+{one}\r\nFinal-Recipient: rfc822; {one}"
        )
        assert lines.encode() in report.mail


async def test_what_was_asked_is_kept_over_a_restart(tmp_path: Path) -> None:
    settings = spooling(tmp_path, **from_bounces())

    def first(relay: RelayProcess) -> str:
        asked = {"c@d.example": [], "e@f.example": ["NOTIFY=NEVER"]}
        return submit(relay, ["ENVID=kept"], asked)

    async with FakeSes(*[DENIED] * 20) as ses:
        queued_as(await with_relay(ses, first, **settings))

    def second(relay: RelayProcess) -> None:
        until(lambda: sorted(states(tmp_path)) == ["failed", "sent"])

    async with FakeSes(REJECTED) as ses:
        await with_relay(ses, second, **settings)
        report = ses.sent[-1].mail
    assert b"\r\nOriginal-Envelope-Id: kept\r\n" in report
    assert b"Final-Recipient: rfc822; c@d.example" in report
    assert b"e@f.example" not in report


async def test_notify_never_is_no_report_at_all(tmp_path: Path) -> None:
    async with FakeSes(Answer(400, "MessageRejected", "Bad"), *[REJECTED] * 5) as ses:

        def use(relay: RelayProcess) -> None:
            smtp = smtplib.SMTP("127.0.0.1", relay.port(), timeout=WAIT)
            smtp.ehlo()
            smtp.mail("a@b.example")
            for recipient in MANY:
                smtp.rcpt(recipient, ["NOTIFY=NEVER"])
            smtp.putcmd("DATA")
            assert smtp.getreply()[0] == 354
            smtp.send(MAIL + b".\r\n")
            assert smtp.sock is not None
            smtp.sock.shutdown(1)  # it left: what is refused now is to be reported
            assert smtp.getreply()[0] == 250
            smtp.close()
            until(lambda: states(tmp_path) == ["failed"] * 3)
            failed = relay.event("failed")
            assert "reports" not in failed

        await with_relay(ses, use, **spooling(tmp_path, **from_bounces()))
        assert len(ses.sent) == 3


def from_bounces() -> dict[str, str]:
    return {"RELAY_QUEUE__REPORT_FROM": FROM}
