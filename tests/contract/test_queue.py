"""What every queue does: the spool on a disk, and the tests' own in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from relay.model.job import (
    Failed,
    Job,
    Queued,
    Replaced,
    Sending,
    Sent,
    State,
    Superseded,
)
from relay.model.mail import Choice, Mail, Priority, SendOptions
from relay.model.proof import Proof
from relay.model.reply import Reply
from relay.model.submission import Envelope, MailId
from relay.queue import Figures, NotYet, Queue, file, rows
from relay.queue.sqlite import open_spool
from tests.fleet.patient import in_bucket, patient_queue
from tests.memory_queue import MemoryQueue

CONTENT = b"From: a@b.example\r\n\r\nhello \x00\xff\r\n"
LATER = 1000.0  # seconds; long after any of these tests
DOWN = Reply(451, "4.1", "SES cannot be reached")
NO = Reply(554, "6.0", "Message rejected: Bad content.")
MUCH = 1_000_000


@dataclass
class Side:
    """A queue, and a look into it from beside: all its jobs, the oldest first."""

    queue: Queue
    look: Callable[[], list[Job]]
    keeps_ended: bool = True  # and not only what waits or failed

    def states(self) -> list[State]:
        return [job.state for job in self.look()]

    def kept(self, states: Sequence[State]) -> list[State]:
        """Those of them that a look from beside finds."""
        if self.keeps_ended:
            return list(states)
        return [one for one in states if not isinstance(one, Sent | Superseded)]

    def ids(self) -> list[str]:
        return [job.id for job in self.look()]

    def job(
        self,
        mail_id: str = "k1",
        *,
        number: int = 0,
        age: float = 0.0,
        state: State | None = None,
        ends_in: float = LATER,
        to: Sequence[str] = ("c@d.example",),
        content: bytes = CONTENT,
        choice: Choice | None = None,
        report: bool = False,
    ) -> Job:
        """A job that waits and is due, unless `state` says otherwise."""
        now = self.queue.now()
        return Job(
            MailId(mail_id),
            number,
            Mail(
                Envelope("a@b.example", tuple(to)), content, choice=choice or Choice()
            ),
            now - age,
            now + ends_in,
            state or Queued(0, now - age),
            report,
        )


# What does not hold for a queue that a fleet shares, and why.
NOTHING_IS_KEPT = "nothing is kept of mail that has ended"
ABOUT = "its figures are SQS' own, and approximate"
BY_ID = "age is that of the id, which these tests make up"
HINTS = "what waits is known when its hint was received"
NAMED = "a report is named by the mail that it is about"
OWN_TIME = "what waits in SQS has its time there"
MANY = "turns are those of a test of hints at hand; 900 mails take an emulator long"
LATER_FOUND = "older mail is found superseded when its turn comes"
FIRST = "of calls with contents of their own only the first is looked for"
OTHERWISE_WITH_SQS = {
    "test_the_oldest_mail_leaves_first_whatever_it_waited_for": BY_ID,
    "test_no_priority_waits_for_ever_behind_a_higher_one": MANY,
    "test_only_mail_of_its_own_or_a_higher_priority_is_in_the_way": HINTS,
    "test_waiting_mail_can_be_made_due_and_keeps_its_place_in_the_line": OWN_TIME,
    "test_what_is_to_be_sent_later_waits_on_when_all_else_becomes_due": OWN_TIME,
    "test_reports_with_one_text_are_kept_each_for_itself": NAMED,
    "test_what_ses_took_ends_the_waiting_mail_whose_place_it_takes": LATER_FOUND,
    "test_newer_mail_supersedes_what_waits_for_the_same_recipients": LATER_FOUND,
    "test_what_is_being_sent_is_superseded_only_when_it_would_wait": NOTHING_IS_KEPT,
    "test_figures_count_what_waits_and_what_is_being_sent": ABOUT,
    "test_reports_enter_in_the_step_in_which_their_mail_fails": ABOUT,
    "test_figures_do_not_count_what_ses_proves_to_have_taken": ABOUT,
    "test_of_two_calls_to_the_same_people_a_proof_ends_neither": FIRST,
    "test_mail_at_its_end_that_ses_took_does_not_fail": HINTS,
    "test_mail_that_is_not_due_or_at_its_end_is_not_claimed": HINTS,
    "test_waiting_mail_at_its_end_fails_without_an_attempt": HINTS,
    "test_expired_mail_comes_in_portions": HINTS,
    "test_whoever_waits_hears_that_mail_is_due_sooner": HINTS,
    "test_what_is_to_be_sent_later_is_not_due_nor_old": HINTS,
    "test_due_mail_leaves_by_priority_then_by_age": BY_ID,
    "test_its_age_counts_from_its_time_and_not_from_its_coming": BY_ID,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with every queue that promises what it asks for."""
    if "side" not in metafunc.fixturenames:
        return
    queues = ["sqlite", "memory"]
    if metafunc.function.__name__ not in OTHERWISE_WITH_SQS:
        queues.append("sqs")
    metafunc.parametrize("side", queues, indirect=True)


