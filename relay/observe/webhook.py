"""How it stands with one webhook: for metrics and for the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class WebhookFigures:
    """Counts since the start. `failures` are those in a row, `detail` is of the last.

    `lost` are events that went untold for want of room or at a stop, `given_up` those
    that failed too often or for too long. `off` says why it is told nothing more.
    """

    name: str
    told: int = 0
    failed: int = 0
    given_up: int = 0
    lost: int = 0
    waiting: int = 0
    failures: int = 0
    detail: str = ""
    off: str = ""
