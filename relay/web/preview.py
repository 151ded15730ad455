"""A mail as a person would see it: HTML, text, fields, attachments, links, the code.

Nothing is made safe here: the HTML is for a frame without scripts, whose policy lets
nothing remote in.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from urllib.parse import quote

from relay.content.encoded_words import decoded
from relay.content.header import parse
from relay.content.mime_parts import Part
from relay.content.original import Original
from relay.content.transfer_encoding import transfer_decoded
from relay.model.reply import Refused
from relay.model.submission import Envelope

# What links and codes are looked for in: characters of the text and of the HTML.
MAX_SEARCHED = 1_000_000
MAX_INLINE = 20_000_000  # bytes of images that go into the HTML itself

# What would be fetched, if the frame's policy let it.
_REMOTE = re.compile(
    r"""(?:\b(?:src|srcset|background|poster|data)\s*=\s*["']?\s*|url\(\s*["']?\s*)
        (?:https?:)?//""",
    re.IGNORECASE | re.VERBOSE,
)
# A link element may warm up connections without asking the policy, a refresh or a
# base leads elsewhere; no mail needs them.
_TAGS = re.compile(r"<(?:link|base|meta)\b[^>]*>?", re.IGNORECASE)
_HREF = re.compile(
    r"""<a\b[^<>]{0,1000}?\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://[^\s<>\"')\]]+")
_CODE = re.compile(
    r"""(?:(?<![\w.,/#-])|(?<=\b[A-Z]-))  # a letter and a dash, as in G-123456
        (\d{4,8}|\d{3}[ -]\d{3}|(?=[A-Z]*\d)[A-Z0-9]{6,8})(?![\w/#-])""",
    re.VERBOSE,
)
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True, slots=True)
class Attachment:
    """What came with a mail."""

    name: str
    type: str
    size: int


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
    def html(self) -> str | None:
        """Its HTML, with the images that belong to it inside; None: it has none."""
        original = self._original
        if original is None or not original.has_html:
            return None
        html = _TAGS.sub("", original.html)
        left = MAX_INLINE
        for part in original.related:
            data = transfer_decoded(part)
            if len(data) > left or not part.type.startswith("image/"):
                continue
            left -= len(data)
            url = f"data:{part.type};base64,{b64encode(data).decode()}"
            for form in {part.content_id, quote(part.content_id)}:
                html = html.replace(f"cid:{form}", url)
        return html

    @property
    def remote(self) -> int:
        """How many places of the HTML would fetch something from elsewhere."""
        return len(_REMOTE.findall(self.html or ""))

    @property
    def attachments(self) -> Sequence[Attachment]:
        if self._original is None:
            return ()
        return [
            Attachment(_name_of(part), part.type, len(transfer_decoded(part)))
            for part in self._original.attachments
        ]

    @property
    def links(self) -> list[str]:
        """Where its links lead, each once; HTTP and mail alone."""
        found = [
            unescape(a or b or c).strip()
            for a, b, c in _HREF.findall((self.html or "")[:MAX_SEARCHED])
        ]
        found += _URL.findall(self.text[:MAX_SEARCHED])
        wanted = ("http://", "https://", "mailto:")
        return list(
            dict.fromkeys(link for link in found if link.lower().startswith(wanted))
        )

    @property
    def code(self) -> str:
        """The one-time code in it, "" where none is found."""
        return code_in(self.text, self.subject)


def code_in(text: str, subject: str = "") -> str:
    """Find a one-time code: alone on its line, else six digits, else the first."""
    clean = _URL.sub(" ", text[:MAX_SEARCHED])
    for line in clean.splitlines():
        if match := _CODE.fullmatch(line.strip(" \t*.:")):
            return _bare(match[1])
    found = [match[1] for part in (subject, clean) for match in _CODE.finditer(part)]
    found = [code for code in found if not _YEAR.fullmatch(code)]
    six = [code for code in found if re.fullmatch(r"\d{6}|\d{3}[ -]\d{3}", code)]
    return _bare(next(iter(six + found), ""))


def _bare(code: str) -> str:
    return code.replace(" ", "").replace("-", "")


def _name_of(part: Part) -> str:
    name = part.parameter("filename", "content-disposition") or part.parameter("name")
    return decoded(name)[:200]
