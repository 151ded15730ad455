"""What SES says of a mail after it took it: facts about its recipients; pure.

Facts come more than once and in any order. How they are read is no business of this
module (`relay/ses/event.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from relay.model.submission import MailId

Kind = Literal[
    "send",
    "delivery",
    "bounce",
    "complaint",
    "delay",
    "reject",
    "open",
    "click",
    "rendering_failure",
    "subscription",
]

# Each kind, and the word for what has happened to the mail.
WORDS: Final[Mapping[Kind, str]] = {
    "send": "confirmed",
    "delivery": "delivered",
    "bounce": "bounced",
    "complaint": "complained",
    "delay": "delayed",
    "reject": "rejected by SES",
    "open": "opened",
    "click": "clicked",
    "rendering_failure": "not rendered",
    "subscription": "subscription changed",
}

ID_TAG = "relay_id"  # names the mail in its call, so that events name it
MAX_TAGS = 50  # of one call: SES' limit

NO_MAIL = MailId("")
HARD = "Permanent"  # the type of bounces that come again with each further mail


class Recipient(NamedTuple):
    """One recipient that a fact is about; `status` is an enhanced code (RFC 3463).

    `diagnostic` is what the other side said, in its own words; empty: not given.
    """

    address: str
    status: str = ""
    diagnostic: str = ""


@dataclass(frozen=True, slots=True)
class Feedback:
    """One fact; what its kind does not have is empty.

    `message_id` is SES', `mail_id` the relay's, from the tag `relay_id` of its call.
    `at` and `accepted_at`, when SES took the mail, are Unix seconds. `recipients` are
    those that it is about: of a mail to several, SES does not say who opened it.
    `destination` are all to whom its call went.
    `type` and `subtype` are a bounce's (Permanent, General), or a delay's type;
    `complaint` is what a complaint is of (abuse). `reason` is why SES rejected or did
    not render a mail. `link` is the link that was clicked, parameters and all, which
    is for nobody's eyes. `usage` comes from the settings' tag for it.
    """

    kind: Kind
    message_id: str
    at: float
    mail_id: MailId = NO_MAIL
    recipients: tuple[Recipient, ...] = ()
    accepted_at: float | None = None
    type: str = ""
    subtype: str = ""
    complaint: str = ""
    reason: str = ""
    link: str = field(default="", repr=False)
    usage: str = ""
    destination: tuple[str, ...] = ()

    @property
    def is_hard(self) -> bool:
        """Whether mail to these recipients bounces each time."""
        return self.kind == "bounce" and self.type == HARD

    @property
    def what(self) -> str:
        """Type and subtype in one: `Permanent/General`."""
        return "/".join(filter(None, (self.type, self.subtype)))

    @property
    def key(self) -> str:
        """The same for each copy of one fact, and for no other."""
        addresses = sorted(one.address for one in self.recipients)
        parts = (self.kind, self.message_id, repr(self.at), self.link, *addresses)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def tag_of(mail_id: MailId) -> str:
    """An id as the value of a tag, which has no dots; ours have no underscores."""
    return mail_id.replace(".", "_")


def id_of(tag: str) -> MailId:
    """The id that a tag names."""
    return MailId(tag.replace("_", "."))
