"""A mail ready for SES, and what it says about its call."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from relay.model.note import Key, Limit, Note
from relay.model.reply import Reply
from relay.model.slip import Slip
from relay.model.submission import Envelope, MailId

DEFAULT = "default"  # what people are told of the account without a name: [ses]

RECIPIENTS_PER_CALL = 50  # SES' limit, over To, Cc and Bcc

# Names and values of EmailTags, as SES takes them.
TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")

# What SES' own SMTP endpoint understands, in the spelling of its guide.
SES_HEADERS = (
    "X-SES-CONFIGURATION-SET",
    "X-SES-MESSAGE-TAGS",
    "X-SES-LIST-MANAGEMENT-OPTIONS",
    "X-SES-SOURCE-ARN",
    "X-SES-FROM-ARN",
    "X-SES-RETURN-PATH-ARN",
    "X-SES-TENANT",
)


class Priority(IntEnum):
    """Who leaves first of the mail that is due; the names are those of the settings."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


@dataclass(frozen=True, slots=True)
class ListManagement:
    """SES' ListManagementOptions."""

    contact_list: str
    topic: str = ""


# A named tuple: the end of each call is found by its hash, which is not Python code.
class SendOptions(NamedTuple):
    """What this one mail says about its SES call; empty: as the settings say.

    All but `rules_set`, `tags`, `account` and `untracked` comes from a client's X-SES-*
    headers, so a name that SES does not find here is the client's mistake, not the
    operator's. `rules_set` is the configuration set of the mail's rule, and the
    operator's word.
    `tags` is complete: settings, rule, client and usage merged, in this order.
    `account` is the name of the account that the mail leaves by; empty: [ses].
    `untracked`: SES is to count neither opening nor clicks, whatever it does else.
    """

    configuration_set: str = ""
    from_arn: str = ""
    feedback_arn: str = ""
    tenant: str = ""
    list_management: ListManagement | None = None
    tags: tuple[tuple[str, str], ...] = ()
    rules_set: str = ""
    account: str = ""
    untracked: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Which usage the mail had and which template it got; empty: none.

    `valid_for` (seconds) and `supersedes` are the template's word on how long the
    mail is worth sending, and on older mail of its usage; so is `priority` on when
    its turn is, where its rule does not say so. `variables` are the names
    of what the client gave or its rule found, never the values. `rule` is the name of
    the mail's rule, with a template or without.
    """

    usage: str = ""
    template: str = ""  # the template's usage: the mail's own, or Generic
    locale: str = ""  # the template's locale
    valid_for: float | None = None
    supersedes: bool = False
    variables: tuple[str, ...] = ()
    priority: Priority = Priority.NORMAL
    rule: str = ""


_NO_OPTIONS = SendOptions()


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail object (RFC 5321 section 2.3.1), ready for one SES call."""

    envelope: Envelope
    content: bytes = field(repr=False)
    options: SendOptions = _NO_OPTIONS
    choice: Choice = Choice()


class Prepared(NamedTuple):
    """The mails of one submission, and the slips that its client made.

    `send_at`: not before this moment, in Unix seconds; None: now. `limit`: how often
    its recipients may have such mail. `key`: its client's name for it.
    """

    mails: tuple[Mail, ...]
    slips: tuple[Slip, ...] = ()
    send_at: float | None = None
    limit: Limit | None = None
    key: Key | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is taken whatever was taken before."""
        return self.limit is None and self.key is None

    def note(self, mail_id: MailId, reply: Reply, message_id: str = "") -> Note | None:
        """What is to be remembered of it from this reply on; None: nothing."""
        if self.is_plain or reply.code != 250:
            return None
        return Note(mail_id, reply, message_id, self.limit, self.key)


def voids(mail: Mail) -> str:
    """What a newer mail must equal to take this one's place: usage and recipients."""
    addresses = []
    for address in mail.envelope.recipients:
        local, _, domain = address.rpartition("@")
        addresses.append(f"{local}@{domain.lower()}")
    return "\n".join([mail.choice.usage, *sorted(addresses)])
