"""What clients wrote is kept where it may be seen, and bounded."""

from __future__ import annotations

import pytest

from relay.capture.originals import Originals
from relay.model.guard import KEPT
from relay.model.mail import Choice, Mail, SendOptions
from relay.model.replies import INTERNAL
from relay.model.submission import Envelope, MailId, Submission
from relay.observe.events import Answered
from relay.smtp.replies import OK

ENVELOPE = Envelope("app@acme.example", ("ann@example.com",))


def answered(
    name: str, *, template: str = "SignIn", account: str = "", ok: bool = True
) -> Answered:
    content = f"Subject: {name}\r\n\r\n".encode()
    mail = Mail(
        ENVELOPE,
        b"new",
        SendOptions(account=account),
        Choice("SignIn", template, "", variables=()),
    )
    return Answered(
        Submission(MailId(name), ENVELOPE, content),
        (mail,),
        OK if ok else INTERNAL,
        None,
        1,
        0.1,
    )


@pytest.mark.parametrize(
    ("captures", "event", "kept"),
    [
        (True, answered("a"), True),
        (True, answered("a", template=""), False),  # it is the mail itself
        (True, answered("a", ok=False), False),
        (False, answered("a"), False),  # it was sent: nothing of it is shown
        (False, answered("a", account=KEPT), True),
    ],
)
def test_only_what_differs_and_may_be_seen_is_kept(
    captures: bool, event: Answered, kept: bool
) -> None:
    originals = Originals(captures=captures)
    originals(event)
    found = event.submission.content if kept else None
    assert originals.get("a") == found
    originals.forget("a")
    assert originals.get("a") is None


def test_the_oldest_make_room() -> None:
    originals = Originals(captures=True, max_count=2)
    for name in "abc":
        originals(answered(name))
    assert [originals.get(name) is not None for name in "abc"] == [False, True, True]
    size = len(answered("a").submission.content)
    originals = Originals(captures=True, max_bytes=2 * size)
    for name in "abca":
        originals(answered(name))
    assert [originals.get(name) is not None for name in "abc"] == [True, False, True]
    originals = Originals(captures=True, max_bytes=size - 1)
    originals(answered("a"))
    assert originals.get("a") is None