@pytest.fixture
async def side(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Side]:
    if request.param == "memory":
        memory = MemoryQueue()
        yield Side(memory, lambda: list(memory.jobs.values()))
        return
    if request.param == "sqs":
        place = request.getfixturevalue("emulator").place()
        async with patient_queue(place) as shared:
            yield Side(shared, lambda: in_bucket(place), keeps_ended=False)
        return
    path = tmp_path / "spool.db"
    async with open_spool(path, keep_sent=LATER, keep_failed=LATER) as queue:
        yield Side(queue, lambda: in_file(path))


def in_file(path: Path) -> list[Job]:
    """All jobs of a spool, as somebody else reads them."""
    connection = file.opened(path, write=False)
    try:
        return [
            rows.job(row) for row in connection.execute(f"{rows.SELECT} ORDER BY 1")
        ]
    finally:
        connection.close()


# Mail in.


async def test_what_is_put_comes_back_whole(side: Side) -> None:
    mail = Mail(
        Envelope(None, ("c@d.example", '"a b"@D.Example')),
        bytes(range(256)) * 300,
        SendOptions(
            "news",
            "arn:1",
            "arn:2",
            "tenant",
            tags=(("a", "b"), ("a", "c")),
            rules_set="rule's",
        ),
        Choice("SignIn", "Generic", "fr", 600.0, supersedes=True, rule="Größe"),
    )
    put = side.job()._replace(mail=mail, report=True)
    await side.queue.put([put])
    (claim,) = await side.queue.claim(1, size=MUCH)
    assert claim.job == put._replace(state=Sending(1))
    assert side.look() == [claim.job]


async def test_what_is_put_as_being_sent_is_its_puts_and_nobody_elses(
    side: Side,
) -> None:
    jobs = [
        side.job("k1", state=Sending(1)),
        side.job("k2"),
        side.job("k3", state=Sending(1)),
    ]
    claims, replaced = await side.queue.put(jobs)
    assert [claim.job for claim in claims] == [jobs[0], jobs[2]]
    assert replaced == []
    assert [claim.job.id for claim in await side.queue.claim(9, size=MUCH)] == ["k2"]


async def test_jobs_are_put_all_or_none(side: Side) -> None:
    wrong = side.job("k2")._replace(state=Sent(1, 0.0, "x"))
    with pytest.raises(ValueError, match="took"):
        await side.queue.put([side.job("k1"), wrong])
    assert side.look() == []
    assert side.queue.figures() == Figures(0, 0)
    await side.queue.put([side.job("k3")])
    assert side.ids() == ["k3"]


# Attempts.


async def test_the_oldest_mail_leaves_first_whatever_it_waited_for(side: Side) -> None:
    now = side.queue.now()
    await side.queue.put([side.job("new", age=1)])
    await side.queue.put([side.job("old", age=50, state=Queued(3, now + 0.2))])
    await side.queue.put([side.job("middle", age=9, state=Queued(1, now + 0.1))])
    await asyncio.sleep(0.25)  # until all are due
    claims = await side.queue.claim(9, size=MUCH)
    assert [claim.job.id for claim in claims] == ["old", "middle", "new"]
    assert [claim.job.state for claim in claims] == [Sending(4), Sending(2), Sending(1)]


async def test_mail_that_came_at_the_same_time_leaves_in_its_order(side: Side) -> None:
    now = side.queue.now()
    same = [
        side.job(f"k{n}")._replace(accepted_at=now - 1, state=Queued(0, now - 1))
        for n in range(5)
    ]
    await side.queue.put(same)
    claims = await side.queue.claim(3, size=MUCH)
    claims = [*claims, *await side.queue.claim(3, size=MUCH)]
    assert [claim.job.id for claim in claims] == ["k0", "k1", "k2", "k3", "k4"]


