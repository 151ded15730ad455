"""Rows that this release cannot read, as another one or a bad disk left them."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from relay.model.job import Job, Queued, Sending
from relay.model.replies import NO_CONTENT, unreadable
from relay.model.submission import MailId
from relay.queue import file
from relay.queue.admin import open_ledger
from relay.queue.selection import Selection
from tests.fake_ses import FakeSes
from tests.server.relay_process import running_relay, until
from tests.server.spool import calls, failed, mail, put, spool
from tests.server.test_queue_command import answer, queue_command
from tests.server.test_queue_disk import spooled, states, submit

# What a column holds, and how the mail then fails. Texts are no JSON, of a later
# release, of another type, or no UTF-8.
UNREADABLE = {
    """choice = '{"usage": "SignIn", "priority": "high"}'""": "choice",
    """choice = '{"usage": 7}'""": "choice",
    "choice = '['": "choice",
    """choice = '{"valid_for": "long"}'""": "choice",
    """choice = '{"variables": [1]}'""": "choice",
    """options = '{"reply_to": "x"}'""": "options",
    """options = '{"tags": [["a"]]}'""": "options",
    """options = '{"list_management": 5}'""": "options",
    f"options = '{'[' * 100_000}'": "options",
    "recipients = 'c@d.example'": "recipients",
    "recipients = '[]'": "recipients",
    "recipients = '[null]'": "recipients",
    "recipients = x'ff'": "recipients",
    "recipients = CAST(x'ff' AS TEXT)": "text",
    "id = CAST(x'ff' AS TEXT)": "text",
    "sender = x'41'": "sender",
    "number = 'one'": "number",
    "attempts = 'many'": "attempts",
    "due = 'soon'": "times",
    "expires_at = 'never'": "times",
    "accepted_at = x'00'": "times",
    "expires_at = 1e300": "expires_at",
}


def spoil(path: Path, mail_id: str, how: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        changed = connection.execute(f"UPDATE job SET {how} WHERE id = ?", (mail_id,))
        assert changed.rowcount == 1


async def lines(directory: Path) -> list[tuple[str, str | None]]:
    """State and last reply of each mail, as `relay queue list` has them."""
    found = await asyncio.to_thread(answer, directory, "list")
    return [(one["state"], one["lastReply"]) for one in found]


@pytest.mark.parametrize("how", UNREADABLE)
async def test_a_row_that_cannot_be_read_is_set_aside_and_the_rest_goes_on(
    tmp_path: Path, how: str
) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        first = await put(queue, mail(), due_in=-2)
        await put(queue, mail("ann@example.com"), due_in=-1)
    spoil(path, first, how)
    with open_ledger(path, write=False) as ledger:
        assert len(list(ledger.entries(Selection()))) == 2
        to = list(ledger.entries(Selection(recipient="ann@example.com")))
        assert len(to) == (1 if how.startswith("recipients") else 2)
    async with spool(path) as queue:
        claims = await queue.claim(9, size=10**6)
        assert [claim.job.mail.envelope.recipients for claim in claims] == [
            ("ann@example.com",)
        ]
        assert await queue.claim(9, size=10**6) == []
        assert (queue.figures().waiting, queue.figures().sending) == (0, 1)
    with open_ledger(path, write=False) as ledger:
        (entry,) = ledger.entries(Selection(states=("failed",)))
    assert entry.last == str(unreadable(UNREADABLE[how]))
    if not how.startswith("recipients"):
        assert entry.job.mail.envelope.recipients == ("ann@example.com",)


async def test_a_row_of_a_later_release_stops_no_start_and_can_be_retried_by_that(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    later = (
        """choice = '{"usage": "SignIn", "later": 1}', recipients = '["x@y.example"]'"""
    )
    async with spool(path) as queue:
        ids = [await put(queue, mail("x@y.example"), due_in=0) for _ in range(60)]
    for mail_id in ids[:-1]:
        spoil(path, mail_id, later)
    async with FakeSes() as ses:

        def work() -> None:
            settings = spooled(ses, tmp_path)
            with running_relay("-c", os.devnull, settings=settings) as relay:
                until(lambda: sorted(set(states(tmp_path))) == ["failed", "sent"])
                aside = relay.event("set aside")
                assert aside["level"] == "error"
                assert (aside["id"], aside["reply"]) == (
                    ids[0],
                    "554 5.3.0 This release cannot read the spool's choice",
                )
                assert submit(relay.port(), "after")[0] == 250
                # Retried in vain, it is set aside again.
                found = queue_command(tmp_path, "retry", ids[0])
                assert (found.returncode, found.stderr) == (0, "")
                relay.event(
                    "set aside",
                    lambda one: one["id"] == ids[0] and one is not aside,
                )
                shown = queue_command(tmp_path, "show", ids[0]).stdout
                assert "  recipient:          x@y.example\n" in shown
                assert "  usage:              \n" not in shown
                found = queue_command(tmp_path, "drop", ids[1])
                assert (found.returncode, found.stdout) == (0, "dropped 1 mail\n")
                assert relay.stop() == 0
                assert "Traceback" not in "".join(relay.stderr)

        await asyncio.to_thread(work)
        assert len(ses.sent) == 2
    # The release that knows it finds it as it was.
    for mail_id in ids[:-1]:
        if mail_id != ids[1]:
            spoil(path, mail_id, """choice = '{"usage": "SignIn"}'""")
    with open_ledger(path, write=True) as ledger:
        revived = list(ledger.retry(Selection(states=("failed",)), give_up_after=60))
    assert len(revived) == 58
    async with spool(path) as queue:
        claims = await queue.claim(99, size=10**6)
        assert {claim.job.mail.choice.usage for claim in claims} == {"SignIn"}
        assert len(claims) == 58


@pytest.mark.parametrize(
    "how",
    [
        "DELETE FROM content",
        "UPDATE content SET bytes = ''",
        "UPDATE content SET bytes = substr(bytes, 1, 9)",
        "UPDATE content SET bytes = CAST(bytes AS TEXT)",
        "UPDATE job SET size = 'large'",
    ],
)
async def test_mail_without_its_whole_content_is_never_sent_and_its_sender_is_told(
    tmp_path: Path, how: str
) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        await put(queue, *calls(2), due_in=0)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(how)
    async with FakeSes() as ses:
        settings = spooled(ses, tmp_path, RELAY_QUEUE__REPORT_FROM="relay@acme.example")

        def work() -> None:
            with running_relay("-c", os.devnull, settings=settings) as relay:
                until(lambda: states(tmp_path) == ["failed", "failed", "sent", "sent"])
                relay.event("content missing")
                assert relay.stop() == 0

        await asyncio.to_thread(work)
        # What SES got are the reports.
        assert [b"report-type=delivery-status" in one.mail for one in ses.sent] == [
            True,
            True,
        ]
    said = f"554 5.4.7 Delivery time expired; last: {NO_CONTENT.text}"
    found = await lines(tmp_path)
    assert found[:2] == [("failed", said)] * 2


async def test_an_end_of_mail_that_cannot_be_read_holds_up_no_other(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        ids = [await put(queue, mail(), age=5 * 86_400.0) for _ in range(3)]
    spoil(path, ids[0], "options = 'no JSON'")
    async with spool(path) as queue:
        ended = await queue.expired(9)
        assert [claim.job.id for claim in ended] == ids[1:]
        assert queue.figures().waiting == 2
    with open_ledger(path, write=False) as ledger:
        states = [entry.job.state for entry in ledger.entries(Selection())]
    assert [isinstance(state, Queued) for state in states] == [False, True, True]


async def test_newer_mail_supersedes_what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    code = mail(usage="Code", supersedes=True)
    async with spool(path) as queue:
        old = await put(queue, code)
    spoil(path, old, "recipients = 'no JSON'")
    async with spool(path) as queue:
        new = await put(queue, code)
    with open_ledger(path, write=False) as ledger:
        found = {one.job.id: one for one in ledger.entries(Selection())}
    assert type(found[MailId(old)].job.state).__name__ == "Superseded"
    assert type(found[MailId(new)].job.state).__name__ == "Queued"


@pytest.mark.parametrize(
    "how",
    [
        "UPDATE job SET reply = 'gone'",
        "UPDATE job SET reply = '554 5.0.0 ' || char(955)",
        "UPDATE job SET ended_at = 'then'",
        "UPDATE job SET size = 'large'",
        "UPDATE job SET accepted_at = 'then'",
        "DELETE FROM clock",
        "UPDATE clock SET ahead = 'far', seen = 'never'",
    ],
)
async def test_what_has_ended_is_listed_and_swept_however_it_looks(
    tmp_path: Path, how: str
) -> None:
    path = tmp_path / "spool.db"
    async with spool(path) as queue:
        mail_id = await put(queue, mail(), end=failed(queue))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(how)
    for words in (["list", "--recipient", "example.com"], ["show", mail_id]):
        found = queue_command(tmp_path, *words)
        assert (found.returncode, found.stderr) == (0, "")
        assert "failed" in found.stdout
    async with spool(path) as queue:
        now = queue.now()
        job = Job(MailId("k"), 0, mail(), now, now + 60, Sending(1))
        claims, _ = await queue.put([job])
        await queue.house.look()
        await queue.house.check()
        assert len(claims) == 1
    with closing(file.opened(path, write=False)) as connection:
        assert connection.execute("SELECT count(*) FROM clock").fetchone()[0] == 1
