"""What is remembered of a mail that was taken, beside the mail itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

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
class Note:
    """What is known of a mail from its 250 on: it counts towards `limit`."""

    mail_id: MailId
    limit: Limit | None = None


def counted(recipients: Iterable[str]) -> tuple[str, ...]:
    """The people behind the addresses, each once: `Ann+shop@` is `ann@`."""
    return tuple(dict.fromkeys(map(_person, recipients)))


def _person(address: str) -> str:
    local, at, domain = address.lower().rpartition("@")
    # A tag alone, as in "+a@b.example", is all there is.
    return f"{local.partition('+')[0] or local}{at}{domain}"
