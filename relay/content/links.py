"""The links that stand in a text, as a person reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator

URL = re.compile(
    r"""https?://
        (?:\[[0-9A-Fa-f:.]{2,60}\]  # an address of IPv6
        |[^\s<>"')\]])
        [^\s<>"')\]]*""",
    re.VERBOSE,
)
# At the end of a link these are the sentence's.
_SENTENCE = ".,;:!?…。、，．；：！？」』）"


def links_in(text: str) -> Iterator[str]:
    """The links of a text in their order, without the sentence's own marks."""
    for match in URL.finditer(text):
        yield match[0].rstrip(_SENTENCE)


def without_links(text: str) -> str:
    """The same text with blanks where links stand; all else keeps its place."""
    return URL.sub(lambda match: " " * len(match[0]), text)
