"""The delivery with a queue, driven at random against a model of what is owed.

SES' answers, their times, connections to it or none, two accounts of which one has
the other as its fallback, clients that leave, that come again with a key, or write to
a person above the limit, a queue that cannot be written, the stop, and a crash: after
any order of these nothing that heard 250 is lost, no client heard what is not so, and
what heard 250 under a key is not taken again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle as Kept
from hypothesis.stateful import (
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from relay.delivery.admission import Admission, Load
from relay.delivery.attempts import Attempts
from relay.delivery.dsn import Reporter
from relay.delivery.limits import LimitedDelivery
from relay.delivery.once import OnceDelivery
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
from relay.model.mail import Choice, Mail, Prepared, Priority, SendOptions
from relay.model.note import Key, Limit, Note
from relay.model.outcome import Accepted, Deferred, Effect, Outcome, Rejected, When
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId, Submission
from relay.observe.events import Event, Events, NotTaken
from relay.queue import Claim, Unwritable
from tests.memory_queue import MemoryQueue
from tests.ses_answer import SesAnswer

ANSWER_WITHIN = 3.0
PERSON = Limit("SignIn", ("ann@c.example",), 2, 300.0)
ANSWERS: Sequence[Outcome] = (
    *[Accepted("0100")] * 3,
    *[Rejected(Reply(554, "6.0", "Message rejected: Bad"))] * 3,
    Deferred(Reply(554, "7.1", "not verified"), When.SLOWLY, tell=True),
    Deferred(Reply(454, "4.5", "Throttling"), When.SOON, effect=Effect.SLOWER),
    Deferred(Reply(451, "4.2", "lost"), When.UNSEEN, maybe_sent=True, silent=True),
    Deferred(
        Reply(454, "3.2", "Sending paused"),
        When.SLOWLY,
        effect=Effect.PAUSE,
        elsewhere=True,
    ),
    Deferred(Reply(451, "4.1", "unreachable"), When.SOON, silent=True, elsewhere=True),
    Deferred(Reply(454, "7.0", "expired"), When.SOON, at_once=True),
)


class Loop(asyncio.SelectorEventLoop):
    """A loop whose time goes on when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.at = 1000.0

    def time(self) -> float:
        return self.at


class Disk(MemoryQueue):
    """A queue that can be full; it counts what was ever put."""

    full = False

    async def put(
        self, jobs: Sequence[Job], note: Note | None = None
    ) -> tuple[Sequence[Claim], list[Replaced]]:
        await asyncio.sleep(0)
        if self.full:
            raise Unwritable("full", OSError("full"))
        return await super().put(jobs, note)

    async def supersede(self, newer: Sequence[Job]) -> list[Replaced]:
        if self.full:
            raise Unwritable("full", OSError("full"))
        return await super().supersede(newer)


@dataclass
class Sender:
    """A client, what it heard, and the calls of its mail that SES took."""

    name: str
    calls: int
    gone: bool = False
    reply: asyncio.Task[Reply] | None = None
    gone_before: bool = False  # it left before its reply was decided
    could_be_kept: bool = True  # the disk was not full meanwhile
    key: str = ""
    limited: bool = False
    first: str = ""  # whose reply it heard again
    heard_at: float = -1.0
    taken: set[int] = field(default_factory=set)


@dataclass
class Call:
    """A request at SES that is not answered yet."""

    mail_id: str
    number: int
    by: str
    answer: SesAnswer


class Ses:
    """Holds every request to one account until the test answers it.

    `unseen` are the calls that may have been taken: no fallback may make another of
    them. `has_connections`: mail need not wait for one.
    """

    has_connections = False

    def __init__(
        self, by: str, calls: list[Call], unseen: set[tuple[str, int]]
    ) -> None:
        self.by = by
        self.calls = calls
        self.unseen = unseen
        self.wrong: list[str] = []

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        answer = SesAnswer(at_hand=self.has_connections)
        number = int(mail.envelope.recipients[0].partition("@")[0])
        if self.by != mail.options.account and (mail_id, number) in self.unseen:
            self.wrong.append(f"{mail_id} call {number} by {self.by!r}")
        call = Call(mail_id, number, self.by, answer)
        self.calls.append(call)
        try:
            return await answer.came()
        finally:
            self.calls.remove(call)

    def at_hand(self, mail: Mail) -> bool:
        return self.has_connections


