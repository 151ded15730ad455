"""The table of the queue: where mail waits, how often it is tried, how long kept.

A text below a setting is its description wherever people read of it: see described.
"""

# No `from __future__ import annotations`: see models.

from typing import Annotated, Literal

from relay.config import values as v
from relay.config.table import Table, limited

Delays = Annotated[tuple[v.Seconds, ...], limited(min_length=1)]


class Queue(Table):
    """Where mail waits, and for how long."""

    engine: Literal["sqlite", "none", "sqs"] = "sqlite"
    """sqlite: what SES does not take in time is durable before its 250, and tried again
    until SES takes it. none: SES' answer is the reply. sqs: as sqlite, in a bucket and
    a queue of AWS that any number of relays share; experimental (docs/fleet.md)."""
    path: v.Name = "relay-spool.db"
    """The spool, relative to this file. On a disk that outlives the container."""
    url: v.Url = ""
    """With sqs, a standard queue:
    "https://sqs.eu-west-1.amazonaws.com/123456789012/relay"

    Example: "https://sqs.eu-west-1.amazonaws.com/123456789012/relay"
    """
    bucket: v.Bucket = ""
    """With sqs, a bucket of its own.

    Example: "acme-relay-queue"
    """
    prefix: v.KeyPrefix = "relay/"
    """With sqs, what the names of objects begin with: two fleets may share a bucket,
    never a prefix."""
    region: v.Region = ""
    """With sqs, the region of queue and bucket; else that of the url, else ses.region.

    Example: "eu-west-1"
    """
    endpoint_url: v.Url = ""
    """With sqs, queue and bucket elsewhere, as an emulator; AWS_ENDPOINT_URL_SQS and
    AWS_ENDPOINT_URL_S3 do as well.

    Example: "http://localhost:4566"
    """
    answer_within: v.Seconds = 3
    """Seconds that a client waits for SES' own answer before it hears "250 queued"."""
    retry_delays: Delays = (5, 10, 30, 120, 600, 1200)
    """Seconds before each further attempt after what passes soon; the last repeats,
    with jitter."""
    slow_delays: Delays = (30, 120, 600, 1800)
    """The same after what an operator must repair, and between looks at a paused
    account."""
    unseen_delays: Delays = (30, 300, 3600, 21600)
    """The same after an attempt whose end was not seen: the mail may have been sent."""
    give_up_after: v.Seconds = 345_600
    """Seconds until a mail is given up; a template's validFor may end it sooner."""
    keep_sent: v.SecondsOrNone = 3600
    """Seconds that sent mail stays visible in lists, without its content."""
    keep_failed: v.SecondsOrNone = 1_209_600
    """Seconds that failed mail is kept for `relay queue retry`."""
    keep_keys: v.Seconds = 86_400
    """Seconds that an idempotency key is known; without a queue too."""
    report_from: v.Email = ""
    """Sender of failure reports to senders; empty: none. SES must know the address as
    verified.

    Example: "mailer-daemon@acme.example"
    """
    report_to: v.Email = ""
    """An operator's address that gets every report as well.

    Example: "postmaster@acme.example"
    """
