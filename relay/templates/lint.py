"""What may be wrong with a template's mail, before anybody gets it; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from relay.templates.samples import VARIABLES
from relay.templates.template import Template

# Gmail shows the first 102 kB of a mail's HTML, then "Message clipped".
CLIPPED_AT = 102_000
MAX_FOUND = 50

_IMAGE = re.compile(r"<img\b[^>]{0,5000}>", re.IGNORECASE)
_ALT = re.compile(r"\salt\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` counts from 1 in the template's content; 0: nowhere in particular."""

    kind: str  # variable, image, size, syntax
    text: str
    line: int = 0


def problems(template: Template, html: str | None) -> list[Problem]:
    """What is wrong with the template, and with the HTML that it made."""
    source = template.source
    found = [Problem("syntax", text) for text in template.warnings]
    for name in template.variables:
        root = name.partition(".")[0]
        if root not in VARIABLES and root != "message":
            place = source.content.find(name)
            line = source.content.count("\n", 0, place) + 1 if place >= 0 else 0
            text = f"{{{{{name}}}}}: Logto passes no such variable; your app has to"
            found.append(Problem("variable", text, line))
    if source.content_type == "text/html":
        for image in _IMAGE.finditer(source.content):
            if not _ALT.search(image[0]):
                line = source.content.count("\n", 0, image.start()) + 1
                text = "an image without alt: readers with images off see nothing"
                found.append(Problem("image", text, line))
    size = len((html if html is not None else source.content).encode())
    if size > CLIPPED_AT:
        text = f"{size // 1000} kB of HTML: Gmail cuts it off at 102 kB"
        found.append(Problem("size", text))
    return found[:MAX_FOUND]
