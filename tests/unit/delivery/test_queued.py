"""With a queue: who hears what, what is kept, and what a stop does to it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import pytest

from relay.content.moment import shown
from relay.delivery.admission import Admission, Load
from relay.delivery.attempts import Attempts
from relay.delivery.dsn import Reporter
from relay.delivery.pace import Pace
from relay.delivery.queued import QueuedDelivery
from relay.delivery.ways import Way, Ways
from relay.delivery.worker import Worker
from relay.model.job import (
    Failed,
    Job,
    Queued,
    Replaced,
    RetryPolicy,
    Sending,
    Superseded,
)
from relay.model.mail import Choice, Mail, Prepared, SendOptions
from relay.model.note import Key, Note
from relay.model.outcome import Accepted, Deferred, Outcome, Rejected, When
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId, Submission
from relay.observe.events import Answered, Event, Events, NotTaken
from relay.queue import Claim, Unwritable
from tests.memory_queue import MemoryQueue
from tests.ses_answer import SesAnswer

CONTENT = b"From: a@b.example\r\n\r\nx\r\n"
MAIL = Mail(Envelope("a@b.example", ("c@d.example",)), CONTENT)
CODE = Mail(MAIL.envelope, CONTENT, choice=Choice("SignIn", supersedes=True))
DOWN = Deferred(Reply(451, "4.1", "SES cannot be reached"), When.SOON)
BAD = Rejected(Reply(554, "6.0", "Message rejected: Bad content"))


class SlowQueue(MemoryQueue):
    """A queue whose disk takes as long as a test wants, or is full."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.written = asyncio.Event()
        self.written.set()
        self.full = False

    async def put(
        self, jobs: Sequence[Job], note: Note | None = None
    ) -> tuple[Sequence[Claim], list[Replaced]]:
        self.asked.set()
        await self.written.wait()
        if self.full:
            raise Unwritable("spool.db: disk full", OSError("disk full"))
        return await super().put(jobs, note)

    async def claim(
        self,
        limit: int,
        *,
        size: int,
        lanes: Sequence[int] | None = None,
        unmarked: Collection[int] = (),
    ) -> Sequence[Claim]:
        self.asked.set()
        claims = await super().claim(limit, size=size, lanes=lanes, unmarked=unmarked)
        await self.written.wait()
        return claims


class Ses:
    """A transport that answers when a test says what; `calls` are those under way.

    `has_connections`: mail need not wait for one.
    """

    has_connections = False

    def __init__(self, *answers: Outcome) -> None:
        self.answers = list(answers)
        self.calls: list[SesAnswer] = []
        self.sent = 0
        self.asked = asyncio.Event()

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        self.sent += 1
        if self.answers:
            return self.answers.pop(0)
        call = SesAnswer(at_hand=self.has_connections)
        self.calls.append(call)
        self.asked.set()
        return await call.came()

    def at_hand(self, mail: Mail) -> bool:
        return self.has_connections


