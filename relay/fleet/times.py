"""Jobs by the queue's own clock, and by Unix time, which all relays share."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from relay.model.job import Failed, Job, Queued, Sending, Sent, State, Superseded

S = TypeVar("S", bound=State)


def shifted(job: Job, by: float) -> Job:
    """The same job by a clock that is ahead."""
    if not by:
        return job
    return job._replace(
        accepted_at=job.accepted_at + by,
        expires_at=job.expires_at + by,
        send_at=None if job.send_at is None else job.send_at + by,
        state=state_shifted(job.state, by),
    )


def state_shifted(state: S, by: float) -> S:
    """The same state by a clock that is ahead."""
    moved: State = state
    match state:
        case Queued():
            moved = replace(state, due=state.due + by)
        case Failed() | Sent() | Superseded():
            moved = replace(state, at=state.at + by)
        case Sending():
            pass
    return moved  # type: ignore[return-value] # of the same class
