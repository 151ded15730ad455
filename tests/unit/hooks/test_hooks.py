"""How an endpoint that fails is treated; a real HTTP server is at the other end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import get_args

import pytest

from relay.config import webhooks
from relay.hooks.courier import MOST_FAILURES, Courier, rest_after
from relay.hooks.endpoint import Endpoint, Reach
from relay.hooks.hooks import MOST_UNWRITTEN, Hooks
from relay.hooks.post import LONGEST_WAIT, Post
from relay.hooks.told import FEEDBACK, told
from relay.model.feedback import Feedback, Kind, Recipient
from relay.model.hook import DELAYS, Hook
from relay.model.job import Job, Sent
from relay.model.mail import Mail
from relay.model.outcome import Accepted
from relay.model.submission import Envelope, MailId
from relay.observe.events import Attempted, FedBack, Settled
from relay.observe.webhook import WebhookFigures
from relay.queue.memory_hooks import MemoryHooks
from tests.server.receiver import SECRET, Answer, Receiver, receiving

SENT = Attempted(
    MailId("k3v9"),
    0,
    Mail(Envelope("a@b.example", ("c@d.example",)), b""),
    1,
    Accepted("0100"),
    0.1,
)


def endpoint(receiver: Receiver, *words: str, addresses: bool = False) -> Endpoint:
    place = webhooks.place(receiver.url)
    return Endpoint(
        "app",
        place.secure,
        place.host,
        place.port,
        place.authority,
        place.path,
        tuple(webhooks.keys(SECRET)),
        frozenset(words or ("sent",)),
        addresses,
        Reach.ANY,
    )


@asynccontextmanager
async def courier(
    receiver: Receiver,
    *,
    rest_after: Callable[[int], float] = lambda failures: 0.0,
    delays: tuple[float, ...] = (0.0,) * 100,
) -> AsyncIterator[tuple[Courier, MemoryHooks, WebhookFigures]]:
    """One that runs; what came of its events is written as soon as it is there."""
    store = MemoryHooks(now=time.monotonic)
    figures = WebhookFigures("app")
    some, over = asyncio.Event(), asyncio.Event()
    one = endpoint(receiver)
    made = Courier(
        one,
        store,
        Post(one),
        figures,
        on_end=some.set,
        rest_after=rest_after,
        delays=delays,
    )

    async def write() -> None:
        while True:
            await some.wait()
            some.clear()
            ended, later = list(made.ended), list(made.later)
            await store.keep((), ended=ended, later=later)
            made.written(ended, later)
            made.wake()

    running = asyncio.create_task(made.run(over))
    writing = asyncio.create_task(write())
    try:
        yield made, store, figures
    finally:
        over.set()
        made.wake()
        await running
        writing.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - another thread tells
            await asyncio.sleep(0.005)


async def put(store: MemoryHooks, made: Courier, *names: str) -> None:
    await store.keep([Hook(name, "app", "{}", 0.0, store.now()) for name in names])
    made.wake()


async def test_after_30_failures_in_a_row_it_is_told_nothing_more() -> None:
    with receiving() as receiver:
        receiver.usual = Answer(500)
        async with courier(receiver) as (made, store, figures):
            await put(store, made, "a")
            await until(lambda: bool(figures.off))
            assert len(receiver.came) == MOST_FAILURES
            assert figures.off == "30 failures in a row: answered 500"
            await put(store, made, "c")
            await asyncio.sleep(0.1)
            assert len(receiver.came) == MOST_FAILURES
            assert store.waiting == {"app": 2}


async def test_a_success_ends_the_row() -> None:
    answers = [Answer(500)] * (MOST_FAILURES - 1) + [Answer()]
    with receiving(*answers, *answers) as receiver:
        async with courier(receiver) as (made, store, figures):
            await put(store, made, "a", "b")
            await until(lambda: figures.told == 2)
            assert (figures.off, figures.failures) == ("", 0)
            assert figures.failed == 2 * (MOST_FAILURES - 1)
            await until(lambda: store.waiting == {"app": 0})


async def test_an_event_is_given_up_after_all_its_attempts() -> None:
    with receiving() as receiver:
        receiver.usual = Answer(400)
        async with courier(receiver, delays=(0.0, 0.0)) as (made, store, figures):
            await put(store, made, "a")
            await until(lambda: figures.given_up == 1)
            await until(lambda: store.waiting == {"app": 0})
            assert [one.id for one in receiver.came] == ["a"] * 3


async def test_while_it_rests_nothing_is_sent_and_of_many_under_way_one_counts() -> (
    None
):
    with receiving() as receiver:
        receiver.usual = Answer(503)
        async with courier(receiver, rest_after=lambda _: 3600.0) as (
            made,
            store,
            figures,
        ):
            await put(store, made, *map(str, range(10)))
            await until(lambda: figures.failed == 10)
            assert figures.failures == 1
            await put(store, made, "more")
            await asyncio.sleep(0.1)
            assert len(receiver.came) == 10
            receiver.usual = Answer()
            made.again()
            await until(lambda: figures.told == 11)


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("120", 120.0),
        ("999999999", LONGEST_WAIT),
        ("Thu, 01 Jan 1970 00:18:40 GMT", 120.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
async def test_what_retry_after_asks_for_is_heeded(asked: str, waits: float) -> None:
    with receiving(Answer(429, {"Retry-After": asked})) as receiver:
        post = Post(endpoint(receiver), now=lambda: 1000.0)
        try:
            result = await post.send(Hook("a", "app", "{}", 0.0, 0.0))
        finally:
            await post.close()
        assert (result.told, result.detail, result.wait) == (
            False,
            "answered 429",
            waits,
        )


def test_the_rest_grows_to_an_hour_so_that_30_failures_take_most_of_a_day() -> None:
    rests = [rest_after(n) for n in range(1, MOST_FAILURES + 1)]
    assert 4 <= rests[0] <= 6
    assert max(rests) <= 3600 * 1.2
    assert sum(rests[:-1]) > 3600 * 14
    assert sum(DELAYS) > 3 * 86_400


async def test_what_comes_while_the_spool_takes_nothing_is_bounded_and_said() -> None:
    with receiving() as receiver:
        hooks = Hooks(MemoryHooks(now=time.monotonic))
        hooks.take([endpoint(receiver)])
        for _ in range(MOST_UNWRITTEN + 3):
            hooks(SENT)
        [figures] = hooks.figures()
        assert (figures.waiting, figures.lost) == (MOST_UNWRITTEN, 3)


FACT = Feedback(
    "bounce",
    "0100-abc",
    1_700_000_000.0,
    MailId("k3v9"),
    (Recipient("c@d.example", "5.1.1", "smtp; 550 no c@d.example here"),),
    type="Permanent",
    subtype="General",
    usage="SignIn",
)


async def test_what_ses_says_later_has_one_id_however_often_it_comes() -> None:
    store = MemoryHooks(now=time.monotonic)
    hooks, stopping = Hooks(store), asyncio.Event()
    with receiving() as receiver:
        hooks.take([endpoint(receiver, "bounced")])
        running = asyncio.create_task(hooks.run(stopping))
        hooks(FedBack(MailId("k3v9"), FACT))
        hooks(FedBack(MailId("k3v9"), FACT))
        hooks(SENT)
        await until(lambda: len(receiver.came) == 2)
        stopping.set()
        await running
        await hooks.close()
        assert len({one.id for one in receiver.came}) == 1
        assert receiver.came[0].event == {
            "type": "mail.bounced",
            "timestamp": "2023-11-14T22:13:20Z",
            "data": {
                "id": "k3v9",
                "messageId": "0100-abc",
                "usage": "SignIn",
                "recipientCount": 1,
                "statuses": ["5.1.1"],
                "bounce": "Permanent/General",
            },
        }


def test_mail_that_ses_proves_to_have_taken_is_told_to_be_sent() -> None:
    job = Job(SENT.id, 1, SENT.mail, 0.0, 9.0, Sent(2, 5.0, "0100"))
    found = told(Settled(job, Sent(2, 5.0, "0100"), None), taken="sent")
    assert found is not None
    by_an_answer = told(SENT._replace(number=1, attempt=2), taken="sent")
    assert by_an_answer is not None
    assert found.word == "sent"
    there = {name: value for name, value in found.facts.items() if value}
    assert there == {n: value for n, value in by_an_answer.facts.items() if value}
    assert found.people == by_an_answer.people
    # Of an answer its attempt tells.
    assert told(Settled(job, Sent(2, 5.0, "0100"), Accepted("0100")), taken="") is None


def test_the_link_of_a_click_is_told_to_nobody() -> None:
    click = Feedback(
        "click",
        "0100",
        1.0,
        recipients=(Recipient("c@d.example"),),
        link="https://acme.example/reset?token=424242",
    )
    found = told(FedBack(MailId("k3v9"), click), taken="sent")
    assert found is not None
    assert found.word == "clicked"
    assert "424242" not in repr(found)
    assert found.people["recipients"] == ["c@d.example"]


def test_each_word_of_feedback_can_be_asked_for() -> None:
    assert {FEEDBACK[kind] for kind in get_args(Kind)} <= set(get_args(webhooks.Word))
