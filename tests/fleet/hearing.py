"""A relay that hears of mail that SES took, and the queue that it hears it from."""

from __future__ import annotations

from typing import Any

from relay.fleet.aws import FleetSettings
from tests.fake_ses import FakeSes
from tests.fleet.emulators import client
from tests.server.test_life import through


def hearing(ses: FakeSes, place: FleetSettings, **more: str) -> dict[str, str]:
    """Settings of a relay whose events come from the queue of `place`."""
    settings = {
        "RELAY_EVENTS__URL": place.url,
        "RELAY_EVENTS__ENDPOINT_URL": place.endpoint_url,
        "RELAY_EVENTS__REGION": place.region,
    }
    return through(ses, **{**settings, **more})


def tell(place: FleetSettings, *messages: str) -> None:
    """Put messages into the queue, as SNS does."""
    sqs = client(place.endpoint_url, "sqs")
    for message in messages:
        sqs.send_message(QueueUrl=place.url, MessageBody=message)


def left(place: FleetSettings) -> int:
    """How many messages are there, seen or not."""
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
    ]
    found: dict[str, Any] = client(place.endpoint_url, "sqs").get_queue_attributes(
        QueueUrl=place.url, AttributeNames=names
    )
    return sum(int(found["Attributes"][name]) for name in names)
