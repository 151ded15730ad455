"""What mail programs make of a template's HTML: links, images, CSS; pure.

Its text is masked (`masked`), so that positions are those of the template.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from relay.content.css import Declaration, statements
from relay.content.html_tags import Tag, attributes, referenced, tokens
from relay.templates.masked import MARK
from relay.templates.places import CONDITION
from relay.templates.support import Programs, Support, support

_LINKS = frozenset({"href", "action", "formaction", "xlink:href"})
_LOADED = frozenset(
    {
        *("src", "background", "poster", "data"),
        *("background-url", "icon-wrapped-url", "icon-unwrapped-url"),  # MJML's
        *("left-icon", "right-icon", "thumbnails-src"),
    }
)
_IMAGES = frozenset({"img", "mj-image", "mj-carousel-image"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:")
_AROUND = "".join(map(chr, range(0x21)))
_CSS_URL = re.compile(r"""\burl\(\s*+["']?([^"')]*+)""", re.IGNORECASE)
_IN_TEXT = re.compile(r"(?<![A-Za-z0-9+.-])http://[^\s<>\"')]++", re.IGNORECASE)
# What stands between these is for all but Outlook for Windows.
_NOT_OUTLOOK = re.compile(
    r"<!--\[if\s++!mso\]>(?:<!-->|<!--\s*+-->|-->)(.*?)(?:<!--\s*+<!\[endif\]-->|\Z)",
    re.IGNORECASE | re.DOTALL,
)
# No mail program runs or shows these; caniemail does not ask.
_NEVER = frozenset({"script", "iframe", "frame", "applet", "embed"})


class Found(NamedTuple):
    """`position` is in the masked text."""

    kind: str
    level: str
    text: str
    position: int


def html_problems(html: str) -> Iterator[Found]:
    """What is wrong with a masked HTML, by rule and then by place."""
    yield from _links_and_images(html)
    yield from _unsupported(html)


def text_problems(text: str) -> Iterator[Found]:
    """What is wrong with a masked plain text."""
    for match in _IN_TEXT.finditer(text):
        yield _insecure(match[0], match.start())


class _Value(NamedTuple):
    """An attribute, its value as a browser reads it, and where that begins."""

    name: str
    value: str
    start: int
    exact: bool  # each letter is at its place


def _values(tag: Tag) -> Iterator[_Value]:
    # A tag's source is what follows its name.
    offset = tag.end - len(tag.source) - tag.whole
    position = 0
    for attribute in attributes(tag.source):
        position = tag.source.index(attribute.name, position) + len(attribute.name)
        start = position
        if attribute.value:
            start = tag.source.index(attribute.value, position)
            position = start + len(attribute.value)
        value = referenced(attribute.value)
        exact = value == attribute.value
        yield _Value(attribute.name.lower(), value, offset + start, exact)


def _links_and_images(html: str) -> Iterator[Found]:
    # What only Outlook reads is looked at as if it stood there.
    shown = CONDITION.sub(lambda match: " " * len(match[0]), html)
    style = False
    position = 0
    for token in tokens(shown):
        if isinstance(token, str):
            if style:
                yield from _css_links(token, position)
            style = False
            continue
        style = token.name == "style" and not token.closing
        position = token.end
        if token.closing:
            continue
        names = set()
        for name, value, start, exact in _values(token):
            names.add(name)
            if name == "style":
                yield from _css_links(value, start, in_block=True, exact=exact)
            elif name in _LINKS and token.name not in ("base", "link", "image"):
                yield from _link(value, start, "a link")
            elif name in _LOADED or (name == "href" and token.name == "link"):
                yield from _link(value, start, "an address")
        # The variables of a tag may be attributes, too.
        is_image = token.name in _IMAGES
        if is_image and not any(name == "alt" or MARK in name for name in names):
            text = "an image without alt: readers with images off see nothing"
            yield Found("image", "error", text, token.start)


def _css_links(
    css: str, offset: int, *, in_block: bool = False, exact: bool = True
) -> Iterator[Found]:
    for one in statements(css, in_block=in_block):
        text = one.value if isinstance(one, Declaration) else one.text
        for match in _CSS_URL.finditer(text):
            # As near as the declaration; of a value with references in it, its start.
            place = offset + (one.start if exact else 0)
            yield from _link(match[1], place, "an address")


def _link(value: str, start: int, what: str) -> Iterator[Found]:
    address = value.strip(_AROUND)
    if address.startswith((MARK, "#")):
        return
    scheme = _SCHEME.match(address)
    if scheme is None:
        if address and MARK in re.split("[/?#]", address)[0]:
            return  # a variable may say where it leads
        text = f"{what} that leads nowhere: it is empty"
        if address:
            text = (
                f"{_shown(address)}: is relative, and a mail has no page that it could "
                "be relative to; begin it with https:// and a host"
            )
        yield Found("link", "warning", text, start)
    elif scheme[0].lower() == "http:":
        yield _insecure(address, start)


def _insecure(address: str, position: int) -> Found:
    text = f"{_shown(address)}: is not encrypted on its way; use https://"
    return Found("link", "error", text, position)


def _shown(address: str) -> str:
    address = re.sub(f"{MARK}+", "…", address)
    return address if len(address) <= 60 else f"{address[:59]}…"


def _unsupported(html: str) -> Iterator[Found]:
    """Each thing once, at its first place."""
    known = support()
    # Where it is spared, and where again not, in turns.
    turns = [place for match in _NOT_OUTLOOK.finditer(html) for place in match.span(1)]
    places: dict[str, list[tuple[int, Programs]]] = {}
    for what, position, programs in _things(html, known):
        is_spared = bisect_right(turns, position) % 2
        failing = programs - known.outlook if is_spared else programs
        if failing:
            places.setdefault(what, []).append((position, failing))
    for what, found in places.items():
        position = found[0][0]
        programs = frozenset().union(*(each for _, each in found))
        more = f" ({len(found)} places)" if len(found) > 1 else ""
        text = f"{what}: not taken by {known.names(programs)}{more}"
        yield Found("support", "warning", text, position)


def _things(html: str, known: Support) -> Iterator[tuple[str, int, Programs]]:
    style = False
    position = 0
    for token in tokens(html):
        if isinstance(token, str):
            if style:
                for one in known.css(token):
                    yield one.what, position + one.start, one.programs
            style = False
            continue
        style = token.name == "style" and not token.closing
        position = token.end
        if token.closing:
            continue
        if token.name in _NEVER:
            yield f"<{token.name}>", token.start, known.all
        failing = known.element(token.name)
        if failing and (token.name != "link" or "stylesheet" in token.source.lower()):
            yield f"<{token.name}>", token.start, failing
        for name, value, start, exact in _values(token):
            if name == "style":
                for one in known.css(value, in_block=True):
                    yield one.what, start + one.start * exact, one.programs
            elif failing := known.attribute(name):
                yield f"the attribute {name}", start, failing
            elif name in ("src", "background", "poster"):
                what, failing = known.image(value.strip(_AROUND))
                if failing:
                    yield what, start, failing
