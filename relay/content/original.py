"""The mail that the client wrote, as a template reads it: header, bodies, files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from html import escape, unescape
from urllib.parse import unquote

from relay.content import flowed
from relay.content import html_to_text as plain
from relay.content.address import author
from relay.content.charset import body_text, charset_of
from relay.content.encoded_words import decoded
from relay.content.header import Field, Message, ended
from relay.content.mime_parts import Part, structure
from relay.content.transfer_encoding import transfer_decoded
from relay.model.submission import Envelope

# How the type of a mail that is one text is nearly always written.
_TEXT = tuple(
    b"content-type: text/" + rest
    for rest in (b"plain;", b"plain\r", b"html;", b"html\r")
)
_BODY = ("text/plain", "text/html")
_CALENDAR = ("text/calendar", "application/ics")
_AMP = "text/x-amp-html"
_SMIME = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_SIGNATURES = frozenset(
    {
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
    }
)
_CID = re.compile(r"cid:([^\s\"'<>)]++)", re.IGNORECASE)
_META = re.compile(
    rb"<meta\b[^>]{0,200}?\bcharset\s{0,9}=\s{0,9}[\"']?([a-z0-9_.:+-]{1,60})",
    re.IGNORECASE,
)
_MOST_HEAD = 4096  # bytes that a META element is looked for in


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
        return self.read(field) if field else ""

    @property
    def author(self) -> str:
        """The address of the From field, "" where there is none."""
        field = self.first.get("from")
        return author(field.value, lambda _: self.read(field)).address if field else ""

    def read(self, field: Field) -> str:
        """A field's decoded value."""
        value = field.value
        try:
            value.encode()
        except UnicodeEncodeError:  # raw bytes, mostly in the charset of the body
            return decoded(value, self.charset)
        return decoded(value)

    @cached_property
    def charset(self) -> str:
        """The label of the text that it is written in, "" for none that is known."""
        labels = (part.charset for part in self.leaves if part.type in _BODY)
        return next(filter(charset_of, labels), "")

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
        return "\n".join(map(_text_of, self.bodies))

    @cached_property
    def html(self) -> str:
        if not self.has_html:
            return _as_html(self.text)
        return "\n".join(map(_html_of, self.bodies))

    @property
    def has_html(self) -> bool:
        """Whether its body has an HTML part."""
        return any(part.type == "text/html" for body in self.bodies for part in body)

    @cached_property
    def is_encrypted(self) -> bool:
        """Whether nobody but its recipient can read any of it."""
        if self._one_text:
            return False
        whole = self._parts[0]
        return (
            whole.type == "multipart/encrypted"
            or whole.type in _SMIME
            or whole.parameter("name").lower().endswith(".p7m")
        )

    @cached_property
    def _parts(self) -> Sequence[Part]:
        return structure(self.message)

    @cached_property
    def leaves(self) -> Sequence[Part]:
        """The parts without parts, in their order; a mail inside is one of them."""
        return [part for part in self._parts if part.leaf]

    @cached_property
    def bodies(self) -> Sequence[Sequence[Part]]:
        """What a person reads, in its order: several where a file stands between.

        Each is text, HTML, or alternatives of both.
        """
        texts = [
            part for part in self.leaves if part.type in _BODY and not _attached(part)
        ]
        # One with a name is a body where there is no other.
        found = [part for part in texts if not _is_file(part)] or texts[:1]
        bodies: list[list[Part]] = []
        for part in found:
            last = bodies[-1][-1].alternative if bodies else -1
            if part.alternative >= 0 and part.alternative == last:
                bodies[-1].append(part)
            else:
                bodies.append([part])
        return bodies

    @cached_property
    def related(self) -> Sequence[Part]:
        """The parts that the HTML names by `cid:`."""
        named = [part for part in self.leaves if part.content_id]
        if not named or not self.has_html:
            return ()
        # RFC 2392 section 2: the id is percent-encoded where a URL asks for it.
        asked = {re.split("[\"']", unescape(cid))[0] for cid in _CID.findall(self.html)}
        asked |= {unquote(cid) for cid in asked}
        return [part for part in named if part.content_id in asked]

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
        body = {part.start for parts in (*self.bodies, self.related) for part in parts}
        return [
            part
            for part in self.leaves
            if part.start not in body
            and not part.type.startswith("multipart/")
            and not _is_signature(part)
            and not _is_other_body(part)
        ]


def _attached(part: Part) -> bool:
    return part.disposition == "attachment"


def _is_file(part: Part) -> bool:
    if _attached(part):
        return True
    # What is an alternative, or related to its images, is no file for its name.
    inside = part.within == "multipart/alternative"
    inside |= part.within == "multipart/related" and part.place == 0
    return not inside and part.is_named


def _is_signature(part: Part) -> bool:
    if part.within == "multipart/signed":
        return part.place > 0
    return part.type in _SIGNATURES


def _is_other_body(part: Part) -> bool:
    """Whether it is the old body once more, in a form that the relay does not read."""
    if _attached(part) or part.type in _CALENDAR:
        return False
    if part.type == _AMP:
        return True
    inside = part.within == "multipart/alternative"
    return inside and (part.type.startswith("text/") or not part.is_named)


def _text_of(body: Sequence[Part]) -> str:
    text = "\n".join(text_of(part) for part in body if part.type == "text/plain")
    if text.strip():
        return text
    html = "\n".join(text_of(part) for part in body if part.type == "text/html")
    return plain.from_html(html) if html else text


def _html_of(body: Sequence[Part]) -> str:
    html = [text_of(part) for part in body if part.type == "text/html"]
    return "\n".join(html) if html else _as_html(_text_of(body))


def _as_html(text: str) -> str:
    return escape(text).replace("\n", "<br>\n")


def text_of(part: Part) -> str:
    """A part's text; its lines end in LF."""
    data = transfer_decoded(part)
    label = part.charset
    if part.type == "text/html" and not charset_of(label):
        label = _label_inside(data)
    text = body_text(data, label).replace("\r\n", "\n")
    if part.type == "text/plain" and part.parameter("format").lower() == "flowed":
        delete_space = part.parameter("delsp").lower() == "yes"
        return flowed.joined(text, delete_space=delete_space)
    return text


def _label_inside(data: bytes) -> str:
    """What HTML says of itself; nothing where it is UTF-8, whatever it says."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        match = _META.search(data[:_MOST_HEAD])
        return match[1].decode("ascii") if match else ""
    return ""
