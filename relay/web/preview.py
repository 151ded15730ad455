"""A mail as a person would see it: HTML, text, fields, attachments, links, the code.

The HTML is for a frame without scripts, whose policy lets nothing remote in.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from unicodedata import category
from urllib.parse import quote

from relay.content.codes import code_in
from relay.content.encoded_words import decoded
from relay.content.header import parse
from relay.content.html_tags import Tag, attributes, referenced, tokens
from relay.content.links import links_in
from relay.content.mime_parts import Part
from relay.content.original import Original, text_of
from relay.content.transfer_encoding import transfer_decoded
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.web.safe_html import Shown, safe

# What links and codes are looked for in: characters of the text and of the HTML.
MAX_SEARCHED = 1_000_000
# Characters of images that go into the HTML itself, each time that it shows one.
MAX_INLINE = 20_000_000

MAX_TEXT_SHOWN = 100_000  # characters of an attached text

# What browsers draw and nothing else; SVG is a document, and PDF runs scripts.
_IMAGES_SHOWN = frozenset(
    f"image/{kind}" for kind in ("png", "jpeg", "jpg", "gif", "webp", "avif", "bmp")
)
_TEXTS_SHOWN = frozenset({"application/json", "application/ics", "application/xml"})
_IMAGE = re.compile(r"image/[a-z0-9.+-]{1,50}")


@dataclass(frozen=True, slots=True)
class Attachment:
    """What came with a mail."""

    name: str
    type: str
    size: int
    part: Part = field(repr=False)

    @property
    def shown(self) -> str:
        """What of it the page shows: `image`, `text`, or "" for nothing."""
        if self.type in _IMAGES_SHOWN:
            return "image"
        readable = self.type.startswith("text/") or self.type in _TEXTS_SHOWN
        return "text" if readable else ""

    @property
    def data(self) -> bytes:
        return transfer_decoded(self.part)

    @property
    def text(self) -> str:
        """The beginning of it as a person reads it."""
        return text_of(self.part)[:MAX_TEXT_SHOWN]


class Preview:
    """The parts of one mail; each is worked out when it is asked for."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        try:
            message = parse(content)
            self._original: Original | None = Original(message, Envelope(None, ()))
            self.fields = [
                (field.name, self._original.read(field))
                for field in message.fields
                if field.name
            ]
            _ = self._original.text  # takes the parts apart
        except Refused:  # over the limits of what is taken apart
            self._original = None
            self.fields = []

    @cached_property
    def subject(self) -> str:
        return self._original.header("subject") if self._original else ""

    @cached_property
    def text(self) -> str:
        """Its text, made from the HTML where there is none."""
        if self._original is None:
            return self._content.decode("utf-8", "replace")
        return self._original.text

    @cached_property
    def source(self) -> str | None:
        """Its HTML as it is; None: it has none."""
        original = self._original
        return original.html if original is not None and original.has_html else None

    @cached_property
    def html(self) -> str | None:
        """The harmless part of its HTML, with the images that belong to it inside."""
        return self._shown.html if self._shown is not None else None

    @property
    def remote(self) -> int:
        """How many places of the HTML would fetch something from elsewhere."""
        return self._shown.remote if self._shown is not None else 0

    @cached_property
    def _shown(self) -> Shown | None:
        if self._original is None or self.source is None:
            return None
        return safe(self.source, _Images(self._original.related).url)

    @property
    def attachments(self) -> Sequence[Attachment]:
        if self._original is None:
            return ()
        return [
            Attachment(_name_of(part), part.type, len(transfer_decoded(part)), part)
            for part in self._original.attachments
        ]

    @property
    def links(self) -> list[str]:
        """Where its links lead, each once; HTTP and mail alone."""
        found = [
            referenced(attribute.value).strip()
            for tag in tokens((self.source or "")[:MAX_SEARCHED])
            if isinstance(tag, Tag) and tag.name in ("a", "area") and not tag.closing
            for attribute in attributes(tag.source)
            if attribute.name.lower() == "href"
        ]
        found += links_in(self.text[:MAX_SEARCHED])
        wanted = ("http://", "https://", "mailto:")
        return list(
            dict.fromkeys(link for link in found if link.lower().startswith(wanted))
        )

    @property
    def code(self) -> str:
        """The one-time code in it, "" where none is found."""
        return code_in(self.text[:MAX_SEARCHED], self.subject)


class _Images:
    """The images of a mail, as they stand in its HTML; all of it bounded."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = {
            form: part
            for part in reversed(parts)
            # RFC 2392 section 2: a URL has the id percent-encoded.
            for form in (part.content_id, quote(part.content_id))
            if _IMAGE.fullmatch(part.type)
        }
        self._made: dict[str, str] = {}
        self._left = MAX_INLINE

    def url(self, content_id: str) -> str | None:
        """The image as a data URL; None: there is none, or no room is left."""
        part = self._parts.get(content_id)
        if part is None or len(part.body) > self._left:
            return None
        url = self._made.get(part.content_id)
        if url is None:
            data = b64encode(transfer_decoded(part)).decode()
            url = f"data:{part.type};base64,{data}"
            self._made[part.content_id] = url
        if len(url) > self._left:
            return None
        self._left -= len(url)
        return url


def _name_of(part: Part) -> str:
    name = part.parameter("filename", "content-disposition") or part.parameter("name")
    # A sign that turns the direction of writing makes gpj.exe of exe.jpg.
    return "".join(one for one in decoded(name) if not category(one).startswith("C"))[
        :200
    ]
