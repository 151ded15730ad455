"""The mail that the client wrote, as a template reads it: header, bodies, files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from html import escape
from urllib.parse import quote

from relay.content import html_to_text as plain
from relay.content.encoded_words import decoded, text_of
from relay.content.header import Message, ended
from relay.content.mime_parts import Part, structure
from relay.content.transfer_encoding import transfer_decoded
from relay.model.submission import Envelope

# How the type of a mail that is one text is nearly always written.
_TEXT = tuple(
    b"content-type: text/" + rest
    for rest in (b"plain;", b"plain\r", b"html;", b"html\r")
)
_SIGNATURES = frozenset(
    {
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
    }
)


class Original:
    """What a template may take from the mail that the client wrote."""

    def __init__(self, message: Message, envelope: Envelope) -> None:
        self.message = message
        self.envelope = envelope
        self.fields = message.fields
        if self.fields and not self.fields[-1].raw.endswith(b"\r\n"):
            self.fields = (*self.fields[:-1], ended(self.fields[-1]))
        # The first field of each lower-case name.
        self.first = {field.name.lower(): field for field in reversed(self.fields)}

    def header(self, name: str) -> str:
        """The decoded header of this lower-case name, "" where there is none."""
        field = self.first.get(name)
        return decoded(field.value) if field else ""

    @property
    def sender(self) -> str:
        return self.header("from") or self.envelope.sender or ""

    @property
    def recipient(self) -> str:
        if to := self.header("to"):
            return to
        recipients = self.envelope.recipients
        return recipients[0] if len(recipients) == 1 else ""

    @cached_property
    def text(self) -> str:
        if parts := self._bodies["text/plain"]:
            return "\n".join(map(_content, parts))
        html = "\n".join(map(_content, self._bodies["text/html"]))
        return plain.from_html(html)

    @cached_property
    def html(self) -> str:
        if parts := self._bodies["text/html"]:
            return "\n".join(map(_content, parts))
        return escape(self.text).replace("\n", "<br>\n")

    @property
    def has_html(self) -> bool:
        """Whether its body has an HTML part."""
        return bool(self._bodies["text/html"])

    @cached_property
    def _leaves(self) -> Sequence[Part]:
        """The parts without parts, in their order; a mail inside is one of them."""
        return [part for part in structure(self.message) if part.leaf]

    @cached_property
    def _bodies(self) -> dict[str, list[Part]]:
        """Text and HTML; several where a client put something between them."""
        bodies: dict[str, list[Part]] = {"text/plain": [], "text/html": []}
        for part in self._leaves:
            if part.type in bodies and not _is_file(part):
                bodies[part.type].append(part)
        return bodies

    @cached_property
    def related(self) -> Sequence[Part]:
        """The parts that the HTML names by `cid:`."""
        if not self._bodies["text/html"]:
            return ()
        return [
            part
            for part in self._leaves
            if part.content_id
            # RFC 2392 section 2: the id is percent-encoded where a URL asks for it.
            and any(
                f"cid:{form}" in self.html
                for form in (part.content_id, quote(part.content_id))
            )
        ]

    @property
    def _one_text(self) -> bool:
        """Whether its header says plainly that it has no parts and is no file.

        Most that is templated is so, and need not be taken apart.
        """
        if "content-disposition" in self.first:
            return False
        if (kind := self.first.get("content-type")) is None:
            return True
        raw = kind.raw.lower()
        return raw.startswith(_TEXT) and raw.find(b"name") < 0

    @property
    def attachments(self) -> Sequence[Part]:
        """What was attached to the mail, rather than part of its body."""
        if self._one_text:
            return ()
        body = ("text/plain", "text/html")
        return [
            part
            for part in self._leaves
            if (part.type not in body or _is_file(part))
            and not part.type.startswith("multipart/")
            and part.type not in _SIGNATURES
            and part not in self.related
        ]


def _is_file(part: Part) -> bool:
    return bool(
        part.disposition == "attachment"
        or part.parameter("filename", "content-disposition")
        or part.parameter("name")
    )


def _content(part: Part) -> str:
    data = transfer_decoded(part)
    text = text_of(data, part.parameter("charset") or "utf-8")
    return text.replace("\r\n", "\n")
