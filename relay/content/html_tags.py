"""HTML as a browser takes it apart: texts and tags; linear, and it never fails.

html.parser raises on some declarations and takes quadratic time on others. What each
place of a pattern took is never given back, so that none of them can do so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

# Elements whose content is no markup: `if (a<b)` opens no tag.
_RAW = frozenset({"script", "style"})

_BLANK = r"[\t\n\f\r ]"
# A value that a quote begins and none ends takes all that follows.
_ATTRIBUTES = rf"""
    (?: [\t\n\f\r /]++
      | [^\t\n\f\r />][^\t\n\f\r />=]*+
        (?: {_BLANK}*+ = {_BLANK}*+
            (?: "[^"]*+(?:"|\Z) | '[^']*+(?:'|\Z) | (?!["'])[^\t\n\f\r >]*+ )
        )?+
    )*+
"""
_TAG = re.compile(rf"</?([A-Za-z][^\t\n\f\r />]*+)({_ATTRIBUTES})(?:>|\Z)", re.VERBOSE)
_ATTRIBUTE = re.compile(
    rf"""([^\t\n\f\r />][^\t\n\f\r />=]*+)
    (?: {_BLANK}*+ = {_BLANK}*+
        (?: "([^"]*+)(?:"|\Z) | '([^']*+)(?:'|\Z) | ([^\t\n\f\r >]*+) )
    )?+""",
    re.VERBOSE,
)
_COMMENT_END = re.compile("--!?>")
_ENDS = {
    name: re.compile(f"</{name}(?=[\t\n\f\r />]|\\Z)", re.IGNORECASE) for name in _RAW
}
# Python refuses to make a number of so many digits, and no character has it.
_HUGE = re.compile("&#([0-9]{8,}+);?")


class Tag(NamedTuple):
    """A tag as it stands between `start` and `end`; `name` in lower case.

    `whole` is false where the text ended before it did.
    """

    name: str
    closing: bool
    source: str  # its attributes
    start: int
    end: int
    whole: bool

    @property
    def closes_itself(self) -> bool:
        """Whether a slash ends it, as in XHTML."""
        return self.source.rstrip().endswith("/")


class Attribute(NamedTuple):
    """`name` and `value` as they stand; `quote` is empty where there is none."""

    name: str
    value: str
    quote: str


def tokens(html: str) -> Iterator[str | Tag]:
    """Its texts, references still in them, and its tags; without comments.

    Behind a tag that opens a script or a style comes its content, as a text.
    """
    position = 0
    last = html.rfind(">")  # after it nothing is a tag, and looking costs time
    while True:
        opening = html.find("<", position)
        if opening < 0 or opening > last:
            comment = html.find("<!--", position)
            rest = html[position:] if comment < 0 else html[position:comment]
            if rest:
                yield rest
            return
        end = _end_of_comment(html, opening)
        tag = None if end else tag_at(html, opening)
        if not end and tag is None:  # a < that stands for itself
            end = opening + 1
            yield html[position:end]
            position = end
            continue
        if opening > position:
            yield html[position:opening]
        if tag is None:
            position = end
            continue
        yield tag
        position = tag.end
        if tag.name in _RAW and not tag.closing and not tag.closes_itself:
            closing = _ENDS[tag.name].search(html, position)
            end = closing.start() if closing else len(html)
            yield html[position:end]
            position = end


def _end_of_comment(html: str, start: int) -> int:
    """Where what is no text and no tag ends; 0: it is one of these."""
    if html.startswith("<!--", start):
        for short in ("<!-->", "<!--->"):
            if html.startswith(short, start):
                return start + len(short)
        ended = _COMMENT_END.search(html, start + 4)
        return ended.end() if ended else len(html)
    if html.startswith(("<!", "<?"), start):
        return html.find(">", start) + 1 or len(html)
    return 0


def tag_at(html: str, start: int) -> Tag | None:
    """The tag that begins at `start`; one that has no end goes to the text's."""
    match = _TAG.match(html, start)
    if match is None:
        return None
    closing = html.startswith("</", start)
    whole = match.end(2) < match.end()
    return Tag(match[1].lower(), closing, match[2], start, match.end(), whole)


def attributes(source: str) -> Iterator[Attribute]:
    """The attributes of a tag, in their order; of one that is repeated, all."""
    for match in _ATTRIBUTE.finditer(source):
        _, double, single, bare = match.groups()
        if double is not None:
            yield Attribute(match[1], double, '"')
        elif single is not None:
            yield Attribute(match[1], single, "'")
        else:
            yield Attribute(match[1], bare or "", "")


def referenced(text: str) -> str:
    """The text with the characters that `&amp;`, `&#65;` and the like stand for."""
    if "&" not in text:
        return text
    if "&#" in text:
        text = _HUGE.sub(_small, text)
    return unescape(text)


def _small(match: re.Match[str]) -> str:
    digits = match[1].lstrip("0") or "0"
    return f"&#{digits};" if len(digits) < 8 else "\ufffd"
