"""The mail that a template makes: alternatives, attachments, and the kept headers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from relay.content.ascii_field import ascii_field
from relay.content.header import Field, ended
from relay.content.mime_parts import Part
from relay.content.new_field import folded, unstructured
from relay.content.original import Original
from relay.content.ses_safe import safe_part
from relay.model.replies import MAX_SENT_BYTES, TOO_LONG_WITH_IMAGES
from relay.model.reply import Refused

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
_NONE: frozenset[str] = frozenset()
_GONE_PREFIXES = ("content-", "resent-", "arc-")


def compose(
    original: Original,
    *,
    subject: str,
    sender: Field | None,
    reply_to: Field | None,
    text: Sequence[bytes],
    html: Sequence[bytes] | None,
    unsubscribe: Sequence[Field] = (),
    attachments: Sequence[Part] = (),
    related: Sequence[Part] = (),
    images: Sequence[bytes] = (),
) -> bytes:
    """The content to send: what a template rendered, around what stays.

    Without `sender` (From), `reply_to` and `unsubscribe` (List-Unsubscribe and what
    belongs to it) the original's stay. `text` and `html` are
    parts with their headers, in pieces; `images` are the template's own, each whole.
    Raises Refused where these make it too long.
    """
    first = original.first
    if sender is not None:
        pieces = [sender.raw]
    elif "from" in first:
        pieces = [_ascii(original, first["from"])]
    else:
        pieces = [folded("From", original.envelope.sender or "").raw]
    if reply_to is not None:
        pieces.append(reply_to.raw)
    elif "reply-to" in first:
        pieces.append(_ascii(original, first["reply-to"]))
    pieces += _recipients(original)
    pieces.append(unstructured("Subject", subject).raw)
    gone = frozenset({"sender"}) if sender is not None else _NONE
    if unsubscribe:
        gone |= {field.name.lower() for field in unsubscribe}
        pieces += [field.raw for field in unsubscribe]
    pieces += _kept(original, gone)
    pieces.append(b"MIME-Version: 1.0\r\n")
    entity = text
    if html is not None:
        if related or images:
            beside = [*([image] for image in images), *_files(original, related)]
            html = _multipart(b"related", [html, *beside])
        entity = _multipart(b"alternative", [text, html])
    if attachments:
        entity = _multipart(b"mixed", [entity, *_files(original, attachments)])
    pieces += entity
    made = b"".join(pieces)
    if images and len(made) > MAX_SENT_BYTES:
        raise Refused(TOO_LONG_WITH_IMAGES)
    return made


def _recipients(original: Original) -> list[bytes]:
    pieces = []
    for name in ("to", "cc"):
        field = original.first.get(name)
        # An empty one says nothing, and SES refuses it.
        if field and field.raw.partition(b":")[2].strip(b" \t\r\n"):
            pieces.append(_ascii(original, field))
    if pieces:
        return pieces
    recipients = original.envelope.recipients
    to = recipients[0] if len(recipients) == 1 else "undisclosed-recipients:;"
    return [folded("To", to).raw]


def _kept(original: Original, gone: frozenset[str]) -> list[bytes]:
    kept: list[bytes] = []
    for field in original.fields:
        key = field.name.lower()
        if not key or key in _GONE or key.startswith(_GONE_PREFIXES):
            continue
        if key in ONCE and original.first[key] is not field:
            continue
        if key in gone:
            continue
        kept.append(field.raw if field.raw.isascii() else _ascii(original, field))
    return kept


def _ascii(original: Original, field: Field) -> bytes:
    made = ascii_field(field)
    if made.raw.isascii():
        return made.raw
    # What is no UTF-8 is mostly in the charset of the body.
    return ascii_field(field, original.charset).raw


def _files(original: Original, parts: Sequence[Part]) -> Iterator[list[bytes]]:
    return (_raw(part, original.charset) for part in parts)


def _raw(part: Part, charset: str) -> list[bytes]:
    """An attachment as it was, but for what SES would break."""
    safe = safe_part(part, charset)
    fields = safe.fields
    if part.depth == 0:  # the mail is the attachment; its header is not
        fields = tuple(field for field in fields if field.key.startswith("content-"))
    # Not a line end more: the one before the delimiter is the delimiter's.
    return [*(ended(field).raw for field in fields), b"\r\n", safe.body]


def _multipart(subtype: bytes, parts: Sequence[Sequence[bytes]]) -> list[bytes]:
    # Random, so that no content can hold it: 96 bits.
    boundary = b"=_" + os.urandom(12).hex().encode()
    head = (
        b"Content-Type: multipart/",
        subtype,
        b';\r\n boundary="',
        boundary,
        b'"\r\n',
    )
    pieces = [*head]
    for part in parts:
        pieces += (b"\r\n--", boundary, b"\r\n")
        pieces += part
    pieces += (b"\r\n--", boundary, b"--\r\n")
    return pieces
