"""The commands over a shared queue: worker and check."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from relay.fleet.aws import FleetSettings
from relay.fleet.checks import Line, checks
from tests.fake_ses import FakeSes
from tests.fleet.emulators import Emulator, client
from tests.fleet.faults import faults
from tests.fleet.patient import objects
from tests.fleet.relays import sharing
from tests.server.relay_process import environment


def relay(settings: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "relay", *words, "-c", os.devnull],
        env=environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def checked(settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """`relay check --online`, again where a slow machine had no answer in time."""
    while True:
        done = relay(settings, "check", "--online")
        if "no answer in time" not in done.stdout:
            return done


async def found_by_checks(place: FleetSettings) -> list[Line]:
    """What is found, by a machine that is slow as well."""
    while True:
        lines = await checks(place)
        if not any("no answer in time" in one.text for one in lines):
            return lines


def test_a_worker_needs_a_queue_that_relays_share() -> None:
    done = relay({"RELAY_SES__REGION": "eu-west-1"}, "worker")
    assert done.returncode == 2
    assert done.stderr.startswith('relay worker: queue.engine = "sqlite": a worker ')


async def test_check_online_tells_of_queue_and_bucket(emulator: Emulator) -> None:
    place = emulator.place()
    async with FakeSes() as ses:
        settings = sharing(ses, place)
        done = await asyncio.to_thread(checked, settings)
    lines = done.stdout.splitlines()
    assert f"ok: queue.url: {place.url}" in lines
    assert f"ok: queue.bucket: {place.bucket}, conditional writes below relay/" in lines
    assert "ok: queue.url: a hint was sent, received and deleted" in lines
    # Nothing is left: neither the objects that were tried, nor the hint.
    assert objects(place) == []
    assert _messages(place) == 0
    assert any(
        one.startswith("warning: queue.url: has no dead-letter") for one in lines
    )
    assert any("no lifecycle rule deletes" in one for one in lines)


async def test_check_online_gives_back_the_hints_of_mail_that_waits(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    sqs = client(place.endpoint_url, "sqs")
    for number in range(3):
        sqs.send_message(QueueUrl=place.url, MessageBody=f"{number}")
    lines = await found_by_checks(place)
    assert Line("ok", "queue.url: a hint was sent, received and deleted") in lines
    found = sqs.receive_message(QueueUrl=place.url, MaxNumberOfMessages=10)
    assert sorted(one["Body"] for one in found["Messages"]) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("denied", "said"),
    [
        ("S3 PUT state", "bucket: PutObject: 403 AccessDenied; grant s3:PutObject on "),
        ("S3 GET state", "bucket: GetObject: 403 AccessDenied; grant s3:GetObject on "),
        ("S3 DELETE state", "bucket: DeleteObject: 403 AccessDenied; grant s3:Delete"),
        ("S3 GET list", "bucket: ListObjectsV2: 403 AccessDenied; grant s3:ListBucket"),
        ("SQS GetQueueAttributes", "url: GetQueueAttributes: 403 AccessDenied; grant "),
        ("SQS SendMessageBatch", "url: SendMessageBatch: 403 AccessDenied; grant sqs:"),
        ("SQS ReceiveMessage", "url: ReceiveMessage: 403 AccessDenied; grant sqs:Rec"),
        ("SQS DeleteMessageBatch", "url: DeleteMessageBatch: 403 AccessDenied; grant "),
        (
            "SQS ChangeMessageVisibilityBatch",
            "url: ChangeMessageVisibilityBatch: 403 AccessDenied; grant sqs:ChangeMess",
        ),
    ],
)
async def test_check_online_names_each_permission_that_is_missing(
    emulator: Emulator, denied: str, said: str
) -> None:
    async with faults(emulator.endpoint) as proxy:
        proxy.fate = lambda name: "403" if name == denied else "pass"
        lines = await found_by_checks(emulator.place(proxy.url))
    problems = [one.text for one in lines if one.level == "problem"]
    assert len(problems) == 1
    assert problems[0].startswith(f"queue.{said}")


async def test_check_online_names_all_permissions_that_are_missing(
    emulator: Emulator,
) -> None:
    async with faults(emulator.endpoint) as proxy:
        proxy.fate = lambda name: "403"
        place = emulator.place(proxy.url)
        lines = await found_by_checks(place)
    grants = [
        one.text.partition("; grant ")[2] for one in lines if one.level == "problem"
    ]
    below = f"{place.bucket}/relay/*"
    assert grants == [
        "sqs:GetQueueAttributes on the queue",
        "sqs:SendMessage on the queue",
        "sqs:ReceiveMessage on the queue",
        "sqs:ChangeMessageVisibility on the queue",
        "sqs:DeleteMessage on the queue",
        f"s3:PutObject on {below}",
        f"s3:ListBucket on {place.bucket}, without a condition",
        f"s3:DeleteObject on {below}",
    ]


def _messages(place: FleetSettings) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client(place.endpoint_url, "sqs").get_queue_attributes(
        QueueUrl=place.url, AttributeNames=names
    )
    return sum(int(found["Attributes"][name]) for name in names)


async def test_check_online_and_the_start_refuse_a_store_without_conditions(
    emulator: Emulator,
) -> None:
    async with faults(emulator.endpoint) as proxy, FakeSes() as ses:
        proxy.ignores = "If-None-Match"
        settings = sharing(ses, emulator.place(proxy.url))
        done = await asyncio.to_thread(checked, settings)
        started = await asyncio.to_thread(relay, settings, "serve")
    assert done.returncode == 1
    assert "problem: queue.bucket = " in done.stdout
    assert started.returncode == 2
    assert "the store ignores If-None-Match, so that two" in started.stderr
