"""A mail as programs of this machine hand it in: perhaps without From, with Bcc.

What sendmail makes of it before it goes to a server; nothing is sent here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from relay.content import address, new_field
from relay.content.header import (
    Message,
    fields_of,
    header_of,
    normalise,
    with_first,
)

_RECIPIENTS = ("to", "cc", "bcc")
_RESENT = ("resent-to", "resent-cc", "resent-bcc")


def read(stream: BinaryIO, *, dot_ends: bool) -> bytes:
    """All of `stream` in lines that end in CRLF, or what comes before a lone dot."""
    if not dot_ends:
        return normalise(stream.read())
    lines = []
    for line in stream:
        if line.rstrip(b"\r\n") == b".":
            break
        lines.append(line)
    return normalise(b"".join(lines))


@dataclass(frozen=True, slots=True)
class LocalMail:
    """`content` goes to the server as it is, and has no Bcc.

    `author` is the address of From, "" where there is none.
    """

    content: bytes
    author: str


def local_mail(content: bytes, *, name: str, sender: str) -> LocalMail:
    """What is to be sent of `content`, with a From where it has none.

    That is of `name`, perhaps "", and `sender`. Raises ValueError where `sender` cannot
    stand there.
    """
    header = header_of(content)
    fields = fields_of(header)
    rest = content[len(header) :]
    kept = tuple(field for field in fields if field.key not in ("bcc", "resent-bcc"))
    author = next((field for field in fields if field.key == "from"), None)
    if author is None:
        made = new_field.address_field("From", _mailbox(name, sender))
        kept = with_first(kept, made)
        # A text without a header gets the line between the two.
        rest = rest if rest.startswith(b"\r\n") or header else b"\r\n" + rest
    return LocalMail(
        Message(kept, rest).content if kept != fields else content,
        "" if author is None else address.first_address(author.value),
    )


def _mailbox(name: str, sender: str) -> address.Mailbox:
    found = address.ascii_mailbox(address.Mailbox(new_field.one_line(name), sender))
    if not found.address.isascii():
        raise ValueError(f"{sender!r}: cannot stand in From; have the mail name one")
    return found


def named(content: bytes) -> list[str]:
    """Whom the header names, Bcc too; in a mail that is sent again, that alone.

    Raises ValueError where a field of them cannot be read.
    """
    fields = fields_of(header_of(content))
    resent = [field for field in fields if field.key in _RESENT]
    found: list[str] = []
    for field in resent or [one for one in fields if one.key in _RECIPIENTS]:
        try:
            found += address.addresses(field.value)
        except ValueError as error:
            raise ValueError(f"{field.name}: {error}") from None
    return found
