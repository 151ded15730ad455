"""Mail that nobody claims is counted by kind, for an hour, in bounded memory."""

from __future__ import annotations

import tracemalloc

from relay.model.mail import Choice, Mail
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId, Submission
from relay.observe.events import Answered, NotTaken
from relay.observe.unclaimed import MAX_KINDS, Kind, Unclaimed

OK = Reply(250, "0.0", "Ok")
NO_USAGE = Reply(550, "6.0", "the mail names no usage")


class Hour:
    """One observer and its clock."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.unclaimed = Unclaimed(
            lambda submission: submission.envelope.sender or "<>",
            no_usage=NO_USAGE,
            now=lambda: self.now,
        )

    def mail(self, name: str, sender: str | None, choice: Choice = Choice()) -> None:  # noqa: B008
        envelope = Envelope(sender, ("ann@example.com",))
        mails = (Mail(envelope, b"", choice=choice),)
        submission = Submission(MailId(name), envelope, b"")
        self.unclaimed(Answered(submission, mails, OK, None, 1, 0.1))

    def refused(self, name: str, sender: str, reply: Reply, rule: str = "") -> None:
        submission = Submission(MailId(name), Envelope(sender, ("b@b.example",)), b"")
        self.unclaimed(NotTaken(submission, reply, 0.1, rule=rule))


def test_mail_without_usage_and_rule_is_counted_by_kind() -> None:
    hour = Hour()
    hour.mail("1", "a@a.example")
    hour.mail("2", None)
    hour.mail("3", "a@a.example")
    hour.mail("4", "a@a.example", Choice("SignIn"))
    hour.mail("5", "a@a.example", Choice(rule="shop"))
    hour.refused("6", "c@c.example", NO_USAGE)
    hour.refused("7", "c@c.example", Reply(550, "6.0", "something else"))
    hour.refused("8", "c@c.example", NO_USAGE, "shop")

    assert hour.unclaimed.kinds() == (
        [
            Kind("a@a.example", 2, MailId("3")),
            Kind("<>", 1, MailId("2")),
            Kind("c@c.example", 1, MailId("6")),
        ],
        0,
    )
    hour.unclaimed.clear()
    assert hour.unclaimed.kinds() == ([], 0)


def test_an_hour_later_it_is_forgotten() -> None:
    hour = Hour()
    hour.mail("1", "a@a.example")
    hour.now += 30 * 60
    hour.mail("2", "a@a.example")
    assert hour.unclaimed.kinds()[0] == [Kind("a@a.example", 2, MailId("2"))]
    hour.now += 31 * 60
    assert hour.unclaimed.kinds()[0] == [Kind("a@a.example", 1, MailId("2"))]
    hour.now += 60 * 60
    assert hour.unclaimed.kinds() == ([], 0)


def test_any_number_of_kinds_takes_bounded_memory() -> None:
    hour = Hour()
    tracemalloc.start()
    for minute in range(90):
        for number in range(3 * MAX_KINDS):
            hour.mail(f"{minute}-{number}", f"{'x' * 500}{number}@{minute}.example")
        hour.now += 60
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    kinds, others = hour.unclaimed.kinds()
    # The kinds are cut, and so are one and the same.
    assert (len(kinds), others) == (1, 0)
    assert len(kinds[0].kind) == 200
    assert size < 1_000_000

    for minute in range(90):
        for number in range(3 * MAX_KINDS):
            hour.mail(f"{minute}-{number}", f"{number}-{minute}{'x' * 500}")
        hour.now += 60
    kinds, others = hour.unclaimed.kinds()
    assert len(kinds) == 59 * MAX_KINDS
    assert others == 59 * 2 * MAX_KINDS
