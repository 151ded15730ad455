"""The seam to what takes mail over: SES, or the inbox of capture mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from relay.model.mail import Mail
from relay.model.outcome import Outcome
from relay.model.submission import MailId


class Transport(Protocol):
    """Takes one mail at a time; safe for concurrent calls."""

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Try once. Expected failures are outcomes; anything raised is a bug."""


class Unanswered(Exception):  # noqa: N818 - a statement about the question
    """SES did not say; the text is for the log."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What the account may send: recipients per second, and in 24 hours.

    `used` are those of the last 24 hours; None: SES did not say.
    """

    rate: float
    per_day: float | None = None
    used: float | None = None


class QuotaSource(Protocol):
    """Who knows the account's quota."""

    async def quota(self) -> Quota:
        """The quota, as GetAccount says it. Raises Unanswered."""


# A large mail may take longer: so many bytes add a second to an attempt's time.
BYTES_PER_SECOND = 100_000


def attempt_seconds(attempt_timeout: float, mail: Mail) -> float:
    """How long one attempt on `mail` may take in all."""
    return attempt_timeout + len(mail.content) / BYTES_PER_SECOND
