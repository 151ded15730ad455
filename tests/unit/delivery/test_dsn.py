"""Reports about mail that failed: who gets one, and what is in it."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from relay.delivery.dsn import Reporter
from relay.model.job import Failed, Job, Queued, Sending
from relay.model.mail import Choice, Mail, SendOptions
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId

CONTENT = (
    b"From: App <app@example.net>\r\nTo: ann@example.org\r\n"
    b"Subject: Your code is 739214\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.net>\r\nX-Raw: \xc3\xa9\r\n\r\nThe code: 739214\r\n"
)
NO = Reply(554, "6.0", "Message rejected: no")


def reporter(sender: str = "", operator: str = "") -> Reporter:
    return Reporter(
        sender=sender,
        operator=operator,
        author="noreply@acme.example",
        hostname="relay-1",
        lifetime=500,
        options=SendOptions(tags=(("app", "x"),)),
    )


def job(
    sender: str | None = "app@example.net",
    *,
    recipients: tuple[str, ...] = ("ann@example.org",),
    choice: Choice | None = None,
    report: bool = False,
) -> Job:
    mail = Mail(Envelope(sender, recipients), CONTENT, choice=choice or Choice())
    return Job(MailId("k3v9"), 0, mail, 100.0, 1000.0, Sending(2), report)


def reports(by: Reporter, about: Job, failed: Failed | None = None) -> tuple[Job, ...]:
    failed = failed or Failed(2, 200.0, NO)
    return by.reports(about, failed, now=200.0, unix=lambda at: at + 1_795_000_000)


def parsed(report: Job) -> EmailMessage:
    found = message_from_bytes(report.mail.content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def test_a_report_is_a_job_from_the_null_sender_that_waits_for_its_turn() -> None:
    (report,) = reports(reporter("bounces@acme.example"), job())
    assert report.mail.envelope == Envelope(None, ("app@example.net",))
    assert report.mail.options == SendOptions(tags=(("app", "x"),))
    assert (report.report, report.state, report.expires_at) == (
        True,
        Queued(0, 200.0),
        700.0,
    )


def test_a_report_is_a_multipart_report_of_three_parts() -> None:
    two = ("ann@example.org", "bob@example.org")
    (report,) = reports(reporter("bounces@acme.example"), job(recipients=two))
    message = parsed(report)
    assert message.get_content_type() == "multipart/report"
    assert message["Content-Type"].params["report-type"] == "delivery-status"
    assert message["From"] == "Mail relay <bounces@acme.example>"
    assert message["To"] == "app@example.net"
    assert message["Auto-Submitted"] == "auto-replied"
    text, status, headers = list(message.iter_parts())
    assert "k3v9" in text.get_content()
    assert "ann@example.org" in text.get_content()
    # RFC 3464: one group for the message, one for each recipient.
    groups = status.get_payload()
    assert isinstance(groups, list)
    about, *recipients = [
        dict(group.items())
        for group in groups
        if isinstance(group, EmailMessage) and group.items()
    ]
    assert about["Reporting-MTA"] == "dns; relay-1"
    assert "Nov 2026" in about["Arrival-Date"]
    assert [group["Final-Recipient"] for group in recipients] == [
        "rfc822; ann@example.org",
        "rfc822; bob@example.org",
    ]
    assert {group["Action"] for group in recipients} == {"failed"}
    assert {group["Status"] for group in recipients} == {"5.6.0"}
    assert recipients[0]["Diagnostic-Code"] == f"smtp; {NO}"
    assert headers.get_content_type() == "text/rfc822-headers"


def test_every_line_is_ascii_ends_with_crlf_and_is_short_enough() -> None:
    long = Failed(2, 200.0, Reply(554, "6.0", "word " * 80 + "x" * 300))
    (report,) = reports(reporter("bounces@acme.example"), job(), long)
    content = report.mail.content
    assert content.isascii()
    lines = content.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert max(map(len, lines)) <= 998


@pytest.mark.parametrize(
    ("sender", "reported"),
    [
        ("app@example.net", True),
        (None, False),  # the null sender: a report about this one would be a loop
        ("root", False),
        ("root@localhost", False),
    ],
)
def test_a_sender_gets_a_report_where_one_can_arrive(
    sender: str | None, reported: bool
) -> None:
    assert bool(reports(reporter("bounces@acme.example"), job(sender))) is reported


def test_there_is_no_report_about_a_report() -> None:
    both = reporter("bounces@acme.example", "ops@acme.example")
    assert reports(both, job(report=True)) == ()


def test_the_operator_gets_every_report_about_the_null_sender_too() -> None:
    both = reporter("bounces@acme.example", "ops@acme.example")
    to = [report.mail.envelope.recipients for report in reports(both, job())]
    assert to == [("app@example.net",), ("ops@acme.example",)]
    (alone,) = reports(both, job(None))
    assert alone.mail.envelope.recipients == ("ops@acme.example",)


def test_without_reportfrom_only_the_operator_gets_one_from_emailaddress() -> None:
    (report,) = reports(reporter("", "ops@acme.example"), job())
    assert parsed(report)["From"] == "Mail relay <noreply@acme.example>"
    assert report.mail.envelope.recipients == ("ops@acme.example",)


def test_trap_9_nothing_that_a_template_made_is_in_a_report() -> None:
    templated = job(choice=Choice("SignIn", "SignIn"))
    (report,) = reports(reporter("bounces@acme.example"), templated)
    assert b"739214" not in report.mail.content
    assert b"Message-ID: <1@example.net>" in report.mail.content


def test_of_a_passed_mail_the_header_is_there_and_the_body_is_not() -> None:
    (report,) = reports(reporter("bounces@acme.example"), job())
    assert b"Subject: Your code is 739214" in report.mail.content
    assert b"The code:" not in report.mail.content
    assert b"X-Raw: ??" in report.mail.content


def test_a_mail_that_may_have_been_sent_says_so() -> None:
    (report,) = reports(
        reporter("bounces@acme.example"), job(), Failed(2, 200.0, NO, maybe_sent=True)
    )
    assert b"may have been sent" in report.mail.content