async def test_a_claim_takes_no_more_than_its_number_and_its_bytes(side: Side) -> None:
    contents = [b"x" * 60, b"y" * 60, b"z" * 10, b"w" * 500]
    await side.queue.put(
        [side.job(f"k{n}", age=9 - n, content=of) for n, of in enumerate(contents)]
    )
    queue = side.queue
    assert [claim.job.id for claim in await queue.claim(9, size=100)] == ["k0"]
    assert [claim.job.id for claim in await queue.claim(1, size=MUCH)] == ["k1"]
    # What is too large for any claim would wait for ever: the first is always taken.
    assert [claim.job.id for claim in await queue.claim(9, size=0)] == ["k2"]
    assert [claim.job.id for claim in await queue.claim(9, size=0)] == ["k3"]
    assert list(await queue.claim(9, size=MUCH)) == []


async def test_mail_that_is_not_due_or_at_its_end_is_not_claimed(side: Side) -> None:
    now = side.queue.now()
    await side.queue.put([side.job("later", state=Queued(1, now + LATER, DOWN))])
    await side.queue.put([side.job("over", age=9, ends_in=-1)])
    assert list(await side.queue.claim(9, size=MUCH)) == []
    assert [claim.job.id for claim in await side.queue.expired(9)] == ["over"]


def _ranked(side: Side, name: str, age: float, priority: Priority) -> Job:
    return side.job(name, age=age, choice=Choice(priority=priority))


async def test_due_mail_leaves_by_priority_then_by_age(side: Side) -> None:
    await side.queue.put(
        [
            _ranked(side, "low", 90, Priority.LOW),
            _ranked(side, "normal", 50, Priority.NORMAL),
            _ranked(side, "code", 1, Priority.HIGH),
            _ranked(side, "older code", 2, Priority.HIGH),
            _ranked(side, "older", 60, Priority.NORMAL),
        ]
    )
    claims = await side.queue.claim(9, size=MUCH)
    assert [claim.job.id for claim in claims] == [
        *("older code", "code", "older", "normal", "low")
    ]
    assert claims[0].job.mail.choice.priority is Priority.HIGH


async def test_no_priority_waits_for_ever_behind_a_higher_one(side: Side) -> None:
    for priority in Priority:
        await side.queue.put(
            [_ranked(side, f"{priority.name}{n}", 9, priority) for n in range(300)]
        )
    turns: list[str] = []
    for _ in range(20):
        claims = await side.queue.claim(10, size=MUCH)
        turns += [claim.job.mail.choice.priority.name for claim in claims]
    assert turns.count("HIGH") == 180
    assert turns.count("NORMAL") == 18
    assert turns.count("LOW") == 2
    # Never more than nine of ten turns in a row.
    assert "HIGH" * 10 not in "".join(turns)


async def test_only_mail_of_its_own_or_a_higher_priority_is_in_the_way(
    side: Side,
) -> None:
    await side.queue.put([_ranked(side, "news", 9, Priority.NORMAL)])
    assert [side.queue.is_due(priority) for priority in Priority] == [
        *(False, True, True)
    ]


async def test_what_ses_took_ends_the_waiting_mail_whose_place_it_takes(
    side: Side,
) -> None:
    code = Choice("SignIn", "SignIn", supersedes=True)
    await side.queue.put([side.job("old", choice=code), side.job("other")])
    newer = side.job("new", state=Sending(1), choice=code)
    (replaced,) = await side.queue.supersede([newer])
    assert (replaced.id, replaced.usage) == ("old", "SignIn")
    assert side.queue.figures().waiting == 1
    claims = await side.queue.claim(9, size=MUCH)
    assert [claim.job.id for claim in claims] == ["other"]


async def test_waiting_mail_can_be_made_due_and_keeps_its_place_in_the_line(
    side: Side,
) -> None:
    late = side.queue.now() + LATER
    await side.queue.put([side.job("second", age=5, state=Queued(1, late, DOWN))])
    await side.queue.put([side.job("first", age=9, state=Queued(2, late + 5, DOWN))])
    assert not side.queue.is_due()
    await side.queue.due_now()
    assert side.queue.is_due()
    claims = await side.queue.claim(9, size=MUCH)
    assert [claim.job.id for claim in claims] == ["first", "second"]
    assert [claim.job.state for claim in claims] == [
        Sending(3, last=DOWN),
        Sending(2, last=DOWN),
    ]


