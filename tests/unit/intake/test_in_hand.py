"""Work on a submission that nobody's leaving ends."""

from __future__ import annotations

import asyncio
import time

import pytest

from relay.intake import in_hand
from relay.intake.in_hand import End, InHand
from relay.model.replies import INTERNAL, SHUTTING_DOWN
from relay.model.reply import Reply
from relay.model.submission import Envelope, Submission, new_id
from relay.observe.events import NotTaken

OK = Reply(250, "0.0", "Ok 1")


def submission() -> Submission:
    return Submission(
        id=new_id(),
        envelope=Envelope(None, ("ann@example.com",)),
        content=b"",
        peer="192.0.2.1",
        received_at=time.time(),
        listener="http",
    )


class Slow:
    """Accepts once `go` is set."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.began = 0
        self.ended = 0

    async def __call__(self, _: Submission) -> Reply:
        self.began += 1
        await self.go.wait()
        self.ended += 1
        return OK


async def test_a_cancelled_wait_ends_no_work() -> None:
    owner, accept = InHand(), Slow()
    waits = asyncio.create_task(owner.take(submission(), accept))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waits.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits
    assert (accept.began, accept.ended, len(owner)) == (1, 0, 1)
    accept.go.set()
    await owner.drained()
    assert (accept.ended, len(owner)) == (1, 0)


async def test_who_waits_no_longer_than_a_time_hears_nothing_of_it() -> None:
    owner, accept = InHand(), Slow()
    now = asyncio.get_running_loop().time()
    assert await owner.take(submission(), accept, before=now) is None
    accept.go.set()
    await owner.drained()
    assert accept.ended == 1


async def test_the_end_comes_with_what_was_told_of_it() -> None:
    owner = InHand()
    mail, other = submission(), submission()
    told = NotTaken(mail, SHUTTING_DOWN, 0.1)

    async def accept(_: Submission) -> Reply:
        owner(NotTaken(other, SHUTTING_DOWN, 0.1))
        owner(told)
        return SHUTTING_DOWN

    assert await owner.take(mail, accept) == End(SHUTTING_DOWN, told)
    owner(told)  # nobody waits any more
    assert await owner.take(other, _ok) == End(OK, None)


async def _ok(_: Submission) -> Reply:
    return OK


async def test_a_bug_in_one_mail_is_that_mail_s(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(_: Submission) -> Reply:
        raise RuntimeError("secret")

    assert await InHand().take(submission(), broken) == End(INTERNAL, None)
    assert [record.message for record in caplog.records] == ["mail broken"]
    assert "secret" not in caplog.text


async def test_there_is_a_number_of_mails_at_one_time() -> None:
    owner, accept = InHand(most=2), Slow()
    waits = [asyncio.create_task(owner.take(submission(), accept)) for _ in range(2)]
    await asyncio.sleep(0)
    assert owner.obstacle == in_hand.TOO_MANY
    accept.go.set()
    await asyncio.gather(*waits)
    assert owner.obstacle == ""
    await owner.drained()
    assert owner.obstacle == in_hand.STOPPING


async def test_time_that_is_over_cuts_work_off() -> None:
    owner, accept = InHand(), Slow()
    waits = asyncio.create_task(owner.take(submission(), accept))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await owner.drained()
    assert accept.ended == 0
    with pytest.raises(asyncio.CancelledError):
        await waits
