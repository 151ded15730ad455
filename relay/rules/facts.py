"""What rules look at in a submission: as it came, and nothing read before it is asked.

What is cheap is read each time, since a look for a mail's rule asks once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from ipaddress import ip_address

from relay.content.address import author
from relay.content.encoded_words import decoded
from relay.content.header import (
    Field,
    Message,
    fields_named,
    header_of,
    limited_fields,
    normalise,
)
from relay.content.original import Original
from relay.content.searched_text import searched_text
from relay.model.replies import HEADER_TOO_LARGE, MAX_HEADER_BYTES
from relay.model.reply import Refused
from relay.model.submission import Submission
from relay.rules.text import Text

NULL_SENDER = "<>"

# A From as most are: a name without quotes or commas, and one address.
_PLAIN_FROM = re.compile(
    r"(?>(?:[A-Za-z0-9 ._=?+-]*+<)?)([A-Za-z0-9._+=-]++@[A-Za-z0-9._-]++)>?+"
)

Texts = Sequence[Text]


class Facts:
    """The facts of one submission. Those of the header raise Refused over its limits.

    What is repeated has several texts, of which one is enough for a condition.
    """

    def __init__(
        self, submission: Submission, content: bytes, header: bytes, lower: bytes
    ) -> None:
        """`content` has its line ends mended; `lower` is its header in lower case."""
        self.listener = submission.listener
        self.user = submission.user
        self._submission = submission
        self._content = content
        self._header = header
        self._lower = lower

    @classmethod
    def of(cls, submission: Submission) -> Facts:
        """The same of a submission alone."""
        content = normalise(submission.content)
        header = header_of(content)
        return cls(submission, content, header, header.lower())

    def client(self) -> tuple[int, int] | None:
        """The client's address: IPv4's or IPv6's version, and its number."""
        try:
            address = ip_address(self._submission.peer.partition("%")[0])
        except ValueError:
            return None
        if address.version == 6 and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return address.version, int(address)

    def sender(self) -> Sequence[str]:
        """The one reverse path."""
        return (self._submission.envelope.sender or NULL_SENDER,)

    def senders(self) -> Texts:
        return [Text(one) for one in self.sender()]

    def recipients(self) -> Texts:
        return [Text(one) for one in self._submission.envelope.recipients]

    def authors(self) -> Sequence[str]:
        """The address of each From field."""
        return [
            _plain_address(field.raw) or self._address(field)
            for field in self._named("from")
        ]

    def froms(self) -> Texts:
        return [Text(one) for one in self.authors()]

    def subjects(self) -> Texts:
        """Each Subject, decoded; an empty one where there is none."""
        found = self._named("subject")
        if len(found) == 1:
            return (Text(self._read(found[0])),)
        return [Text(self._read(field)) for field in found] or (Text(""),)

    def header(self, name: str) -> Texts:
        """The decoded fields of this lower-case name."""
        return [Text(self._read(field)) for field in self._named(name)]

    def bodies(self) -> Texts:
        """The one text that patterns are searched in."""
        return self._bodies

    @cached_property
    def original(self) -> Original:
        """The mail as a template would read it, control headers and all."""
        rest = self._content[len(self._header) :]
        message = Message(limited_fields(self._header), rest)
        return Original(message, self._submission.envelope)

    @cached_property
    def _bodies(self) -> Texts:
        return (Text(searched_text(self.original)),)

    def _named(self, name: str) -> Sequence[Field]:
        if len(self._header) > MAX_HEADER_BYTES:
            raise Refused(HEADER_TOO_LARGE)
        return fields_named(name, self._header, self._lower)

    def _read(self, field: Field) -> str:
        value = field.value
        if value.isascii():  # the charset of the body has no say in it
            return decoded(value)
        return self.original.read(field)

    def _address(self, field: Field) -> str:
        return author(field.value, lambda _: self._read(field)).address


@lru_cache(maxsize=256)  # an app has few, and one in each of its mails
def _plain_address(raw: bytes) -> str:
    """The address of a From field that is written as most are; "" for others."""
    plain = _PLAIN_FROM.fullmatch(Field("from", raw).value) if len(raw) < 500 else None
    return plain[1] if plain else ""