# Ends.

ENDS = (
    Queued(1, 5.0, DOWN, maybe_sent=True),
    Sent(1, 5.0, "0100-1"),
    Failed(1, 5.0, NO, maybe_sent=True),
)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: type(end).__name__)
async def test_an_attempt_ends_in_the_state_that_it_came_to(
    side: Side, end: Queued | Sent | Failed
) -> None:
    (claim,), _ = await side.queue.put([side.job(state=Sending(1))])
    assert await side.queue.settle(claim, end) == end
    assert side.states() == side.kept([end])
    # Sent content is deleted; failed content may be sent again by an operator.
    for job in side.look():
        assert job.mail.content == (b"" if isinstance(end, Sent) else CONTENT)


@pytest.mark.parametrize("end", [Failed(1, 5.0, NO), Superseded(1, 5.0)])
async def test_mail_may_enter_as_it_ended(side: Side, end: State) -> None:
    claims, _ = await side.queue.put([side.job(state=end)])
    assert list(claims) == []
    assert side.states() == side.kept([end])
    assert side.queue.figures() == Figures(0, 0)
    for job in side.look():
        assert job.mail.content == (CONTENT if isinstance(end, Failed) else b"")


async def test_what_ses_took_cannot_be_put(side: Side) -> None:
    with pytest.raises(ValueError, match="took"):
        await side.queue.put([side.job(state=Sent(1, 5.0, "0100-1"))])


async def test_waiting_mail_at_its_end_fails_without_an_attempt(side: Side) -> None:
    await side.queue.put([side.job(ends_in=-1, state=Queued(2, 5.0, DOWN))])
    (claim,) = await side.queue.expired(9)
    failed = Failed(2, side.queue.now(), Reply(554, "4.7", "Delivery time expired"))
    await side.queue.settle(claim, failed)
    assert side.states() == [failed]
    assert list(await side.queue.expired(9)) == []
    assert side.queue.due_in() is None


async def test_expired_mail_comes_in_portions(side: Side) -> None:
    await side.queue.put([side.job(f"k{n}", ends_in=-1) for n in range(5)])
    assert len(await side.queue.expired(3)) == 3
    assert len(await side.queue.expired(9)) == 5


async def test_reports_enter_in_the_step_in_which_their_mail_fails(side: Side) -> None:
    (claim,), _ = await side.queue.put([side.job(state=Sending(1))])
    reports = [
        side.job("r1", report=True, content=b"report 1"),
        side.job("r2", report=True, content=b"report 2"),
    ]
    failed = Failed(1, 5.0, NO)
    assert await side.queue.settle(claim, failed, reports) == failed
    assert side.ids() == ["k1", "r1", "r2"]
    assert side.queue.figures().waiting == 2
    claims = await side.queue.claim(9, size=MUCH)
    assert [claim.job.mail.content for claim in claims] == [b"report 1", b"report 2"]


@pytest.mark.parametrize("first", ENDS, ids=lambda end: type(end).__name__)
async def test_an_attempt_that_ended_does_not_end_again_nor_reports_again(
    side: Side, first: Queued | Sent | Failed
) -> None:
    (claim,), _ = await side.queue.put([side.job(state=Sending(1))])
    await side.queue.settle(claim, first)
    before, figures = side.look(), side.queue.figures()
    report = side.job("r1", report=True)
    assert await side.queue.settle(claim, Failed(1, 9.0, NO), [report]) is None
    assert await side.queue.settle(claim, Sent(1, 9.0, "0100-2")) is None
    assert side.look() == before
    assert side.queue.figures() == figures


async def test_calls_of_one_submission_share_its_content_until_the_last_has_left(
    side: Side,
) -> None:
    content = b"x" * 5000
    first, second, third = (
        side.job("k1", number=n, state=Sending(1), content=content) for n in range(3)
    )
    claims, _ = await side.queue.put([first, second, third])
    await side.queue.settle(claims[0], Sent(1, 5.0, "0100-1"))
    await side.queue.settle(claims[1], Queued(1, 5.0, DOWN))
    await side.queue.settle(claims[2], Superseded(1, 5.0))
    (again,) = await side.queue.claim(9, size=MUCH)
    assert (again.job.number, again.job.mail.content) == (1, content)
    await side.queue.settle(again, Sent(2, 6.0, "0100-2"))
    left = [b"", b"", b""] if side.keeps_ended else []
    assert [job.mail.content for job in side.look()] == left


