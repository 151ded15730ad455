"""What SES' events end of mail whose answer was lost, and what they must not end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from relay.delivery.unseen_ends import REMEMBERED, REMEMBERED_FOR, UnseenEnds
from relay.model.feedback import Feedback
from relay.model.job import Job, Queued, Sending, Sent
from relay.model.mail import Mail
from relay.model.proof import Proof
from relay.model.submission import Envelope, MailId
from relay.observe.events import Event, Events, FedBack, Settled
from relay.queue import Claim, NotYet, Unwritable
from tests.memory_queue import MemoryQueue

ID = MailId("k3v9")
ANN, QA = "ann@example.com", "qa@acme.example"
UNSEEN = Queued(1, 5.0, None, maybe_sent=True)


class Broken(MemoryQueue):
    """One whose disk is away."""

    async def confirm(self, proof: Proof) -> Job | None:
        text = "disk full"
        raise Unwritable(text, OSError(text))


class Side:
    """A queue, and what was told of its mail."""

    def __init__(self, queue: MemoryQueue | None = None) -> None:
        self.queue = queue or MemoryQueue()
        self.told: list[Event] = []
        events = Events([self.told.append])
        self.answers: dict[str, MailId] = {}
        self.redirected_to = ""
        self.time = 1000.0
        self.unseen = UnseenEnds(
            self.queue,
            events,
            mail_of=self.answers.get,
            redirected_to=lambda: self.redirected_to,
            now=lambda: self.time,
        )
        events.add(self.unseen)
        self.events = events

    async def hear(self, *to: str, message_id: str = "0102", at: float = 990.0) -> None:
        """SES told of a mail to these, which it took at that time."""
        people = to or (ANN,)
        feedback = Feedback(
            "delivery", message_id, at, ID, accepted_at=at, destination=people
        )
        await self.unseen.keep(FedBack(ID, feedback))

    async def put(self, state: Queued | Sending, *to: str) -> Claim | None:
        mail = Mail(Envelope("a@b.example", to or (ANN,)), b"hello")
        now = self.queue.now()
        job = Job(ID, 0, mail, now, now + 1000, state)
        claims, _ = await self.queue.put([job])
        return claims[0] if claims else None

    async def end(self, claim: Claim, state: Queued) -> None:
        """An attempt ends so, and is told of as the delivery does."""
        came_to = await self.queue.settle(claim, state)
        assert isinstance(came_to, Queued)
        self.events.emit(Settled(claim.job, came_to, None, 30.0))
        await self.unseen.drained()

    @property
    def states(self) -> list[str]:
        return [type(job.state).__name__ for job in self.queue.jobs.values()]

    @property
    def sent(self) -> list[tuple[str, str]]:
        """What was told to be sent: the mails, and SES' ids."""
        return [
            (one.id, one.state.message_id)
            for one in self.told
            if isinstance(one, Settled)
            and isinstance(one.state, Sent)
            and one.outcome is None
        ]


@pytest.fixture
async def side() -> AsyncIterator[Side]:
    found = Side()
    yield found
    await found.unseen.drained()


async def test_what_waits_ends_as_sent_and_is_told_of(side: Side) -> None:
    await side.put(UNSEEN)
    await side.hear()
    assert side.states == ["Sent"]
    assert side.sent == [(ID, "0102")]
    await side.hear()
    assert side.sent == [(ID, "0102")]


async def test_an_event_that_was_sooner_than_the_end_is_remembered(side: Side) -> None:
    await side.hear()  # before the mail is in the queue
    claim = await side.put(Sending(1))
    assert claim is not None
    await side.end(claim, UNSEEN)
    assert side.states == ["Sent"]
    assert side.sent == [(ID, "0102")]


async def test_an_event_in_an_attempt_comes_again_and_is_remembered(side: Side) -> None:
    claim = await side.put(Sending(1))
    with pytest.raises(NotYet):
        await side.hear()
    assert side.states == ["Sending"]
    assert claim is not None
    await side.end(claim, UNSEEN)
    assert side.states == ["Sent"]
    await side.hear()
    assert side.sent == [(ID, "0102")]


async def test_what_was_not_sent_waits_on_whatever_was_heard(side: Side) -> None:
    await side.hear()
    claim = await side.put(Sending(1))
    assert claim is not None
    await side.end(claim, replace(UNSEEN, maybe_sent=False))
    assert (side.states, side.sent) == (["Queued"], [])


async def test_another_calls_event_is_nothing_to_a_mail_that_begins_to_wait(
    side: Side,
) -> None:
    await side.hear(ANN, "bob@example.com")
    claim = await side.put(Sending(1))
    assert claim is not None
    await side.end(claim, UNSEEN)
    assert (side.states, side.sent) == (["Queued"], [])


async def test_an_event_of_a_call_whose_answer_was_seen_ends_nothing(
    side: Side,
) -> None:
    await side.put(UNSEEN)
    side.answers["0102"] = ID
    await side.hear()
    assert (side.states, side.sent) == (["Queued"], [])


async def test_who_gets_redirected_mail_gets_two_calls_and_neither_is_ended(
    side: Side,
) -> None:
    await side.put(UNSEEN, QA)
    side.redirected_to = QA.upper()
    await side.hear(QA)
    assert (side.states, side.sent) == (["Queued"], [])


async def test_an_event_is_remembered_for_no_longer_than_an_attempt_may_take(
    side: Side,
) -> None:
    await side.hear(at=side.time - REMEMBERED_FOR)  # such as an opened mail
    claim = await side.put(Sending(1))
    assert claim is not None
    await side.end(claim, UNSEEN)
    assert side.states == ["Queued"]


async def test_of_many_events_the_oldest_are_forgotten(side: Side) -> None:
    first, last = Proof(ID, "0102", frozenset({ANN})), MailId("last")
    await side.hear()
    for number in range(REMEMBERED // 2):
        feedback = Feedback("send", "x", 990.0, MailId(f"{number}"), destination=(ANN,))
        await side.unseen.keep(FedBack(feedback.mail_id, feedback))
    for proof in (first, first._replace(mail_id=last)):
        mail = Mail(Envelope("a@b.example", (ANN,)), b"hello")
        job = Job(proof.mail_id, 0, mail, 0.0, 2e9, Sending(1))
        (claim,), _ = await side.queue.put([job])
        if proof.mail_id == last:
            feedback = Feedback("send", "0103", 990.0, last, destination=(ANN,))
            with pytest.raises(NotYet):
                await side.unseen.keep(FedBack(last, feedback))
        await side.end(claim, UNSEEN)
    assert side.states == ["Queued", "Sent"]
    assert side.sent == [("last", "0103")]


async def test_where_the_queue_is_away_the_event_comes_again() -> None:
    side = Side(Broken())
    with pytest.raises(NotYet, match="disk full"):
        await side.hear()
    claim = await side.put(Sending(1))
    assert claim is not None
    await side.end(claim, UNSEEN)  # and what is done beside raises nothing
    assert side.states == ["Queued"]