class Delivering(RuleBasedStateMachine):
    """Clients, SES, a disk and a relay."""

    senders = Kept("senders")

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        self.queue = Disk(now=self.loop.time, accounts=["", "b"])
        self.unseen: set[tuple[str, int]] = set()
        self.all: dict[str, Sender] = {}

    @initialize()
    def start(self) -> None:
        self._build()

    def _build(self) -> None:
        self.calls: list[Call] = []
        self.ses = [Ses(by, self.calls, self.unseen) for by in ("", "b")]
        load = Load(10**6)
        gates = [
            Admission(
                pace=Pace(),
                concurrency=6,
                load=load,
                silent_after=ANSWER_WITHIN,
                looks=[30],
                has_fallback=has_fallback,
                now=self.loop.time,
            )
            for has_fallback in (False, True)
        ]
        events = Events([self._told])
        policy = RetryPolicy({when: [5.0, 60.0] for when in When}, give_up_after=4000)
        ours = Way("", self.ses[0], gates[0], 0, (0,))
        ways = Ways([ours, Way("b", self.ses[1], gates[1], 1, (1,), ours)])
        self.attempts = Attempts(
            events=events,
            queue=self.queue,
            policy=policy,
            reporter=Reporter("r@b.example", "", "", "here", 4000, SendOptions()),
        )
        self.delivery = QueuedDelivery(
            attempts=self.attempts,
            events=events,
            queue=self.queue,
            ways=ways,
            notes=self.queue.notes,
            policy=policy,
            answer_within=ANSWER_WITHIN,
            now=self.loop.time,
        )
        limited = LimitedDelivery(self.delivery, notes=self.queue.notes, events=events)
        self.once = OnceDelivery(limited, notes=self.queue.notes, events=events)
        self.stopping = asyncio.Event()
        worker = Worker(self.queue, ways, self.attempts)
        self.working = self.loop.create_task(worker.run(self.stopping))
        self._turn()

    def _told(self, event: Event) -> None:
        if isinstance(event, NotTaken) and event.first is not None:
            self.all[event.id].first = event.first.mail_id

    def _turn(self, times: int = 30) -> None:
        async def rest() -> None:
            for _ in range(times):
                await asyncio.sleep(0)

        self.loop.run_until_complete(rest())

    @rule(
        target=senders,
        calls=st.integers(1, 3),
        code=st.booleans(),
        priority=st.sampled_from(list(Priority)),
        account=st.sampled_from(["", "b"]),
        wait=st.sampled_from([None, None, None, 2.0, 30.0, 3000.0]),
        key=st.sampled_from(["", "", "a", "b"]),
        limited=st.booleans(),
    )
    def submit(
        self,
        calls: int,
        code: bool,
        priority: Priority,
        wait: float | None,
        key: str,
        limited: bool,
        account: str,
    ) -> str:
        name = f"k{len(self.all)}"
        sender = self.all[name] = Sender(name, calls, key=key, limited=limited)
        self._note_the_disk()
        usage = "SignIn" if code else f"usage {name}"
        choice = Choice(usage, supersedes=code, priority=priority)
        options = SendOptions(account=account)
        mails = tuple(
            Mail(
                Envelope("a@b.example", (f"{n}@c.example",)), b"\r\nx", options, choice
            )
            for n in range(calls)
        )
        submission = Submission(MailId(name), mails[0].envelope, b"x")
        sender.reply = self.loop.create_task(
            self.once.deliver(
                submission,
                Prepared(
                    mails,
                    send_at=None if wait is None else self.loop.at + wait,
                    limit=PERSON if limited else None,
                    key=Key("user:app", key, key.encode()) if key else None,
                ),
                started=self.loop.at,
                left=lambda: sender.gone,
            )
        )
        sender.reply.add_done_callback(
            lambda _: setattr(sender, "heard_at", self.loop.at)
        )
        self._turn()
        return name

    @rule(by=st.sampled_from([0, 1]), there=st.booleans())
    def connections(self, by: int, there: bool) -> None:
        """Whether new mail is attempted in its client's own task."""
        self.ses[by].has_connections = there

    @rule(name=senders)
    def leave(self, name: str) -> None:
        sender = self.all[name]
        sender.gone = True
        sender.gone_before = not _heard(sender)

    @rule(answers=st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=4))
    def answer(self, answers: list[Outcome]) -> None:
        """SES answers the calls that have waited longest."""
        for call, answer in zip(list(self.calls), answers, strict=False):
            call.answer.set_result(answer)
            if isinstance(answer, Deferred) and answer.maybe_sent:
                self.unseen.add((call.mail_id, call.number))
            if isinstance(answer, Accepted) and call.mail_id in self.all:
                self.all[call.mail_id].taken.add(call.number)
        self._turn()

    @rule(seconds=st.sampled_from([0.5, 3.5, 31.0, 400.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.loop.at += seconds
        self._turn()

    @rule(full=st.booleans())
    def disk(self, full: bool) -> None:
        self.queue.full = full
        self._note_the_disk()
        self._turn()

    def _note_the_disk(self) -> None:
        for sender in self.all.values():
            if self.queue.full and not _heard(sender):
                sender.could_be_kept = False

    @rule()
    def crash(self) -> None:
        """The process ends at once; what was `sending` waits again."""
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self._turn()
        for sender in self.all.values():
            if sender.reply is not None and not _heard(sender):
                sender.reply = None  # it heard nothing
        for seq, job in self.queue.jobs.items():
            if isinstance(job.state, Sending):
                state = Queued(job.state.attempts, self.loop.at, maybe_sent=True)
                self.queue.jobs[seq] = _with(job, state)
                self.unseen.add((job.id, job.number))
        self._build()

    @rule(name=consumes(senders))
    def forget(self, name: str) -> None:
        """No rule needs this one any more; what it is owed stays."""

    @invariant()
    def nothing_that_heard_250_is_lost(self) -> None:
        for hearer in self.all.values():
            if not _heard(hearer):
                continue
            assert hearer.reply is not None
            reply = hearer.reply.result()
            sender = hearer
            if hearer.first:  # it hears of that one, and nothing became of its own
                assert not hearer.taken
                sender = self.all[hearer.first]
            kept = {
                job.number: job
                for job in self.queue.jobs.values()
                if job.id == sender.name and not job.report
            }
            if str(reply).startswith("250 2.0.0 Ok"):
                assert sender.taken == set(range(sender.calls))
            elif reply.code == 250:
                owed = set(range(sender.calls)) - sender.taken
                assert owed <= kept.keys()
            else:
                # Never a refusal that waits in the queue as well, nor one that
                # nobody heard and no report tells of.
                assert not kept
                unheard = sender.gone_before and sender.could_be_kept
                assert not (unheard and reply.code >= 500)

    @invariant()
    def one_key_has_one_mail_that_heard_250(self) -> None:
        for key in ("a", "b"):
            owners = [
                sender
                for sender in self.all.values()
                if sender.key == key and not sender.first and _heard_250(sender)
            ]
            assert len(owners) <= 1

    @invariant()
    def no_more_pass_than_a_limit_allows(self) -> None:
        after = self.loop.at - PERSON.seconds
        passed = [
            sender
            for sender in self.all.values()
            if sender.limited
            and not sender.first
            and _heard_250(sender)
            and sender.heard_at > after
        ]
        assert len(passed) <= PERSON.number

    @invariant()
    def nothing_is_attempted_before_its_time(self) -> None:
        for job in self.queue.jobs.values():
            if job.began > self.loop.at:
                assert isinstance(job.state, Queued | Superseded)
                assert job.state.attempts == 0

    @invariant()
    def each_end_is_recorded(self) -> None:
        under_way = {(call.mail_id, call.number) for call in self.calls}
        for job in self.queue.jobs.values():
            if isinstance(job.state, Sending):
                assert (job.id, job.number) in under_way

    @invariant()
    def no_fallback_makes_a_second_of_what_may_have_been_sent(self) -> None:
        assert [wrong for ses in self.ses for wrong in ses.wrong] == []

    @invariant()
    def what_failed_has_a_report_or_is_one(self) -> None:
        failed = [
            job
            for job in self.queue.jobs.values()
            if isinstance(job.state, Failed) and not job.report
        ]
        reports = [job for job in self.queue.jobs.values() if job.report]
        assert len(reports) >= len(failed)

    def teardown(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self._turn()
        self.loop.close()


def _heard(sender: Sender) -> bool:
    task = sender.reply
    return task is not None and task.done() and not task.cancelled()


def _heard_250(sender: Sender) -> bool:
    return (
        _heard(sender)
        and sender.reply is not None
        and sender.reply.result().code == 250
    )


def _with(job: Job, state: Queued) -> Job:
    return job._replace(state=state)


TestDelivering = Delivering.TestCase
TestDelivering.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
