"""Reports about mail that failed: who gets one, and what is in it."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from relay.delivery.dsn import Reporter
from relay.model.dsn import NOTHING_ASKED, Dsn
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
    dsn: Dsn = NOTHING_ASKED,
    content: bytes = CONTENT,
) -> Job:
    envelope = Envelope(sender, recipients, dsn)
    mail = Mail(envelope, content, choice=choice or Choice())
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
    # Each part begins with its first line, and not with an empty one.
    assert report.mail.content.count(b"\r\n\r\n\r\n") == 0


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


# RFC 3461: what the client asked of reports.

ASCII = CONTENT.replace(b"\xc3\xa9", b"e")
BOTH = ("ann@example.org", "bob@example.org")
SENDERS = reporter("bounces@acme.example")


def final_recipients(report: Job) -> list[str]:
    lines = report.mail.content.decode().split("\r\n")
    return [
        line.removeprefix("Final-Recipient: rfc822; ")
        for line in lines
        if line.startswith("Final-Recipient: ")
    ]


def test_notify_never_takes_a_recipient_out_of_the_senders_report() -> None:
    asked = Dsn(unreported=("ann@example.org",))
    (report,) = reports(SENDERS, job(recipients=BOTH, dsn=asked))
    assert final_recipients(report) == ["bob@example.org"]
    assert b"ann@example.org" not in report.mail.content.partition(b"rfc822-headers")[0]


def test_without_a_recipient_to_report_there_is_no_report_but_the_operators() -> None:
    silent = job(recipients=BOTH, dsn=Dsn(unreported=BOTH))
    assert reports(SENDERS, silent) == ()
    both = reporter("bounces@acme.example", "ops@acme.example")
    (report,) = reports(both, silent)
    assert report.mail.envelope.recipients == ("ops@acme.example",)
    assert final_recipients(report) == list(BOTH)


def test_a_report_repeats_envid_and_orcpt() -> None:
    asked = Dsn("QQ=1", originals=((BOTH[0], "rfc822;Ann.Lee@list.example"),))
    (report,) = reports(SENDERS, job(recipients=BOTH, dsn=asked))
    status = list(parsed(report).iter_parts())[1].get_payload()
    assert isinstance(status, list)
    about, first, second = (
        dict(group.items())
        for group in status
        if isinstance(group, EmailMessage) and group.items()
    )
    assert about["Original-Envelope-Id"] == "QQ=1"
    assert first["Original-Recipient"] == "rfc822; Ann.Lee@list.example"
    assert first["Final-Recipient"] == "rfc822; ann@example.org"
    assert "Original-Recipient" not in second


def test_ret_full_brings_all_of_the_mail_back_to_the_sender_alone() -> None:
    both = reporter("bounces@acme.example", "ops@acme.example")
    to_sender, to_operator = reports(both, job(dsn=Dsn(whole=True), content=ASCII))
    returned = list(parsed(to_sender).iter_parts())[2]
    assert returned.get_content_type() == "message/rfc822"
    assert isinstance(returned, EmailMessage)
    assert returned.get_content().as_bytes(policy=policy.SMTP) == ASCII
    kinds = [part.get_content_type() for part in parsed(to_operator).iter_parts()]
    assert kinds[2] == "text/rfc822-headers"


@pytest.mark.parametrize(
    "failed",
    [
        job(dsn=Dsn(whole=True), content=CONTENT),  # 8-bit
        job(dsn=Dsn(whole=True), content=ASCII + b"x" * 999 + b"\r\n"),
        job(dsn=Dsn(whole=True), content=ASCII + b"x\r\n" * 22_000),
        job(dsn=Dsn(whole=True), content=ASCII, choice=Choice("SignIn", "SignIn")),
    ],
    ids=["8-bit", "a long line", "large", "of a template"],
)
def test_ret_full_is_the_header_where_the_mail_may_not_go_back(failed: Job) -> None:
    (report,) = reports(SENDERS, failed)
    kinds = [part.get_content_type() for part in parsed(report).iter_parts()]
    assert kinds[2] == "text/rfc822-headers"
    assert b"The code:" not in report.mail.content
