"""What a rule changes in the header of its mail: From, and fields that it lacks."""

from __future__ import annotations

from collections.abc import Mapping

from relay.content.address import (
    Mailbox,
    ascii_mailbox,
    author,
    is_in_ascii,
    mailbox,
)
from relay.content.encoded_words import decoded
from relay.content.header import Field, with_first, with_last
from relay.content.new_field import address_field, folded, one_line, unstructured
from relay.rules.source import Source

Fields = tuple[Field, ...]

# They speak of the sender that was, or vouch for the header that was.
_GO_WITH_FROM = frozenset({"from", "sender", "dkim-signature"})


class Edits:
    """The changes of one rule."""

    def __init__(self, source: Source, errors: list[str]) -> None:
        self._from = ascii_mailbox(mailbox(source.set_from))
        self._keep = source.keep_from
        if source.set_from and not is_in_ascii(self._from.address):
            errors.append(
                f"{source.place}: setFrom = {source.set_from!r}: not an address in "
                "ASCII; SES takes no other"
            )
        self._added = _made(source.headers)
        self.any = bool(source.set_from or self._added)

    def sender(self, original: Fields) -> Field | None:
        """The From field in the place of the original's; None: that one stays."""
        if not self._from.address:
            return None
        name = self._from.name
        if self._keep == "name":
            name = _old(original).name or name
        return address_field("From", Mailbox(name, self._from.address))

    def applied(self, fields: Fields, original: Fields) -> Fields:
        """The header `fields` changed; `original` is that of the client's mail."""
        added = self._added
        if (sender := self.sender(original)) is not None:
            if self._keep == "reply-to":
                added += self._reply_to(original)
            rest = tuple(field for field in fields if field.key not in _GO_WITH_FROM)
            fields = with_first(rest, sender)
        present = {field.key for field in fields}
        missing: dict[str, Field] = {}
        for field in added:
            if field.key not in present:
                missing.setdefault(field.key, field)
        return with_last(fields, tuple(missing.values()))

    def _reply_to(self, original: Fields) -> Fields:
        """The old From as Reply-To, where an answer can be sent to it."""
        old = ascii_mailbox(_old(original))
        # Say `From: root`, as cron writes; or it is the new one already.
        if not is_in_ascii(old.address) or old.address == self._from.address:
            return ()
        return (address_field("Reply-To", old),)


def _made(headers: Mapping[str, str]) -> Fields:
    return tuple(
        # What is ASCII may have a structure, such as the URL of List-Unsubscribe.
        folded(name, value) if value.isascii() else unstructured(name, value)
        for name, value in headers.items()
    )


def _old(original: Fields) -> Mailbox:
    """The first mailbox of the original's From, its name decoded."""
    field = next((field for field in original if field.key == "from"), None)
    if field is None:
        return Mailbox("", "")
    found = author(field.value, decoded)
    return Mailbox(one_line(decoded(found.name)), found.address)
