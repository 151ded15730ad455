"""What a client is told after its calls, as an event."""

from __future__ import annotations

import time

from relay.delivery import owed
from relay.delivery.waiting_client import WaitingClient
from relay.model.mail import Prepared
from relay.model.outcome import Accepted
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.observe.events import Answered


def answered(
    submission: Submission,
    prepared: Prepared,
    client: WaitingClient,
    reply: Reply,
    started: float,
) -> Answered:
    """The event of a mail whose client hears `reply` after its calls."""
    calls = client.calls
    outcome, attempts = calls[0].outcome, calls[0].job.state.attempts
    if len(calls) > 1:
        taken = client.message_ids
        outcome = owed.told_of([call.outcome for call in calls], reply)
        attempts = max(call.job.state.attempts for call in calls)
    else:  # nearly all mail
        taken = (outcome.message_id,) if isinstance(outcome, Accepted) else ()
    return Answered(
        submission,
        prepared.mails,
        reply,
        outcome,
        attempts,
        time.monotonic() - started,
        prepared.slips,
        taken,
    )
