"""What proves that SES took a call whose end nobody saw; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from relay.model.feedback import Feedback, Kind
from relay.model.submission import MailId
from relay.model.suppression import compared

# What SES tells of mail that it took, and of no other. A rejection too: the same mail
# would be taken and rejected again. The relay's mail is never rendered by SES, and a
# subscription is told of a list.
PROVING: Final[frozenset[Kind]] = frozenset(
    {
        *("send", "delivery", "delay", "bounce", "complaint"),
        *("open", "click", "reject"),
    }
)


class Proof(NamedTuple):
    """SES took a call of this mail, as `message_id`; `to` are all its recipients.

    These are as `compared` makes them, since SES may write them in another case.
    """

    mail_id: MailId
    message_id: str
    to: frozenset[str]

    def is_of(self, recipients: Iterable[str]) -> bool:
        """Tell whether a call to these is the one that SES took.

        All of them, so that no recipient of another call of the mail is taken for one
        who got it.
        """
        return self.to == frozenset(map(compared, recipients))


def proof_of(mail_id: MailId, told: Feedback) -> Proof | None:
    """What SES' word proves of the mail; None: nothing."""
    if not mail_id or not told.destination or told.kind not in PROVING:
        return None
    return Proof(mail_id, told.message_id, frozenset(map(compared, told.destination)))
