"""The text of a mail that patterns are searched in: of bounded length, links bare.

Not the text that a template shows: that is whole, and its links are in brackets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from relay.content.html_tags import Tag, attributes, referenced, tokens
from relay.content.html_to_text import from_html
from relay.content.mime_parts import Part
from relay.content.original import Original, text_of

MOST_TEXT = 256_000  # characters that are looked at
# Bytes of a part, still encoded, that are looked at: all that quoted-printable makes
# of so many letters.
MOST_ENCODED = 1_000_000
MOST_HTML = 500_000  # characters; a letter of it takes a hundred times as long

_MARKS = "<>()[]\"'.,;:!?"
_LINKING = frozenset({"a", "area"})


def searched_text(original: Original) -> str:
    """The text part, else the text made from the HTML; links it lacks at its end."""
    text = "\n".join(map(_text, original.bodies))[:MOST_TEXT]
    links = list(_missing(original.bodies, text))
    if not links:
        return text
    return "\n".join([text.rstrip("\n"), *links])[:MOST_TEXT]


def beginning(part: Part) -> str:
    """The text of a part, of a very large one no more than its beginning."""
    if part.end - part.body_start > MOST_ENCODED:
        part = replace(part, end=part.body_start + MOST_ENCODED)
    return text_of(part)


def _text(body: Sequence[Part]) -> str:
    text = "\n".join(beginning(part) for part in body if part.type == "text/plain")
    if text.strip():
        return text
    html = "\n".join(beginning(part) for part in body if part.type == "text/html")
    return from_html(html[:MOST_HTML], bare_links=True) if html else text


def _missing(bodies: Sequence[Sequence[Part]], text: str) -> Iterator[str]:
    """The links of the HTML that are no words of `text`, each once."""
    known: set[str] | None = None
    for part in (part for body in bodies for part in body if part.type == "text/html"):
        for link in _links(beginning(part)[:MOST_HTML]):
            if known is None:  # a search for each link could take ages
                known = {word.strip(_MARKS) for word in text.split()}
            if link.strip(_MARKS) not in known:
                known.add(link.strip(_MARKS))
                yield link


def _links(html: str) -> Iterator[str]:
    """Where the links of an HTML lead, as they are written."""
    for token in tokens(html):
        if isinstance(token, Tag) and token.name in _LINKING and not token.closing:
            for each in attributes(token.source):
                if each.name.lower() == "href":
                    link = "".join(referenced(each.value).split())
                    if link and not link.startswith("#"):
                        yield link
                    break
