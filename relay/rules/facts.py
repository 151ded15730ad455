"""What rules look at in a submission: as it came, and each fact read when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from ipaddress import ip_address

from relay.content.address import first_address
from relay.content.header import Field, Message, header_of, limited_fields, normalise
from relay.content.original import Original
from relay.content.searched_text import searched_text
from relay.model.submission import Submission
from relay.rules.text import Text

NULL_SENDER = "<>"


class Facts:
    """The facts of one submission. Those of the header raise Refused over its limits.

    What is repeated has several texts, of which one is enough for a condition.
    """

    def __init__(self, submission: Submission, content: bytes, header: bytes) -> None:
        """`content` has its line ends mended, `header` is its header section."""
        self.listener = submission.listener
        self.user = submission.user
        self._submission = submission
        self._content = content
        self._header = header

    @classmethod
    def of(cls, submission: Submission) -> Facts:
        """The same of a submission alone."""
        content = normalise(submission.content)
        return cls(submission, content, header_of(content))

    @cached_property
    def client(self) -> tuple[int, int] | None:
        """The client's address: IPv4's or IPv6's version, and its number."""
        try:
            address = ip_address(self._submission.peer.partition("%")[0])
        except ValueError:
            return None
        if address.version == 6 and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return address.version, int(address)

    @cached_property
    def senders(self) -> Sequence[Text]:
        """The one reverse path."""
        return (Text(self._submission.envelope.sender or NULL_SENDER),)

    @cached_property
    def recipients(self) -> Sequence[Text]:
        return tuple(map(Text, self._submission.envelope.recipients))

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The header's fields, taken apart."""
        return limited_fields(self._header)

    @cached_property
    def froms(self) -> Sequence[Text]:
        """The address of each From field."""
        return tuple(map(Text, map(self._address, self._named.get("from", ()))))

    @cached_property
    def subjects(self) -> Sequence[Text]:
        """Each Subject, decoded; an empty one where there is none."""
        return self.header("subject") or (Text(""),)

    def header(self, name: str) -> Sequence[Text]:
        """The decoded fields of this lower-case name."""
        found = self._headers.get(name)
        if found is None:
            found = tuple(
                Text(self.original.read(field)) for field in self._named.get(name, ())
            )
            self._headers[name] = found
        return found

    @cached_property
    def bodies(self) -> Sequence[Text]:
        """The one text that patterns are searched in."""
        return (Text(searched_text(self.original)),)

    @cached_property
    def original(self) -> Original:
        """The mail as a template would read it, control headers and all."""
        rest = self._content[len(self._header) :]
        return Original(Message(self.fields, rest), self._submission.envelope)

    @cached_property
    def _headers(self) -> dict[str, Sequence[Text]]:
        return {}

    @cached_property
    def _named(self) -> Mapping[str, Sequence[Field]]:
        """The fields by their names in lower case."""
        named: dict[str, list[Field]] = {}
        for field in self.fields:
            named.setdefault(field.name.lower(), []).append(field)
        return named

    def _address(self, field: Field) -> str:
        # Before it is decoded: what an encoded word holds is a name. But some
        # encode the whole field.
        address = first_address(field.value)
        return address if "@" in address else first_address(self.original.read(field))
