"""Relays that share a queue, as processes."""

from __future__ import annotations

import os
import time

from relay.fleet.aws import FleetSettings
from tests.fake_ses import FakeSes
from tests.fleet.patient import objects
from tests.server.relay_process import WAIT
from tests.server.test_life import through


def sharing(ses: FakeSes, place: FleetSettings, **more: str) -> dict[str, str]:
    """A relay of the fleet that has its queue there, and tries often."""
    settings = {
        "RELAY_QUEUE__ENGINE": "sqs",
        "RELAY_QUEUE__URL": place.url,
        "RELAY_QUEUE__BUCKET": place.bucket,
        "RELAY_QUEUE__PREFIX": place.prefix,
        "RELAY_QUEUE__ENDPOINT_URL": place.endpoint_url,
        "RELAY_QUEUE__REGION": place.region,
        "RELAY_QUEUE__ANSWER_WITHIN": "10",
        "RELAY_QUEUE__RETRY_DELAYS": "[0.2]",
        "RELAY_HEALTH__LISTEN": "127.0.0.1:0",
        # A hint that comes in the poll of a relay that stops is hidden for a lease.
        "RELAY_SES__ATTEMPT_TIMEOUT": "6",
    }
    return through(ses, **{**settings, **more})


def await_empty(place: FleetSettings) -> None:
    """Wait until nothing is in the bucket, also what a relay took as it stopped."""
    end = time.monotonic() + 4 * WAIT
    while left := objects(place):
        if time.monotonic() > end:
            raise AssertionError(f"still there: {left}")
        time.sleep(0.1)


NO_FILE = ("-c", os.devnull)
