"""What is remembered of a mail that was taken, beside the mail itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from relay.model.reply import Reply
from relay.model.submission import MailId


@dataclass(frozen=True, slots=True)
class Limit:
    """Recipients may have `number` mails of a template within `seconds`.

    `addresses` are the recipients as `counted` makes them. `drops`: what is above it is
    answered as if it had been taken.
    """

    template: str
    addresses: tuple[str, ...]
    number: int
    seconds: float
    drops: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A client's name for a submission, which stands for no other.

    `scope` says whose it is, `fingerprint` for what it stands.
    """

    scope: str
    text: str
    fingerprint: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a mail from its 250 on: it counts towards `limit`, and who
    comes with its `key` again hears `reply` again.

    `message_id` is SES', "" where SES has not answered.
    """

    mail_id: MailId
    reply: Reply
    message_id: str = ""
    limit: Limit | None = None
    key: Key | None = None


def counted(recipients: Iterable[str]) -> tuple[str, ...]:
    """The people behind the addresses, each once: `Ann+shop@` is `ann@`."""
    return tuple(dict.fromkeys(map(_person, recipients)))


def _person(address: str) -> str:
    local, at, domain = address.lower().rpartition("@")
    # A tag alone, as in "+a@b.example", is all there is.
    return f"{local.partition('+')[0] or local}{at}{domain}"
