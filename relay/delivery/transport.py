"""The seam to what takes mail over: SES, or the inbox of capture mode."""

from __future__ import annotations

from typing import Protocol

from relay.model.mail import Mail
from relay.model.outcome import Outcome
from relay.model.submission import MailId


class Transport(Protocol):
    """Takes one mail at a time; safe for concurrent calls."""

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Try once. Expected failures are outcomes; anything raised is a bug."""
