"""`X-Relay-Send-At`: what a header asks for, and what is refused."""

from __future__ import annotations

import pytest

from relay.intake.prepare import Preparation
from relay.model.mail import Prepared
from relay.model.reply import Refused
from relay.model.submission import Envelope, MailId, Order, Submission
from tests.unit.intake.test_prepare import TEMPLATES

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
DAY = 86_400
AHEAD = "550 5.6.0 X-Relay-Send-At: more than 30 days ahead"
NO_TIME = (
    "550 5.6.0 X-Relay-Send-At: no time such as 2026-01-31T09:00:00Z or 1769850000, "
    "or a Date with its offset"
)


def prepared(*lines: str) -> Prepared:
    head = "".join(f"{line}\r\n" for line in ("From: a@a.example", *lines))
    submission = Submission(
        MailId("m"),
        Envelope("a@a.example", ("b@b.example",)),
        f"{head}\r\nhi\r\n".encode(),
        received_at=NOW,
    )
    return Preparation(templates=TEMPLATES).prepare(submission)


@pytest.mark.parametrize(
    ("value", "due"),
    [
        ("2026-01-01T00:00:01Z", NOW + 1),
        ("2026-01-31T00:00:00Z", NOW + 30 * DAY),
        ("Thu, 01 Jan 2026\r\n 09:00:00 +0100", NOW + 8 * 3600),
        ("=?utf-8?q?1767225700?=", NOW + 100),
        ("2025-12-31T23:59:59Z", None),
        ("1767225600", None),
        ("0", None),
        ("", None),
    ],
)
def test_what_is_ahead_is_later_and_the_past_is_now(
    value: str, due: float | None
) -> None:
    found = prepared(f"X-Relay-Send-At: {value}")
    assert found.send_at == due
    assert found.mails[0].content == b"From: a@a.example\r\n\r\nhi\r\n"


def test_a_mail_that_says_nothing_is_sent_now() -> None:
    assert prepared().send_at is None
    assert prepared("X-Relay-Usage: SignIn").send_at is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["X-Relay-Send-At: 2026-01-31T00:00:01Z"], AHEAD),
        (["X-Relay-Send-At: 1767225600000"], AHEAD),
        (["X-Relay-Send-At: in an hour, secret"], NO_TIME),
        (
            ["X-Relay-Send-At: 0", "X-Relay-Send-At: 1"],
            "550 5.6.0 X-Relay-Send-At: given more than once",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_and_not_shown(
    lines: list[str], said: str
) -> None:
    with pytest.raises(Refused) as refused:
        prepared(*lines)
    assert str(refused.value.reply) == said


def test_an_order_has_its_time_with_it() -> None:
    def due(send_at: float | None) -> float | None:
        order = Order("Generic", {}, send_at=send_at)
        submission = Submission(
            MailId("m"), Envelope("a@a", ("b@b",)), b"", received_at=NOW, order=order
        )
        return Preparation(templates=TEMPLATES).prepare(submission).send_at

    assert [due(None), due(NOW - 1), due(NOW + 1)] == [None, None, NOW + 1]
