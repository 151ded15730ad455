"""The inbox is bounded."""

from __future__ import annotations

from relay.capture.inbox import Captured, Inbox
from relay.model.mail import Mail
from relay.model.submission import Envelope, MailId


def captured(name: str, size: int) -> Captured:
    return Captured(MailId(name), 0, Mail(Envelope(None, ()), b"x" * size), "", {})


def names(inbox: Inbox) -> list[str]:
    return [kept.id for kept in inbox.snapshot()]


def test_the_newest_stand_last_and_the_oldest_make_room() -> None:
    inbox = Inbox(max_count=2)
    for name in "abc":
        inbox.put(captured(name, 1))
    assert names(inbox) == ["b", "c"]


def test_bytes_are_bounded_too() -> None:
    inbox = Inbox(max_bytes=10)
    inbox.put(captured("a", 4))
    inbox.put(captured("b", 4))
    inbox.put(captured("c", 5))
    assert names(inbox) == ["b", "c"]
    inbox.put(captured("d", 10))
    assert names(inbox) == ["d"]


def test_a_mail_larger_than_the_inbox_is_not_kept_and_later_ones_are() -> None:
    inbox = Inbox(max_bytes=10)
    inbox.put(captured("a", 11))
    assert names(inbox) == []
    inbox.put(captured("b", 10))
    assert names(inbox) == ["b"]


def test_a_snapshot_does_not_change_afterwards() -> None:
    inbox = Inbox()
    before = inbox.snapshot()
    inbox.put(captured("a", 1))
    assert before == []


def test_one_mail_is_forgotten_with_all_its_calls() -> None:
    inbox = Inbox(max_bytes=10)
    for name in "abab":
        inbox.put(captured(name, 2))
    inbox.forget("a")
    inbox.forget("nosuch")
    assert names(inbox) == ["b", "b"]
    assert inbox.get("a") is None
    inbox.put(captured("c", 6))  # there is room for what it took
    assert names(inbox) == ["b", "b", "c"]
