"""The seam to what takes mail over: SES, or the inbox of capture mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from relay.model.mail import Mail
from relay.model.outcome import Outcome
from relay.model.submission import MailId


class Transport(Protocol):
    """Takes one mail at a time.

    Safe for concurrent calls; one that finds no connection free waits for it within
    its own time.
    """

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Try once: SES is never asked twice, whatever comes of it.

        `Accepted`: the content was taken as it is for all recipients, under an id of
        printable ASCII. Every failure that can be expected is `Deferred` or `Rejected`:
        a refusal, throttling, no way to SES, no credentials, no answer in time.
        `maybe_sent` is set wherever the mail may have been taken nevertheless.

        It ends within the `attempt_seconds` of the mail; where the way to SES still
        opens, they begin when it is open. `mail_id` is the relay's; SES sees it
        in a tag where its events are to name it, and nowhere else.

        Raises nothing that can be expected: an exception is a bug. After one, and
        after a cancellation, the mail may have been sent.
        """

    def at_hand(self, mail: Mail) -> bool:
        """Tell whether `send`, begun now, would wait for SES' answer and nothing else.

        It does so at a `Wait`, after which it may go on in another task. What else may
        come between, such as a connection that ends at this very moment, holds up who
        waits by its own time at most.
        """


class Unanswered(Exception):  # noqa: N818 - a statement about the question
    """SES did not say; the text is for the log, and what an operator can do."""

    def __init__(self, text: str, *, cure: str = "", alarm: bool = False) -> None:
        super().__init__(text)
        self.cure = cure
        self.alarm = alarm  # no mail can leave either


@dataclass(frozen=True, slots=True)
class Quota:
    """What the account may send: recipients per second, and in 24 hours.

    A `rate` of 0 or less is SES' way to say that there is no limit. `used` are those
    of the last 24 hours; None: SES did not say.
    """

    rate: float
    per_day: float | None = None
    used: float | None = None


class QuotaSource(Protocol):
    """Who knows the account's quota."""

    async def quota(self) -> Quota:
        """The quota, as GetAccount says it now; nothing is remembered.

        Where the way to SES still opens, it waits for that. Raises Unanswered where
        SES refuses, cannot be asked, does not answer in time or names no rate;
        anything else that it raises is a bug.
        """


# A large mail may take longer: so many bytes add a second to an attempt's time.
BYTES_PER_SECOND = 100_000


def attempt_seconds(attempt_timeout: float, mail: Mail) -> float:
    """How long one attempt on `mail` may take in all."""
    return attempt_timeout + len(mail.content) / BYTES_PER_SECOND
