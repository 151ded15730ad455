"""What the settings of queues in SQS say together (docs/fleet.md, docs/feedback.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from relay.config.explain import Location
from relay.config.models import Config

DAY = 86_400
LONGEST = 13 * DAY  # hints live 14 days
_QUEUE = re.compile(r"https?://[^/]+/[0-9]{1,20}/[A-Za-z0-9_-]{1,80}(\.fifo)?")


def of_fleet(config: Config) -> Iterator[tuple[Location, str]]:
    """What cannot be with `queue.engine = "sqs"`."""
    queue = config.queue
    if queue.engine != "sqs":
        return
    if not queue.url:
        yield (
            ("queue", "url"),
            'must be given with queue.engine = "sqs": the url of a standard queue',
        )
    elif (found := _QUEUE.fullmatch(queue.url)) is None:
        yield (
            ("queue", "url"),
            (
                f"= {queue.url!r}: must be as SQS gives it, such as "
                "https://sqs.eu-west-1.amazonaws.com/123456789012/relay"
            ),
        )
    elif found[1]:
        yield (
            ("queue", "url"),
            (
                f"= {queue.url!r}: a FIFO queue holds up all mail behind one; make a "
                "standard queue"
            ),
        )
    if not queue.bucket:
        yield (
            ("queue", "bucket"),
            'must be given with queue.engine = "sqs": a bucket of its own',
        )
    if queue.give_up_after > LONGEST:
        yield (
            ("queue", "give_up_after"),
            (
                f"= {queue.give_up_after:.0f}: must be at most {LONGEST} (13 days) "
                'with queue.engine = "sqs", whose messages live 14 days'
            ),
        )


def of_events(config: Config) -> Iterator[tuple[Location, str]]:
    """What cannot be where SES' events come from."""
    url = config.events.url
    if not url:
        return
    if _QUEUE.fullmatch(url) is None:
        yield (
            ("events", "url"),
            (
                f"= {url!r}: must be as SQS gives it, such as "
                "https://sqs.eu-west-1.amazonaws.com/123456789012/ses-events"
            ),
        )
    elif config.queue.engine == "sqs" and url == config.queue.url:
        yield (
            ("events", "url"),
            f"= {url!r}: is the queue of waiting mail; events need one of their own",
        )


def _of_events(config: Config) -> Iterator[str]:
    events = config.events
    if events.url:
        if config.transport == "capture":
            yield 'events.url: has no effect with transport = "capture"'
        return
    for name, setting in (
        ("region", "events.region"),
        ("endpoint_url", "events.endpointUrl"),
    ):
        if getattr(events, name):
            yield f"{setting}: has no effect without events.url"


def warnings(config: Config) -> Iterator[str]:
    """What has no effect with this queue, or with another."""
    yield from _of_events(config)
    queue = config.queue
    if queue.engine == "sqs":
        for name, setting in (("path", "queue.path"), ("keep_sent", "queue.keepSent")):
            if name in queue.given:
                yield f'{setting}: has no effect with queue.engine = "sqs"'
        return
    for name, setting in (
        ("url", "queue.url"),
        ("bucket", "queue.bucket"),
        ("prefix", "queue.prefix"),
        ("region", "queue.region"),
        ("endpoint_url", "queue.endpointUrl"),
    ):
        if name in queue.given and getattr(queue, name):
            yield f'{setting}: has an effect with queue.engine = "sqs" alone'
