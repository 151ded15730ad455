"""The mail that a template makes: alternatives, attachments, and the kept headers."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from urllib.parse import quote

from relay import text as plain
from relay.fields import folded, unstructured
from relay.message import Field, Message, decoded, text_of
from relay.model import Envelope
from relay.part import Part, structure
from relay.reencode import safe_part
from relay.transfer import encoded_body, transfer_decoded
from relay.words import ascii_field

# Headers that SES refuses to see twice (its guide's list); the first is kept.
ONCE = frozenset(
    {
        "accept-language",
        "acceptlanguage",
        "archived-at",
        "auto-submitted",
        "bounces-to",
        "comments",
        "date",
        "delivered-to",
        "disposition-notification-options",
        "disposition-notification-to",
        "errors-to",
        "importance",
        "in-reply-to",
        "keywords",
        "list-archive",
        "list-help",
        "list-id",
        "list-owner",
        "list-post",
        "list-subscribe",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "message-context",
        "message-id",
        "organization",
        "original-from",
        "original-message-id",
        "original-recipient",
        "original-subject",
        "precedence",
        "priority",
        "references",
        "reply-to",
        "return-receipt-to",
        "sender",
        "sensitivity",
        "solicitation",
        "subject",
        "thread-index",
        "thread-topic",
        "to",
        "cc",
        "from",
        "user-agent",
        "vbr-info",
    }
)
# About the old body, the old sender's path, or written anew.
_GONE = frozenset(
    {
        "mime-version",
        "dkim-signature",
        "domainkey-signature",
        "received",
        "return-path",
        "authentication-results",
        "bcc",
        "from",
        "to",
        "cc",
        "subject",
        "reply-to",
    }
)
_GONE_PREFIXES = ("content-", "resent-", "arc-")
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

    def header(self, name: str) -> str:
        """The decoded header, "" where there is none."""
        one = self.message.first(name)
        return decoded(one.value) if one else ""

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
    def attachments(self) -> Sequence[Part]:
        """What was attached to the mail, rather than part of its body."""
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


@dataclass(frozen=True, slots=True)
class Body:
    """What a template rendered; html "" makes a single text part."""

    text: str
    html: str | None
    attachments: Sequence[Part] = ()
    related: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """The headers that a template decides; None: the original's stay."""

    subject: str
    sender: str  # as a From field has it
    replaces_sender: bool
    reply_to: str | None


def compose(original: Original, heading: Heading, body: Body) -> bytes:
    """The content to send."""
    message = original.message
    fields: list[Field] = []
    if heading.replaces_sender or message.first("from") is None:
        fields.append(folded("From", heading.sender))
    else:
        fields += [ascii_field(one) for one in message.all("from")[:1]]
    if heading.reply_to is not None:
        fields.append(folded("Reply-To", heading.reply_to))
    else:
        fields += [ascii_field(one) for one in message.all("reply-to")[:1]]
    fields += _recipients(original)
    fields.append(unstructured("Subject", heading.subject))
    fields += _kept(message, without_sender=heading.replaces_sender)
    fields.append(Field("MIME-Version", b"MIME-Version: 1.0\r\n"))
    return b"".join([*(_ended(one.raw) for one in fields), _entity(body, message)])


def _ended(raw: bytes) -> bytes:
    """A header that ended with the content has no line end yet."""
    return raw if raw.endswith(b"\r\n") else raw + b"\r\n"


def _recipients(original: Original) -> list[Field]:
    message = original.message
    fields = [
        ascii_field(one)
        for name in ("to", "cc")
        for one in message.all(name)[:1]
        if one.value  # an empty one says nothing, and SES refuses it
    ]
    if fields:
        return fields
    recipients = original.envelope.recipients
    to = recipients[0] if len(recipients) == 1 else "undisclosed-recipients:;"
    return [folded("To", to)]


def _kept(message: Message, *, without_sender: bool) -> list[Field]:
    kept: list[Field] = []
    seen: set[str] = set()
    for one in message.fields:
        key = one.key
        if not key or key in _GONE or key.startswith(_GONE_PREFIXES):
            continue
        if (key == "sender" and without_sender) or (key in ONCE and key in seen):
            continue
        seen.add(key)
        kept.append(ascii_field(one))
    return kept


def _entity(body: Body, message: Message) -> bytes:
    """The body with its own header fields: the text, beside or around the rest."""
    entity = _text("plain", body.text)
    if body.html is not None:
        html = _text("html", body.html)
        if body.related:
            html = _multipart("related", [html, *(_raw(part) for part in body.related)])
        entity = _multipart("alternative", [entity, html])
    if body.attachments:
        attached = [_raw(part) for part in body.attachments]
        entity = _multipart("mixed", [entity, *attached])
    return entity


def _text(subtype: str, text: str) -> bytes:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    data = lines.encode("utf-8", "replace").replace(b"\n", b"\r\n")
    encoding, encoded = encoded_body(data, text=True)
    head = (
        f"Content-Type: text/{subtype}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode("ascii") + encoded + b"\r\n"


def _raw(part: Part) -> bytes:
    """An attachment as it was, but for what SES would break."""
    safe = safe_part(part)
    fields = safe.fields
    if part.depth == 0:  # the mail is the attachment; its header is not
        fields = tuple(one for one in fields if one.key.startswith("content-"))
    # Not a line end more: the one before the delimiter is the delimiter's.
    return b"".join([*(_ended(one.raw) for one in fields), b"\r\n", safe.body])


def _multipart(subtype: str, parts: Sequence[bytes]) -> bytes:
    # Random, so that no content can hold it: 96 bits.
    boundary = f"=_{secrets.token_hex(12)}".encode()
    head = b"Content-Type: multipart/" + subtype.encode() + b';\r\n boundary="'
    pieces = [head, boundary, b'"\r\n\r\n']
    for part in parts:
        pieces += [b"--", boundary, b"\r\n", part, b"\r\n"]
    return b"".join([*pieces, b"--", boundary, b"--\r\n"])
