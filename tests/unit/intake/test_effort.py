"""Which submissions are said to take long, and that the others do not."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from relay.intake.effort import Effort
from relay.intake.prepare import Preparation
from relay.model.submission import Envelope, MailId, Order, Submission
from relay.templates.catalog import Templates
from relay.templates.source import Source

SIMPLE = Source("SignIn", "Code", "<p>{{code}}</p>")
WRAPS = Source("Wrap", "{{message.subject}}", "<div>{{message.html}}</div>")
PREPARATION = Preparation(templates=Templates([SIMPLE, WRAPS], missing="empty"))
WITHOUT_WRAPPING = Preparation(templates=Templates([SIMPLE], missing="empty"))

HEADER = b"From: a@b.example\r\nSubject: x\r\n"
HTML = b"Content-Type: text/html\r\n\r\n"
USAGE = b"X-Relay-Usage: Wrap\r\n"
LINE = b"<p>Hello <b>you</b>, here is <a href='https://x.example'>it</a></p>\r\n"


@dataclass(frozen=True)
class Case:
    content: bytes
    long: bool


def repeated(piece: bytes, size: int) -> bytes:
    return piece * (size // len(piece))


def parts(count: int) -> bytes:
    kind = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    return kind + b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n"


WORD = b"=?utf-8?q?=C3=A9?= "
LATIN = "Grüße aus Köln\r\n".encode()
CASES = {
    "a plain mail": Case(HEADER + b"\r\n" + repeated(LINE, 900_000), False),
    "a small mail to be wrapped": Case(USAGE + HEADER + HTML + LINE * 5, False),
    "a large one": Case(USAGE + HEADER + HTML + repeated(LINE, 100_000), True),
    "text that is not ASCII": Case(HEADER + b"\r\n" + repeated(LATIN, 30_000), False),
    "much of it": Case(HEADER + b"\r\n" + repeated(LATIN, 500_000), True),
    "a very long line": Case(HEADER + b"\r\n" + b"x" * 500_000, True),
    "a header of usual size": Case(HEADER * 50 + b"\r\nx", False),
    "a long header": Case(b"X-A: " + repeated(WORD, 60_000) + b"\r\n" + HEADER, True),
    "some parts": Case(HEADER + parts(20), False),
    "many parts": Case(HEADER + parts(480), True),
    "megabytes": Case(HEADER + b"\r\n" + repeated(LINE, 1_100_000), True),
}


def submission(content: bytes, usage: str = "") -> Submission:
    envelope = Envelope("a@b.example", ("c@d.example",))
    return Submission(MailId("m"), envelope, content, usage=usage)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_work_is_estimated_by_what_has_to_be_done(case: Case) -> None:
    assert PREPARATION.takes_long(submission(case.content)) is case.long


def test_wrapping_counts_where_a_template_wraps_and_the_mail_may_have_a_usage() -> None:
    html = HEADER + HTML + repeated(LINE, 100_000)
    assert not PREPARATION.takes_long(submission(html))
    assert PREPARATION.takes_long(submission(html, usage="Wrap"))
    assert not WITHOUT_WRAPPING.takes_long(submission(html, usage="SignIn"))
    every = Preparation(templates=Templates([WRAPS]), without_usage="Wrap")
    assert every.takes_long(submission(html))


def test_an_order_is_as_long_as_its_values() -> None:
    def takes_long(variables: dict[str, object]) -> bool:
        order = Order("SignIn", variables)
        envelope = Envelope(None, ("c@d.example",))
        return PREPARATION.takes_long(
            Submission(MailId("m"), envelope, b"", order=order)
        )

    assert not takes_long({"code": "123456", "user": {"name": "Ann", "tags": ["a"]}})
    assert takes_long({"code": "x" * 300_000})
    assert takes_long({"user": {"list": [{"a": n} for n in range(30_000)]}})


def seconds(content: bytes) -> float:
    """Processor time, the least of several runs."""
    taken = []
    for _ in range(5):
        began = time.process_time()
        PREPARATION.prepare(submission(content))
        taken.append(time.process_time() - began)
    return min(taken)


def test_nothing_that_is_prepared_at_once_costs_more_than_what_is_not() -> None:
    cases = [case for case in CASES.values() if len(case.content) > 5000]
    short = max(seconds(case.content) for case in cases if not case.long)
    long = max(seconds(case.content) for case in cases if case.long)
    assert short * 3 < long


def test_rules_that_look_at_bodies_make_html_leave_the_loop_and_not_text() -> None:
    name = "X-Relay-Usage"
    looking = Effort((), usage_header=name, any_usage=True, search_bodies=True)
    blind = Effort((), usage_header=name, any_usage=True)
    html = b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n" + b"<p>a" * 2000
    text = b"From: a@b.example\r\n\r\n" + b"abcd" * 2000
    for content, is_long in ((html, True), (text, False), (text * 20, True)):
        came = Submission(MailId("m1"), Envelope(None, ()), content)
        assert looking.is_long(came) is is_long
        assert not blind.is_long(came)
