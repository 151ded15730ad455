"""A job as a row, and back: what the client asked of reports comes with it."""

from __future__ import annotations

import json
import sqlite3

import pytest

from relay.model.dsn import NOTHING_ASKED, Dsn
from relay.model.job import Job, Queued
from relay.model.mail import ListManagement, Mail, SendOptions
from relay.model.submission import Envelope, MailId
from relay.queue import rows

OPTIONS = SendOptions("set", tags=(("a", "b"),), list_management=ListManagement("l"))
ASKED = Dsn("QQ=1", True, ("a@b.example",), (("c@d.example", "rfc822;x@y.example"),))


def waiting(dsn: Dsn, options: SendOptions) -> Job:
    envelope = Envelope("app@acme.example", ("a@b.example", "c@d.example"), dsn)
    mail = Mail(envelope, b"content", options)
    return Job(MailId("k3v9"), 0, mail, 100.0, 1000.0, Queued(0, 100.0))


def row(job: Job) -> sqlite3.Row:
    """The row that is read where `job` was put."""
    names = rows.INSERT.partition("(")[2].partition(")")[0].split(",")
    found = dict(zip(map(str.strip, names), rows.columns(job, 1, 1, 0), strict=True))
    found.update(bytes=b"content", ended_at=None, message_id=None)
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    columns = ", ".join(f"? AS {name}" for name in found)
    read: sqlite3.Row = connection.execute(
        f"SELECT {columns}", tuple(found.values())
    ).fetchone()
    connection.close()
    return read


@pytest.mark.parametrize("options", [SendOptions(), OPTIONS])
@pytest.mark.parametrize(
    "dsn", [NOTHING_ASKED, ASKED, Dsn("x"), Dsn(unreported=("a@b.example",))]
)
def test_a_job_comes_back_as_it_was_put(dsn: Dsn, options: SendOptions) -> None:
    job = waiting(dsn, options)
    assert rows.job(row(job)) == job


def test_a_row_of_a_mail_that_asked_nothing_is_as_it_always_was() -> None:
    assert rows.columns(waiting(NOTHING_ASKED, SendOptions()), 1, 1, 0)[7] == "{}"
    kept = json.loads(rows.columns(waiting(NOTHING_ASKED, OPTIONS), 1, 1, 0)[7])
    assert sorted(kept) == ["configuration_set", "list_management", "tags"]
