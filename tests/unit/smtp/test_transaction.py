"""The envelope of one mail, and what was asked of reports about it."""

from __future__ import annotations

from relay.model.dsn import NOTHING_ASKED, Dsn
from relay.model.replies import NO_ROOM
from relay.model.submission import Envelope
from relay.smtp import replies
from relay.smtp.mail_and_rcpt import OfMail, OfRcpt
from relay.smtp.memory import Memory
from relay.smtp.transaction import UNCOUNTED, Transaction

NEVER = OfRcpt(failure=False)


def transaction(
    *named: tuple[str, OfRcpt | None], asked: OfMail | None = None
) -> Transaction:
    found = Transaction("app@acme.example", asked or OfMail(), Memory(1_000_000))
    for recipient, of_rcpt in named:
        assert found.add(recipient, of_rcpt, limit=1000) == replies.RECIPIENT_OK
    return found


def test_without_parameters_nothing_was_asked() -> None:
    envelope = transaction(("a@b.example", None), ("a@B.example", None)).envelope()
    assert envelope == Envelope("app@acme.example", ("a@b.example",))
    assert envelope.dsn is NOTHING_ASKED


def test_the_parameters_of_both_commands_come_together() -> None:
    asked = transaction(
        ("a@b.example", OfRcpt(original="rfc822;x@y.example")),
        ("c@d.example", NEVER),
        asked=OfMail(0, "QQ", whole=True),
    )
    assert asked.envelope().dsn == Dsn(
        "QQ", True, ("c@d.example",), (("a@b.example", "rfc822;x@y.example"),)
    )


def test_a_recipient_named_twice_is_reported_where_that_was_asked_once() -> None:
    for again in (None, OfRcpt()):
        twice = transaction(("a@b.example", NEVER), ("a@B.example", again))
        assert twice.envelope() == Envelope("app@acme.example", ("a@b.example",))
    never = transaction(("a@b.example", NEVER), ("a@B.example", NEVER))
    assert never.envelope().dsn.unreported == ("a@b.example",)


def test_thousands_of_recipients_count_against_the_memory_for_mail() -> None:
    memory = Memory(100_000)
    many = Transaction("", OfMail(), memory)
    heard = [
        many.add(
            f"{n:064}@b.example", OfRcpt(original="rfc822;" + "x" * 400), limit=1000
        )
        for n in range(1000)
    ]
    assert heard[: UNCOUNTED + 50] == [replies.RECIPIENT_OK] * (UNCOUNTED + 50)
    assert heard[-1] == NO_ROOM
    assert 99_000 < memory.used <= 100_000
    many.close()
    assert memory.used == 0
