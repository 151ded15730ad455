"""What stands in the way of who moves mail by hand."""

from __future__ import annotations

from enum import Enum


class Obstacle(Enum):
    """Why a job cannot be retried or dropped."""

    SENDING = "is being sent; what a crash left so is taken back at the next start"
    IN_HAND = "is being sent; what a crash left so is taken over when its lease ends"
    SENT = "was sent"
    SUPERSEDED = "was superseded by newer mail"
    VOIDED = "newer mail of its usage to the same recipients supersedes it"
    GONE = "has gone meanwhile"
    LATER = "was written by a later release"
    CHANGED = "waits for another reason by now"
