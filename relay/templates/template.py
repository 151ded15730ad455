"""One template: checked and compiled at the start, applied to a mail.

Its syntax, which is Logto's, is `placeholder`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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
from relay.model.note import Limit, counted
from relay.model.replies import NO_FROM, no_address, not_given
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.templates.compose import compose
from relay.templates.loaded import loaded
from relay.templates.placeholder import (
    Problems,
    Text,
    Values,
    Variable,
    compile_text,
)
from relay.templates.places import Danger, Marked, Places
from relay.templates.prepared_part import PreparedPart
from relay.templates.source import Source
from relay.templates.unsubscribe import Unsubscribe
from relay.templates.use import Use, uses

# So much HTML becomes text with its first mail, more at load: no mail waits for that.
MOST_LATER = 30_000  # characters
_CONTENT_TYPES = ("text/html", "text/mjml", "text/plain")


def _look_at_settings(source: Source, problems: Problems) -> None:
    place = problems.place
    drops = source.over_limit == "drop" and source.per_recipient is None
    if drops and source.setting_lines:  # of [[templates]] the settings say it
        here = problems.place_of("overLimit", 1)
        problems.warnings.append(f'{here} = "drop": has no effect without perRecipient')
    if not source.usage_type:
        problems.errors.append(f"{place}: usageType is empty; name the usage")
    for name, value, allowed in (
        ("contentType", source.content_type, _CONTENT_TYPES),
        ("attachments", source.attachments, ("keep", "drop")),
    ):
        if value not in allowed:
            problems.errors.append(
                f"{place}: {name} = {value!r}: must be {' or '.join(allowed)}"
            )


def text_of(html: Text) -> Text:
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


def same(text: str) -> str:
    """A value in a text that is no HTML."""
    return text


def escaped(text: str) -> str:
    """A value in HTML."""
    # Codes and most names hold nothing to escape, which this sees sooner.
    return text if text.isalnum() else escape(text)


def clean(text: str) -> str:
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
        place = source.place or f"template {source.usage_type}"
        problems = Problems(place, named=replace(source, place=place).at)
        self._problems = problems
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
        self.loaded = made = loaded(source, problems)
        self._images = made.images
        if made.lines:
            problems.written = made.line
        self.dangers = tuple(
            replace(danger, line=made.line(danger.line))
            for danger in self._compile(made.content, problems)
        )
        self.errors, self.warnings = problems.errors, problems.warnings

    def _compile(self, text: str, problems: Problems) -> Sequence[Danger]:
        """Compile the content, `text`, and the settings that hold placeholders.

        What is dangerous in it comes by the content's own lines.
        """
        source = self.source
        self._subject = compile_text(source.subject, "subject", problems)
        self._send_from = compile_text(source.send_from, "sendFrom", problems)
        self._reply_to = compile_text(source.reply_to, "replyTo", problems)
        self._unsubscribe = Unsubscribe(source.unsubscribe, problems)
        self._has_address = any(letter in self._send_from.fixed for letter in "@<")
        content = compile_text(text, "content", problems)
        self._html = None if source.content_type == "text/plain" else content
        self._text: Text | None = None  # that of the HTML
        if self._html is None:
            self._text = content
        elif source.text:
            self._text = compile_text(source.text, "text", problems)
        self._text_part: PreparedPart | None = None
        if self._text is not None or len(text) > MOST_LATER:
            self._text_part = self._made_text()
        self._html_part = (
            None if self._html is None else PreparedPart(self._html, "html")
        )
        places = None if self._html is None else Places(self._html)
        self._links = () if places is None else tuple(places.links)
        self._wraps_html = self._html is not None and self._html.uses("message.html")
        return () if places is None else places.dangers

    def _made_text(self) -> PreparedPart:
        """The text part; made of the HTML with the variables still in it.

        What they bring is text, so it is made once for all mails.
        """
        made = self._text
        if made is None:
            assert self._html is not None  # noqa: S101 - a content is one of the two
            made = text_of(self._html)
        return PreparedPart(made, "plain")

    @property
    def images(self) -> tuple[bytes, ...]:
        """The parts that its HTML shows, read at load."""
        return self._images

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

    @property
    def uses(self) -> tuple[Use, ...]:
        """Each place in which it looks at a variable, in the order of the settings."""
        texts: tuple[tuple[str, Text | None], ...] = (
            ("subject", self._subject),
            ("content", self._html or self._text),
            ("text", self._text if self._html else None),
            ("sendFrom", self._send_from),
            ("replyTo", self._reply_to),
            ("unsubscribe", self._unsubscribe.text),
        )
        return tuple(
            use
            for setting, text in texts
            if text is not None
            for use in uses(text, setting, self._problems.place_of)
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
        *,
        locale: str = "",
        lacking: dict[str, None] | None = None,
    ) -> bytes:
        """The content to send. Raises Refused, naming variables but never values.

        `sender` is a From that goes before the template's. `locale` is the mail's own,
        in which dates and numbers are written; else the variable of this name.
        `lacking` gets the names of what is shown, and not in a variable that is given.
        """
        original = Original(message, envelope)
        values = Values(variables, original, self._missing)
        subject = values.fill(self._subject, one_line)
        send_from = reply_to = ""
        if self._send_from.pieces and sender is None:
            send_from = one_line(values.fill(self._send_from, clean)).strip()
        if self._reply_to.pieces:
            reply_to = one_line(values.fill(self._reply_to, clean)).strip()
        if self._text_part is None:
            self._text_part = self._made_text()
        text = self._text_part.fill(values, same)
        html = None
        if self._html_part is not None:
            html = self._html_part.fill(values, escaped, raw=same)
        unsubscribe = self._unsubscribe.fields(values)
        if values.not_given:
            raise not_given(values.not_given)
        for link in self._links:
            link.check(values)
        if lacking is not None:
            lacking |= values.lacking
        return self._content(
            original,
            sender or self._sender(send_from, original),
            subject=subject,
            reply_to=reply_to,
            text=text,
            html=html,
            unsubscribe=unsubscribe,
        )

    def _content(
        self,
        original: Original,
        sender: Field | None,
        *,
        subject: str,
        reply_to: str,
        text: Sequence[bytes],
        html: Sequence[bytes] | None,
        unsubscribe: Sequence[Field],
    ) -> bytes:
        """The content to send, of what was filled."""
        has_from = sender is not None or "from" in original.first
        if not has_from and not original.envelope.sender:
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
            images=self._images,
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
