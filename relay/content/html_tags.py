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
_TAG = rf"(/?+)([A-Za-z][^\t\n\f\r />]*+)({_ATTRIBUTES})(?:>|\Z)"
# Python before 3.11.5 does not go back where a possessive group fails after a part
# (gh-106052). Here that is an attribute's value alone, whose part are the blanks before
# it: the next turn would take them, too.
# What begins with a <: a tag, which alone has groups, the start of a comment, what is
# like one, or the < that stands for itself.
_MARKUP = re.compile(
    rf"""< (?: {_TAG}
      | !--
      | [!?] [^>]*+ >
    )?""",
    re.VERBOSE,
)
_TAG_ALONE = re.compile("<" + _TAG, re.VERBOSE)
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
        return _closes_itself(self.source)


def _closes_itself(source: str) -> bool:
    return source.rstrip().endswith("/")


class Attribute(NamedTuple):
    """`name` and `value` as they stand; `quote` is empty where there is none."""

    name: str
    value: str
    quote: str


# What a pattern for runs repeats at most: no other thread runs while it matches.
MOST_AT_ONCE = 500


class Run(str):
    """Texts and tags that `tokens` was asked not to take apart."""

    __slots__ = ()


def usual_tag(name: str, value: str) -> str:
    """A verbose pattern of tags as nearly all are written, by name and quoted value.

    In `value`, %s is the quote. Values without quotes have letters and digits.
    """
    double, single = value % '"', value % "'"
    bare = rf"[A-Za-z0-9\#%.-]++ (?={_BLANK}|>)"
    values = f"= (?: \"{double}\" | '{single}' | {bare} )"
    attributes = f"(?: {_BLANK}++ [A-Za-z:-]++ (?:{values})? )*"
    return f"</?+ (?:{name}) {attributes} {_BLANK}*+ /?+ >"


def tokens(html: str, runs: re.Pattern[str] | None = None) -> Iterator[str | Tag]:
    """Its texts, references still in them, and its tags; without comments.

    Behind a tag that opens a script or a style comes its content, as a text. What
    `runs` matches, tags and texts but no `<` that stands for itself, comes as a Run.
    """
    position = 0
    last = html.rfind(">")  # after it nothing is a tag, and looking costs time
    may_run = runs is not None
    while True:
        while may_run and runs is not None and (run := runs.match(html, position)):
            yield Run(run[0])
            position = run.end()
        match = _MARKUP.search(html, position)
        if match is None or match.start() > last:
            comment = html.find("<!--", position)
            rest = html[position:] if comment < 0 else html[position:comment]
            if rest:
                yield rest
            return
        start, end = match.span()
        if html.startswith("<!--", start):
            end = _end_of_comment(html, start)
        if end == start + 1:  # a < that stands for itself, with what is before it
            yield html[position:end]
            position, may_run = end, False
            continue
        if start > position:
            yield html[position:start]
            if runs is not None:
                position, may_run = start, True
                continue
        position = end
        if match.lastindex is None:
            continue
        slash, name, source = match.groups()
        name = name.lower()
        may_run = runs is not None
        yield Tag(name, slash == "/", source, start, end, match.end(3) < end)
        if name in _RAW and not slash:
            if _closes_itself(source):
                may_run = False
                continue
            closing = _ENDS[name].search(html, position)
            end = closing.start() if closing else len(html)
            yield html[position:end]
            position = end


def _end_of_comment(html: str, start: int) -> int:
    for short in ("<!-->", "<!--->"):
        if html.startswith(short, start):
            return start + len(short)
    ended = _COMMENT_END.search(html, start + 4)
    return ended.end() if ended else len(html)


def tag_at(html: str, start: int) -> Tag | None:
    """The tag that begins at `start`; one that has no end goes to the text's."""
    match = _TAG_ALONE.match(html, start)
    if match is None:
        return None
    slash, name, source = match.groups()
    whole = match.end(3) < match.end()
    return Tag(name.lower(), slash == "/", source, start, match.end(), whole)


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