async def test_reports_with_one_text_are_kept_each_for_itself(side: Side) -> None:
    (claim,), _ = await side.queue.put([side.job(state=Sending(1))])
    text = b"report"
    first, second = (side.job(name, content=text, report=True) for name in ("r1", "r2"))
    await side.queue.settle(claim, Failed(1, 5.0, NO), [first, second])
    claims = await side.queue.claim(9, size=MUCH)
    await side.queue.settle(claims[0], Sent(1, 5.0, "0100-1"))
    await side.queue.settle(claims[1], Queued(1, 5.0, DOWN))
    (again,) = await side.queue.claim(9, size=MUCH)
    assert (again.job.id, again.job.mail.content) == ("r2", text)


# Newer mail in the place of older.

CODE = Choice("SignIn", "SignIn", supersedes=True)


async def test_newer_mail_supersedes_what_waits_for_the_same_recipients(
    side: Side,
) -> None:
    waiting = Queued(2, side.queue.now(), DOWN, maybe_sent=True)
    to = ("c@d.example", "e@F.example")
    await side.queue.put([side.job("k1", state=waiting, to=to, choice=CODE)])
    turned = ("e@f.EXAMPLE", "c@d.example")
    _, replaced = await side.queue.put([side.job("k2", to=turned, choice=CODE)])
    over = replaced[0].state
    assert replaced == [Replaced(MailId("k1"), 0, "SignIn", to, over)]
    assert (over.attempts, over.maybe_sent) == (2, True)
    assert side.states()[0] == over
    assert side.look()[0].mail.content == b""
    claims = await side.queue.claim(9, size=MUCH)
    assert [claim.job.id for claim in claims] == ["k2"]
    assert side.queue.figures() == Figures(0, 1)


@pytest.mark.parametrize(
    ("to", "choice"),
    [
        (("C@d.example",), CODE),  # a local part may tell cases apart
        (("c@d.example", "x@d.example"), CODE),
        (("c@d.example",), replace(CODE, usage="Register")),
        (("c@d.example",), replace(CODE, supersedes=False)),
    ],
)
async def test_other_mail_supersedes_nothing(
    side: Side, to: tuple[str, ...], choice: Choice
) -> None:
    await side.queue.put([side.job("k1", choice=CODE)])
    _, replaced = await side.queue.put([side.job("k2", to=to, choice=choice)])
    assert replaced == []
    assert len(await side.queue.claim(9, size=MUCH)) == 2


async def test_what_is_being_sent_is_superseded_only_when_it_would_wait(
    side: Side,
) -> None:
    claims, _ = await side.queue.put(
        [side.job("k1", state=Sending(1), choice=CODE)],
    )
    others, _ = await side.queue.put(
        [side.job("k2", state=Sending(1), to=("x@d.example",), choice=CODE)]
    )
    newer = [
        side.job("k3", choice=CODE),
        side.job("k4", to=("x@d.example",), choice=CODE),
    ]
    assert (await side.queue.put(newer))[1] == []
    came_to = await side.queue.settle(claims[0], Queued(1, 5.0, DOWN, maybe_sent=True))
    assert isinstance(came_to, Superseded)
    assert (came_to.attempts, came_to.maybe_sent) == (1, True)
    sent = Sent(1, 5.0, "0100-1")
    assert await side.queue.settle(others[0], sent) == sent
    assert side.states()[:2] == [came_to, sent]
    assert side.queue.figures().waiting == 2


# What SES' own events prove to be sent.

UNSEEN = Queued(1, 5.0, DOWN, maybe_sent=True)
TOOK = "0100-took"


def proof(*to: str, mail_id: str = "k1") -> Proof:
    return Proof(MailId(mail_id), TOOK, frozenset(to or ("c@d.example",)))


