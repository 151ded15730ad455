"""One template: checked and compiled at the start, applied to a mail.

Its syntax, which is Logto's, is `placeholder`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from relay.content import html_to_text as plain
from relay.content.address import (
    Mailbox,
    ascii_mailbox,
    is_in_ascii,
    mailbox,
)
from relay.content.header import Field, Message
from relay.content.mime_parts import Part
from relay.content.new_field import address_field, one_line
from relay.content.original import Original
from relay.model.mail import Priority
from relay.model.note import Limit, counted
from relay.model.replies import NO_FROM, no_address, not_given
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.templates.compose import compose
from relay.templates.placeholder import (
    Problems,
    Text,
    Values,
    Variable,
    compile_text,
)
from relay.templates.places import Marked, Places
from relay.templates.prepared_part import PreparedPart
from relay.templates.unsubscribe import Unsubscribe


@dataclass(frozen=True, slots=True)
class Source:
    """One template as the settings have it; `place` is for messages about it."""

    usage_type: str
    subject: str
    content: str
    content_type: str = "text/html"
    text: str = ""
    locale: str = ""
    send_from: str = ""
    reply_to: str = ""
    valid_for: float | None = None
    supersedes: bool = False
    priority: Priority = Priority.NORMAL
    attachments: str = "keep"
    tracking: bool = True
    unsubscribe: str = ""
    per_recipient: tuple[int, float] | None = None  # mails, within seconds
    over_limit: str = "reject"
    place: str = ""


def _look_at_settings(source: Source, problems: Problems) -> None:
    place = problems.place
    if not source.usage_type:
        problems.errors.append(f"{place}: usageType is empty; name the usage")
    for name, value, allowed in (
        ("contentType", source.content_type, ("text/html", "text/plain")),
        ("attachments", source.attachments, ("keep", "drop")),
    ):
        if value not in allowed:
            problems.errors.append(
                f"{place}: {name} = {value!r}: must be {' or '.join(allowed)}"
            )


def _text_of(html: Text) -> Text:
    """The text of an HTML whose variables are still in it.

    They go through the conversion as marks, so that braces written as entities do
    not become variables. What wraps the mail's HTML wraps its text.
    """
    marked = Marked(html)
    pieces: list[str | Variable] = []
    for piece in marked.pieces(plain.from_html(marked.text)):
        if isinstance(piece, Variable) and piece.name == "message.html":
            pieces.append(Variable("message.text", piece.raw, piece.whole))
        else:
            pieces.append(piece)
    return Text(tuple(pieces))


def _same(text: str) -> str:
    return text


def _escaped(text: str) -> str:
    # Codes and most names hold nothing to escape, which this sees sooner.
    return text if text.isalnum() else escape(text)


def _clean(text: str) -> str:
    """A value inside a mailbox: it ends neither the name nor the address."""
    return re.sub(r"[<>\"]", "", one_line(text))


class Template:
    """One compiled template."""

    def __init__(self, source: Source, *, email_address: str, missing: str) -> None:
        self.source = source
        self.usage = source.usage_type
        self.locale = source.locale
        self.valid_for = source.valid_for
        self.supersedes = source.supersedes
        self.priority = source.priority
        self.tracking = source.tracking
        problems = Problems(source.place or f"template {source.usage_type}")
        _look_at_settings(source, problems)
        self._missing = missing
        self._attachments = source.attachments == "keep"
        self._email_address = ascii_mailbox(mailbox(email_address))
        ours = self._email_address
        self._from: Field | None = None
        if ours.address and ours.address.isascii():
            self._from = address_field("From", ours)
        elif ours.address:
            problems.errors.append(
                "ses.emailAddress: not an address in ASCII; SES takes no other"
            )
        self._subject = compile_text(source.subject, "subject", problems)
        self._send_from = compile_text(source.send_from, "sendFrom", problems)
        self._reply_to = compile_text(source.reply_to, "replyTo", problems)
        self._unsubscribe = Unsubscribe(source.unsubscribe, problems)
        self._has_address = any(letter in self._send_from.fixed for letter in "@<")
        content = compile_text(source.content, "content", problems)
        self._html = content if source.content_type == "text/html" else None
        if self._html is None:
            self._text = content
        elif source.text:
            self._text = compile_text(source.text, "text", problems)
        else:
            # Made once, with the variables still in it: what they bring is text.
            self._text = _text_of(content)
        self._text_part = PreparedPart(self._text, "plain")
        self._html_part = (
            None if self._html is None else PreparedPart(self._html, "html")
        )
        places = None if self._html is None else Places(self._html)
        self._links = () if places is None else tuple(places.links)
        self.dangers = () if places is None else tuple(places.dangers)
        self._wraps_html = self._html is not None and self._html.uses("message.html")
        self.errors, self.warnings = problems.errors, problems.warnings

    @property
    def names_sender(self) -> bool:
        """Whether its mail has a From of its own, whatever the original says."""
        return self._has_address or bool(self._email_address.address)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of its placeholders, each once, in the order of their places."""
        texts = (
            *(self._subject, self._html, self._text),
            *(self._send_from, self._reply_to, self._unsubscribe.text),
        )
        return tuple(
            dict.fromkeys(
                variable.name
                for text in texts
                if text is not None
                for _, variable, _ in text.places
            )
        )

    def limit(self, recipients: Iterable[str]) -> Limit | None:
        """How often these recipients may have its mail; None: as often as it comes."""
        if self.source.per_recipient is None:
            return None
        number, seconds = self.source.per_recipient
        drops = self.source.over_limit == "drop"
        return Limit(self.usage, counted(recipients), number, seconds, drops)

    def apply(
        self,
        message: Message,
        envelope: Envelope,
        variables: Mapping[str, Any],
        sender: Field | None = None,
    ) -> bytes:
        """The content to send. Raises Refused, naming variables but never values.

        `sender` is a From that goes before the template's.
        """
        original = Original(message, envelope)
        values = Values(variables, original, self._missing)
        subject = values.fill(self._subject, one_line)
        send_from = reply_to = ""
        if self._send_from.pieces and sender is None:
            send_from = one_line(values.fill(self._send_from, _clean)).strip()
        if self._reply_to.pieces:
            reply_to = one_line(values.fill(self._reply_to, _clean)).strip()
        text = self._text_part.fill(values, _same)
        html = None
        if self._html_part is not None:
            html = self._html_part.fill(values, _escaped, raw=_same)
        unsubscribe = self._unsubscribe.fields(values)
        if values.not_given:
            raise not_given(values.not_given)
        for link in self._links:
            link.check(values)
        if sender is None:
            sender = self._sender(send_from, original)
        if sender is None and "from" not in original.first and not envelope.sender:
            raise Refused(NO_FROM)
        return compose(
            original,
            subject=subject,
            sender=sender,
            reply_to=_reply_to(reply_to) if reply_to else None,
            text=text,
            html=html,
            unsubscribe=unsubscribe,
            attachments=_attachments(original) if self._attachments else (),
            related=original.related if self._wraps_html else (),
        )

    def _sender(self, send_from: str, original: Original) -> Field | None:
        """From by `sendFrom`, else by `emailAddress`; None: the original's stays."""
        if not send_from:
            return self._from
        ours = self._email_address
        if self._has_address:
            found = ascii_mailbox(mailbox(send_from))
            if not is_in_ascii(found.address):
                raise no_address("sendFrom")
            return address_field("From", found)
        address = ours.address or original.author or original.envelope.sender or ""
        if not is_in_ascii(address):
            raise no_address("sendFrom")
        return address_field("From", Mailbox(send_from, address))


def _attachments(original: Original) -> Sequence[Part]:
    # What is encrypted is the old body, whatever else is in it.
    return () if original.is_encrypted else original.attachments


def _reply_to(text: str) -> Field:
    found = ascii_mailbox(mailbox(text))
    if not is_in_ascii(found.address):
        raise no_address("replyTo")
    return address_field("Reply-To", found)