@pytest.fixture(autouse=True, params=[False, True], ids=["in a task", "at hand"])
def has_connections(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Each of these holds wherever the attempt is made."""
    connected: bool = request.param
    monkeypatch.setattr(Ses, "has_connections", connected)
    return connected


class Relay:
    """A delivery over `queue`, as the app builds it."""

    def __init__(
        self, queue: MemoryQueue, ses: Ses, *, answer_within: float = 3.0
    ) -> None:
        self.queue = queue
        self.events: list[Event] = []
        self.admission = Admission(
            pace=Pace(),
            concurrency=5,
            load=Load(10**6),
            silent_after=3,
            looks=[30],
            now=queue.now,
        )
        events = Events([self.events.append])
        policy = RetryPolicy({when: [5.0] for when in When}, give_up_after=1000)
        self.ways = Ways([Way("", ses, self.admission)])
        self.attempts = Attempts(
            events=events,
            queue=queue,
            policy=policy,
            reporter=Reporter("bounce@b.example", "", "", "here", 1000, SendOptions()),
        )
        self.delivery = QueuedDelivery(
            attempts=self.attempts,
            events=events,
            queue=queue,
            ways=self.ways,
            notes=queue.notes,
            policy=policy,
            answer_within=answer_within,
        )
        self.gone = False

    async def deliver(
        self,
        *mails: Mail,
        mail_id: str = "k3",
        send_at: float | None = None,
        key: Key | None = None,
    ) -> str:
        loop = asyncio.get_running_loop()
        submission = Submission(MailId(mail_id), mails[0].envelope, CONTENT)
        prepared = Prepared(mails, send_at=send_at, key=key)
        reply = await self.delivery.deliver(
            submission, prepared, started=loop.time(), left=lambda: self.gone
        )
        return str(reply)

    def states(self) -> list[object]:
        return [job.state for job in self.queue.jobs.values()]

    def answered(self) -> Answered:
        (event,) = (event for event in self.events if isinstance(event, Answered))
        return event


async def test_what_ses_takes_in_time_never_touches_the_queue() -> None:
    relay = Relay(SlowQueue(), Ses(Accepted("0100-1")))
    assert await relay.deliver(MAIL) == "250 2.0.0 Ok 0100-1"
    assert relay.states() == []
    assert relay.answered().outcome == Accepted("0100-1")


async def test_of_a_mail_with_a_key_that_ses_took_its_key_is_remembered() -> None:
    relay, key = Relay(SlowQueue(), Ses(Accepted("0100-1"))), Key("app", "k1", b"1")
    said = await relay.deliver(MAIL, key=key)
    note = await relay.queue.notes.recall(key)
    assert note is not None
    assert (str(note.reply), note.message_id) == (said, "0100-1")


async def test_a_refusal_that_is_heard_leaves_nothing() -> None:
    relay = Relay(SlowQueue(), Ses(BAD))
    assert await relay.deliver(MAIL) == str(BAD.reply)
    assert relay.states() == []


async def test_a_refusal_that_nobody_hears_is_kept_as_failed_with_its_report() -> None:
    relay = Relay(SlowQueue(), Ses(BAD))
    relay.gone = True
    assert await relay.deliver(MAIL) == "250 2.0.0 queued as k3"
    failed, report = relay.states()
    assert isinstance(failed, Failed)
    assert failed.reply == BAD.reply
    assert isinstance(report, Queued)


async def test_what_time_can_repair_is_kept_with_its_attempt_counted() -> None:
    unseen = Deferred(Reply(451, "4.2", "connection lost"), When.UNSEEN, True)
    relay = Relay(SlowQueue(), Ses(unseen))
    said = await relay.deliver(MAIL)
    assert said == "250 2.0.0 queued as k3; connection lost"
    (state,) = relay.states()
    assert isinstance(state, Queued)
    assert (state.attempts, state.maybe_sent, state.last) == (1, True, unseen.reply)


async def test_an_attempt_that_is_repeated_at_once_counts_twice() -> None:
    expired = Deferred(Reply(454, "7.0", "expired"), When.SOON, at_once=True)
    relay = Relay(SlowQueue(), Ses(expired, expired))
    await relay.deliver(MAIL)
    (state,) = relay.states()
    assert isinstance(state, Queued)
    assert state.attempts == relay.answered().attempts == 2


@pytest.mark.parametrize(
    ("end", "came_to"), [(Accepted("0100-1"), "Sent"), (BAD, "Failed")]
)
async def test_a_call_that_takes_too_long_is_kept_and_its_end_recorded(
    end: Outcome, came_to: str
) -> None:
    ses = Ses()
    relay = Relay(SlowQueue(), ses, answer_within=0.01)
    assert await relay.deliver(MAIL) == "250 2.0.0 queued as k3"
    assert relay.states() == [Sending(1)]
    ses.calls[0].set_result(end)
    await relay.attempts.drained()
    first, *_ = relay.states()
    assert type(first).__name__ == came_to


async def test_an_end_that_comes_while_the_mail_is_being_kept_is_recorded() -> None:
    ses, queue = Ses(), SlowQueue()
    queue.written.clear()
    relay = Relay(queue, ses, answer_within=0.01)
    reply = asyncio.create_task(relay.deliver(MAIL))
    await queue.asked.wait()
    ses.calls[0].set_result(Accepted("0100-1"))
    await asyncio.sleep(0)
    queue.written.set()
    assert await reply == "250 2.0.0 queued as k3"
    await relay.attempts.drained()
    (state,) = relay.states()
    assert type(state).__name__ == "Sent"


async def test_where_writing_fails_and_no_call_is_under_way_nothing_is_kept() -> None:
    queue = SlowQueue()
    queue.full = True
    relay = Relay(queue, Ses(DOWN))
    assert (await relay.deliver(MAIL)).startswith("451 4.3.0")
    assert relay.states() == []
    assert relay.answered().outcome == DOWN


@pytest.mark.parametrize("end", [Accepted("0100-1"), BAD, DOWN])
async def test_where_writing_fails_a_call_under_way_is_answered_as_without_a_queue(
    end: Outcome,
) -> None:
    ses, queue = Ses(), SlowQueue()
    queue.full = True
    relay = Relay(queue, ses, answer_within=0.01)
    reply = asyncio.create_task(relay.deliver(MAIL))
    await queue.asked.wait()
    assert not reply.done()
    ses.calls[0].set_result(end)
    taken = "250 2.0.0 Ok 0100-1"
    assert await reply == (taken if isinstance(end, Accepted) else str(end.reply))
    await relay.attempts.drained()
    assert relay.states() == []


async def test_where_nothing_may_begin_and_writing_fails_ses_is_not_asked() -> None:
    queue, ses = SlowQueue(), Ses(Accepted("1"))
    queue.full = True
    relay = Relay(queue, ses)
    relay.delivery.stop_within(25)
    assert (await relay.deliver(MAIL)).startswith("451 4.3.0")
    assert ses.sent == 0
    assert [type(event) for event in relay.events] == [NotTaken]


async def test_of_several_calls_all_taken_the_message_ids_are_told() -> None:
    relay = Relay(SlowQueue(), Ses(Accepted("0100-1"), Accepted("0100-2")))
    assert await relay.deliver(MAIL, MAIL) == "250 2.0.0 Ok 0100-1"
    assert relay.answered().message_ids == ("0100-1", "0100-2")
    assert isinstance(relay.answered().outcome, Accepted)
    assert relay.states() == []


async def test_of_several_calls_only_what_ses_did_not_take_is_kept() -> None:
    relay = Relay(SlowQueue(), Ses(Accepted("0100-1"), BAD, DOWN))
    assert await relay.deliver(MAIL, MAIL, MAIL) == "250 2.0.0 queued as k3"
    kept = {job.number: type(job.state).__name__ for job in relay.queue.jobs.values()}
    assert kept == {1: "Failed", 2: "Queued", 0: "Queued"}  # 0: the report
    assert relay.answered().message_ids == ("0100-1",)


async def test_of_several_calls_all_refused_the_client_hears_the_first() -> None:
    other = Rejected(Reply(553, "1.3", "Transaction failed"))
    relay = Relay(SlowQueue(), Ses(BAD, other))
    assert await relay.deliver(MAIL, MAIL) == str(BAD.reply)
    assert relay.states() == []


async def test_a_part_that_was_taken_makes_no_250_of_what_could_not_be_kept() -> None:
    queue = SlowQueue()
    queue.full = True
    relay = Relay(queue, Ses(Accepted("0100-1"), DOWN))
    assert (await relay.deliver(MAIL, MAIL)).startswith("451 4.3.0")


async def test_a_newer_code_that_ses_took_ends_the_waiting_one() -> None:
    relay = Relay(SlowQueue(), Ses(DOWN, Accepted("0100-2")))
    await relay.deliver(CODE, mail_id="old")
    assert await relay.deliver(CODE, mail_id="new") == "250 2.0.0 Ok 0100-2"
    (state,) = relay.states()
    assert isinstance(state, Superseded)


async def test_a_newer_code_that_ses_took_ends_the_one_under_way() -> None:
    ses = Ses()
    relay = Relay(SlowQueue(), ses)
    old = asyncio.create_task(relay.deliver(CODE, mail_id="old"))
    await ses.asked.wait()
    ses.answers = [Accepted("0100-2")]
    await relay.deliver(CODE, mail_id="new")
    ses.calls[0].set_result(DOWN)
    assert (await old).startswith("250 2.0.0 queued as old")
    (state,) = relay.states()
    assert isinstance(state, Superseded)


async def test_at_the_stop_mail_is_kept_and_nothing_begins() -> None:
    ses = Ses(Accepted("1"))
    relay = Relay(SlowQueue(), ses)
    relay.delivery.stop_within(25)
    assert await relay.deliver(MAIL) == "250 2.0.0 queued as k3; shutting down"
    assert ses.sent == 0
    assert not relay.admission.busy
    (claim,) = await relay.queue.claim(9, size=10**6)
    assert claim.job.state.attempts == 1


async def test_no_attempt_begins_on_mail_that_was_being_claimed_at_the_signal() -> None:
    queue, ses = SlowQueue(), Ses(Accepted("1"))
    now = queue.now()
    await queue.put([Job(MailId("k3"), 0, MAIL, now, now + 1000, Queued(0, now))])
    queue.asked.clear()
    queue.written.clear()
    relay = Relay(queue, ses)
    stopping = asyncio.Event()
    worker = Worker(queue, relay.ways, relay.attempts)
    working = asyncio.create_task(worker.run(stopping))
    await queue.asked.wait()
    relay.delivery.stop_within(25)
    stopping.set()
    queue.written.set()
    await working
    assert ses.sent == 0
    (claim,) = await queue.claim(9, size=10**6)
    assert claim.job.state.attempts == 1


async def test_what_is_to_be_sent_later_is_kept_until_then_and_not_tried() -> None:
    ses = Ses()
    relay = Relay(SlowQueue(), ses)
    at = float(int(relay.queue.now()) + 3600)
    said = await relay.deliver(MAIL, MAIL, send_at=at)
    assert said == f"250 2.0.0 queued as k3; due {shown(at)}"
    assert relay.states() == [Queued(0, at), Queued(0, at)]
    assert ses.sent == 0
    assert relay.answered().due == at
    assert [job.expires_at for job in relay.queue.jobs.values()] == [at + 1000] * 2


async def test_what_is_to_be_sent_later_and_cannot_be_kept_hears_451() -> None:
    queue = SlowQueue()
    queue.full = True
    relay = Relay(queue, Ses())
    said = await relay.deliver(MAIL, send_at=queue.now() + 60)
    assert said == "451 4.3.0 The mail cannot be kept now, try again later"
    assert relay.states() == []


async def test_what_is_cut_off_before_it_began_is_waited_for_no_longer() -> None:
    relay = Relay(SlowQueue(), Ses())
    begun = []

    async def attempt(name: str) -> None:
        begun.append(name)
        await asyncio.Event().wait()

    relay.attempts.begin(attempt, "first")
    draining = asyncio.create_task(relay.attempts.drained())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    draining.cancel()
    relay.attempts.begin(attempt, "second")  # as the time is over
    with pytest.raises(asyncio.CancelledError):
        await draining
    assert begun == ["first"]
    await relay.attempts.drained()


async def test_an_attempt_that_breaks_takes_no_other_along() -> None:
    relay = Relay(SlowQueue(), Ses())
    ended = []

    async def attempt(error: Exception | None) -> None:
        await asyncio.sleep(0)
        if error is not None:
            raise error
        ended.append("well")

    relay.attempts.begin(attempt, RuntimeError("a bug"))
    relay.attempts.begin(attempt, None)
    await relay.attempts.drained()
    assert ended == ["well"]
    assert not relay.attempts.work.tasks