async def test_what_ses_proves_to_have_taken_is_sent_and_not_tried_again(
    side: Side,
) -> None:
    content = b"x" * 5000
    put = side.job(state=UNSEEN, to=("C@D.example", "e@f.example"), content=content)
    await side.queue.put([put, side.job("k2")])
    ended = await side.queue.confirm(proof("c@d.example", "e@f.example"))
    assert ended is not None
    assert isinstance(ended.state, Sent)
    assert ended == put._replace(state=Sent(1, ended.state.at, TOOK))
    assert ended.state.at == pytest.approx(side.queue.now(), abs=60)
    left = [(job.id, job.mail.content) for job in side.look()]
    assert left == ([("k1", b"")] if side.keeps_ended else []) + [("k2", CONTENT)]
    claims = await side.queue.claim(9, size=MUCH)
    assert [claim.job.id for claim in claims] == ["k2"]
    # As often as SES tells of it.
    assert await side.queue.confirm(proof("c@d.example", "e@f.example")) is None


async def test_figures_do_not_count_what_ses_proves_to_have_taken(side: Side) -> None:
    await side.queue.put([side.job(state=UNSEEN), side.job("k2")])
    heard: list[int] = []
    side.queue.on_change(lambda: heard.append(1))
    await side.queue.confirm(proof())
    assert side.queue.figures().waiting == 1
    assert heard != []


@pytest.mark.parametrize(
    "given",
    [
        proof("x@d.example"),
        proof("c@d.example", "x@d.example"),  # another call of it had more
        proof(mail_id="k"),
        proof(mail_id="k1.0"),
        proof(mail_id="k1.0.r0"),
    ],
    ids=["another recipient", "one more", "another id", "a name", "a report"],
)
async def test_a_proof_of_other_mail_ends_nothing(side: Side, given: Proof) -> None:
    put = side.job(state=UNSEEN)
    await side.queue.put([put])
    assert await side.queue.confirm(given) is None
    assert side.look() == [put]


@pytest.mark.parametrize(
    "state",
    [Queued(1, 5.0, DOWN), Failed(1, 5.0, NO, maybe_sent=True)],
    ids=lambda state: type(state).__name__,
)
async def test_only_what_waits_and_may_have_been_sent_is_ended_by_a_proof(
    side: Side, state: State
) -> None:
    put = side.job(state=state)
    await side.queue.put([put])
    assert await side.queue.confirm(proof()) is None
    assert side.look() == [put]


async def test_a_proof_changes_nothing_under_an_attempt_and_comes_again(
    side: Side,
) -> None:
    (first,), _ = await side.queue.put([side.job(state=Sending(1))])
    with pytest.raises(NotYet):
        await side.queue.confirm(proof())
    assert side.states() == [Sending(1)]
    due = side.queue.now()
    await side.queue.settle(first, Queued(1, due, DOWN, maybe_sent=True))
    (again,) = await side.queue.claim(1, size=MUCH)
    with pytest.raises(NotYet):
        await side.queue.confirm(proof())
    # A later attempt's own end is as good as any.
    deferred = Queued(2, due + LATER, DOWN, maybe_sent=True)
    assert await side.queue.settle(again, deferred) == deferred
    ended = await side.queue.confirm(proof())
    assert ended is not None
    assert isinstance(ended.state, Sent)
    assert ended.state == Sent(2, ended.state.at, TOOK)


async def test_of_several_calls_the_one_whose_recipients_they_were_is_ended(
    side: Side,
) -> None:
    content = b"x" * 5000
    people = [("a@d.example",), ("b@d.example", "c@d.example"), ("e@d.example",)]
    calls = [
        side.job(number=number, state=Sending(1), to=to, content=content)
        for number, to in enumerate(people)
    ]
    claims, _ = await side.queue.put(calls)
    await side.queue.settle(claims[0], Sent(1, 5.0, "0100-1"))
    for claim in claims[1:]:
        await side.queue.settle(claim, Queued(1, 5.0, DOWN, maybe_sent=True))
    assert await side.queue.confirm(proof("a@d.example")) is None
    ended = await side.queue.confirm(proof("b@d.example", "c@d.example"))
    assert ended is not None
    assert (ended.number, ended.mail.content) == (1, content)
    (again,) = await side.queue.claim(9, size=MUCH)
    assert (again.job.number, again.job.mail.content) == (2, content)
    await side.queue.settle(again, Sent(2, 6.0, "0100-2"))
    left = [b"", b"", b""] if side.keeps_ended else []
    assert [job.mail.content for job in side.look()] == left


