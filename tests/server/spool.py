"""Spools for tests, filled through the relay's own queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from relay.model.job import Failed, Job, Queued, Sending, Sent
from relay.model.mail import Choice, Mail, Priority, SendOptions
from relay.model.reply import Reply
from relay.model.submission import Envelope, new_id
from relay.queue import End
from relay.queue.sqlite import SqliteQueue, open_spool

DENIED = Reply(554, "7.1", "Access denied")
UNREACHABLE = Reply(451, "4.1", "SES cannot be reached")
SECRET = b"Subject: code 424242\r\n\r\n424242\r\n"
DAY = 86_400.0


@asynccontextmanager
async def spool(path: Path) -> AsyncIterator[SqliteQueue]:
    async with open_spool(path, keep_sent=3600, keep_failed=14 * DAY) as queue:
        yield queue


def mail(
    *recipients: str,
    usage: str = "",
    content: bytes = SECRET,
    valid_for: float | None = None,
    supersedes: bool = False,
) -> Mail:
    return Mail(
        Envelope("app@acme.example", recipients or ("ann@example.com",)),
        content,
        SendOptions(tags=(("usage", usage),)) if usage else SendOptions(),
        Choice(usage, usage, "", valid_for, supersedes),
    )


async def put(
    queue: SqliteQueue,
    *mails: Mail,
    age: float = 0.0,
    due_in: float = 600.0,
    end: End | str = "queued",
    attempts: int = 1,
) -> str:
    """Enter a submission of one call per mail; give its id.

    `end`: "queued", "sending", or what the attempt on each call comes to.
    """
    now = queue.now()
    mail_id = new_id()
    waits = end == "queued"
    jobs = [
        Job(
            mail_id,
            number,
            one,
            now - age,
            now - age + 4 * DAY,
            Queued(attempts, now + due_in, DENIED) if waits else Sending(attempts),
        )
        for number, one in enumerate(mails)
    ]
    claims, _ = await queue.put(jobs)
    if not isinstance(end, str):
        for claim in claims:
            await queue.settle(claim, end)
    return mail_id


def waits(
    queue: SqliteQueue,
    last: Reply | None,
    *,
    age: float = 0.0,
    due_in: float = 600.0,
    account: str = "",
    priority: Priority = Priority.NORMAL,
    later: bool = False,
    to: str = "ann@example.com",
) -> Job:
    """A call that waits; `last` is what its latest attempt came to."""
    now = queue.now()
    return Job(
        new_id(),
        0,
        Mail(
            Envelope("app@acme.example", (to,)),
            b"x",
            SendOptions(account=account),
            Choice(priority=priority),
        ),
        now - age,
        now + 90_000,
        Queued(0 if last is None else 1, now + due_in, last),
        send_at=now + due_in if later else None,
    )


def failed(queue: SqliteQueue, *, maybe_sent: bool = False) -> Failed:
    return Failed(3, queue.now(), DENIED, maybe_sent)


def sent(queue: SqliteQueue) -> Sent:
    return Sent(1, queue.now(), "0100-abc")


async def one_of_each(path: Path) -> dict[str, str]:
    """A stopped relay's spool with a mail in each state; their ids by state.

    The one in `sending` is what a crash leaves.
    """
    ids: dict[str, str] = {}
    async with spool(path) as queue:
        code = mail("eve@example.com", usage="Code", supersedes=True)
        ids["superseded"] = await put(queue, code)
        ids["sent"] = await put(queue, code, end=sent(queue))
        ids["failed"] = await put(
            queue, mail("bob@mail.example"), age=2 * DAY, end=failed(queue)
        )
        ids["queued"] = await put(queue, mail(usage="SignIn"), age=3600)
        ids["sending"] = await put(queue, mail("dan@example.com"), end="sending")
    return ids


def calls(number: int, per_call: int = 2) -> Sequence[Mail]:
    """The calls of one large mail; they share its content."""
    return [
        mail(*(f"u{n}.{k}@example.com" for k in range(per_call))) for n in range(number)
    ]
