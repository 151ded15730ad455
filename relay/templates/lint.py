"""What may be wrong with a template's mail, before anybody gets it; pure."""

from __future__ import annotations

from dataclasses import dataclass

from relay.content.html_tags import Tag, attributes, tokens
from relay.templates.samples import VARIABLES
from relay.templates.template import Template

# Gmail shows the first 102 kB of a mail's HTML, then "Message clipped".
CLIPPED_AT = 102_000
MAX_FOUND = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` counts from 1 in the template's content; 0: nowhere in particular."""

    kind: str  # variable, image, size, syntax, place
    text: str
    line: int = 0
    level: str = "warning"  # warning, error


def problems(template: Template, html: str | None) -> list[Problem]:
    """What is wrong with the template, and with the HTML that it made."""
    source = template.source
    found = [
        Problem("place", danger.text, danger.line, "error")
        for danger in template.dangers
    ]
    found += [Problem("syntax", text) for text in template.warnings]
    for name in template.variables:
        root = name.partition(".")[0]
        if root not in VARIABLES and root != "message":
            place = source.content.find(name)
            line = source.content.count("\n", 0, place) + 1 if place >= 0 else 0
            text = f"{{{{{name}}}}}: Logto passes no such variable; your app has to"
            found.append(Problem("variable", text, line, "error"))
    if source.content_type == "text/html":
        for tag in tokens(source.content):
            if isinstance(tag, Tag) and tag.name == "img" and not _has_alt(tag):
                line = source.content.count("\n", 0, tag.start) + 1
                text = "an image without alt: readers with images off see nothing"
                found.append(Problem("image", text, line, "error"))
    size = len((html if html is not None else source.content).encode())
    if size > CLIPPED_AT:
        text = f"{size // 1000} kB of HTML: Gmail cuts it off at 102 kB"
        found.append(Problem("size", text))
    return found[:MAX_FOUND]


def _has_alt(image: Tag) -> bool:
    return any(each.name.lower() == "alt" for each in attributes(image.source))