async def test_of_two_calls_to_the_same_people_a_proof_ends_neither(side: Side) -> None:
    # As a guard makes them that redirects mail to who gets it anyway.
    calls = [
        side.job(number=number, state=UNSEEN, content=b"x" * (9 + number))
        for number in range(2)
    ]
    for one in calls:
        await side.queue.put([one])
    assert await side.queue.confirm(proof()) is None
    assert len(await side.queue.claim(9, size=MUCH)) == 2


async def test_mail_at_its_end_that_ses_took_does_not_fail(side: Side) -> None:
    await side.queue.put([side.job(ends_in=-1, state=UNSEEN)])
    (over,) = await side.queue.expired(9)
    assert await side.queue.confirm(proof()) is not None
    report = side.job("r1", report=True)
    assert await side.queue.settle(over, Failed(1, 9.0, NO), [report]) is None
    assert side.ids() == ["k1"]


# What is told about it.


async def test_figures_count_what_waits_and_what_is_being_sent(side: Side) -> None:
    queue = side.queue
    assert queue.figures() == Figures(0, 0)
    assert queue.due_in() is None
    later = Queued(1, queue.now() + LATER, DOWN)
    claims, _ = await queue.put(
        [
            side.job("k1", state=Sending(1)),
            side.job("k2"),
            side.job("k3", state=later),
        ]
    )
    assert (queue.figures().waiting, queue.figures().sending) == (2, 1)
    assert queue.due_in() == 0.0
    claims = [*claims, *await queue.claim(9, size=MUCH)]
    assert (queue.figures().waiting, queue.figures().sending) == (1, 2)
    assert LATER - 100 < (queue.due_in() or 0) <= LATER
    await queue.settle(claims[0], Sent(1, 5.0, "0100-1"))
    await queue.settle(claims[1], Failed(1, 5.0, NO))
    assert (queue.figures().waiting, queue.figures().sending) == (1, 0)


async def test_whoever_waits_hears_that_mail_is_due_sooner(side: Side) -> None:
    heard: list[float | None] = []
    side.queue.on_change(lambda: heard.append(side.queue.due_in()))
    await side.queue.put([side.job("k1", state=Queued(1, side.queue.now() + LATER))])
    assert (heard[-1] or 0) > LATER - 100
    (claim,), _ = await side.queue.put([side.job("k2", state=Sending(1))])
    await side.queue.settle(claim, Queued(1, side.queue.now(), DOWN))
    assert heard[-1] == 0.0


async def test_its_clock_goes_forward_and_tells_unix_time(side: Side) -> None:
    at = side.queue.now()
    assert side.queue.now() >= at
    unix = side.queue.unix(at)
    assert side.queue.unix(at + 60) == pytest.approx(unix + 60)


# Mail that is to be sent later.


def later(side: Side, mail_id: str, seconds: float, *, age: float = 0.0) -> Job:
    """A mail that came `age` seconds ago, to be sent `seconds` from now."""
    at = side.queue.now() + seconds
    return side.job(mail_id, age=age)._replace(state=Queued(0, at), send_at=at)


async def test_what_is_to_be_sent_later_is_not_due_nor_old(side: Side) -> None:
    await side.queue.put([later(side, "k1", 50)])
    assert not side.queue.is_due()
    assert side.queue.due_in() == pytest.approx(50, abs=2)
    assert side.queue.figures() == Figures(1, 0, None)
    assert list(await side.queue.claim(5, size=MUCH)) == []
    (kept,) = side.look()
    assert kept.began == kept.send_at == pytest.approx(side.queue.now() + 50, abs=2)


async def test_what_is_to_be_sent_later_waits_on_when_all_else_becomes_due(
    side: Side,
) -> None:
    soon = side.queue.now() + 50
    waiting = [
        side.job(f"k{number}")._replace(state=Queued(1, soon)) for number in range(3)
    ]
    await side.queue.put([waiting[0], later(side, "s1", 50), *waiting[1:]])
    await side.queue.put([later(side, "s2", 40)])
    await side.queue.due_now()
    claims = await side.queue.claim(9, size=MUCH)
    assert [claim.job.id for claim in claims] == ["k0", "k1", "k2"]


async def test_its_age_counts_from_its_time_and_not_from_its_coming(
    side: Side,
) -> None:
    await side.queue.put([later(side, "late", -10, age=90), side.job("k", age=20)])
    claims = await side.queue.claim(9, size=MUCH)
    assert [claim.job.id for claim in claims] == ["k", "late"]
