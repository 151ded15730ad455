"""A worker, redrive, and mail of several calls over a shared queue."""

from __future__ import annotations

import asyncio
import smtplib
import time
import urllib.request

from relay.fleet import keys
from relay.fleet import record as records
from relay.fleet.record import Standing
from relay.model.job import Job, Queued
from relay.model.mail import Mail
from relay.model.submission import Envelope, new_id
from tests.fake_ses import FakeSes, error
from tests.fleet.emulators import Emulator, client
from tests.fleet.faults import faults
from tests.fleet.long.test_people import listed
from tests.fleet.relays import NO_FILE, await_empty, sharing
from tests.server.relay_process import running_relay
from tests.server.test_queue_disk import names, submit

DOWN = error("TooManyRequestsException", 429, "Maximum sending rate exceeded")


async def test_a_worker_sends_what_others_queued_and_takes_no_mail(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    async with FakeSes(DOWN) as ses:
        taking = sharing(ses, place, RELAY_QUEUE__RETRY_DELAYS="[1]")

        def work() -> None:
            with running_relay(*NO_FILE, settings=taking) as one:
                assert submit(one.port(), "k1")[1].startswith(b"2.0.0 queued as ")
                assert one.stop() == 0
            with running_relay(*NO_FILE, settings=taking, command="worker") as worker:
                await_empty(place)
                port = worker.port("health")
                found = urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz")
                with found as answer:
                    assert answer.read() == b"ready\n"
                listening = [one["listener"] for one in worker.events("listening", 1)]
                assert listening == ["health"]
                assert worker.stop() == 0

        await asyncio.to_thread(work)
        assert names(ses) == ["k1", "k1"]


async def test_redrive_brings_back_mail_whose_hint_was_lost(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    now = time.time()
    mail = Mail(
        Envelope("a@b.example", ("c@d.example",)), b"Message-ID: <k1@b.example>"
    )
    lost = Job(new_id(), 0, mail, now, now + 600, Queued(0, now))
    client(emulator.endpoint, "s3").put_object(
        Bucket=place.bucket,
        Key=place.prefix + keys.mail_key(keys.name_of(lost)),
        Body=records.record(lost, Standing(Queued(0, now)), now=now),
    )
    async with FakeSes() as ses:
        settings = sharing(ses, place)

        def work() -> None:
            with running_relay(*NO_FILE, settings=settings, command="worker") as one:
                assert listed(settings, "redrive") == {
                    "looked": 1,
                    "hinted": 1,
                    "left": 0,
                }
                await_empty(place)
                assert one.stop() == 0

        await asyncio.to_thread(work)
        assert len(ses.sent) == 1


async def test_mail_of_several_calls_is_kept_before_the_first_and_gone_after_the_last(
    emulator: Emulator,
) -> None:
    async with faults(emulator.endpoint) as proxy, FakeSes() as ses:
        place = emulator.place(proxy.url)
        settings = sharing(ses, place, RELAY_QUEUE__ANSWER_WITHIN="30")

        def work() -> list[bytes]:
            with running_relay(*NO_FILE, settings=settings) as one:
                taken = _to_many(one.port())
                await_empty(place)
                assert len(proxy.named("S3 PUT mail")) == 2
                assert len(proxy.named("S3 PUT content")) == 1
                proxy.fate = lambda name: "403" if name == "S3 PUT mail" else "pass"
                before = len(ses.sent)
                refused = _to_many(one.port())
                assert len(ses.sent) == before  # so that no 451 follows a call
                proxy.fate = lambda name: "pass"
                ses.answers.extend([DOWN, DOWN])
                kept = _to_many(one.port())
                await_empty(place)
                assert one.stop() == 0
            return [taken, refused, kept]

        taken, refused, kept = await asyncio.to_thread(work)
    assert taken.startswith(b"250 2.0.0 Ok ")
    assert refused == b"451 4.3.0 The mail cannot be kept now, try again later"
    assert kept.startswith(b"250 2.0.0 queued as ")
    assert len(ses.sent) == 2 + 4


def _to_many(port: int) -> bytes:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
        smtp.ehlo()
        smtp.mail("a@b.example")
        for number in range(60):
            smtp.rcpt(f"c{number}@d.example")
        code, text = smtp.data(b"From: a@b.example\r\n\r\nhello\r\n")
        return b"%d %b" % (code, text)
