"""A template's link to unsubscribe with one click (RFC 8058).

Mail programs ask it with a POST and nobody looking on, so it is HTTPS, whole, and of
this mail alone: the fields of the original say nothing beside it.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from relay.content.header import Field
from relay.content.new_field import folded, one_line
from relay.model.replies import no_link
from relay.templates.placeholder import Problems, Values, Variable, compile_text

# It stands between angle brackets, on a line of its own.
_LINK = re.compile(r"https://[!-;=?-~]{1,900}", re.IGNORECASE)
FIXED = re.compile(r"[!-;=?-~]*")
_POST = folded("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")


class Unsubscribe:
    """The setting `unsubscribe`, compiled; what is wrong with it goes to `problems`."""

    def __init__(self, setting: str, problems: Problems) -> None:
        self.text = compile_text(setting.strip(), "unsubscribe", problems)
        if not self.text.pieces:
            return
        first = self.text.pieces[0]
        given = isinstance(first, Variable) and first.raw  # the value is the link
        begins = isinstance(first, str) and first.lower().startswith("https://")
        if not (given or begins) or not FIXED.fullmatch(self.text.fixed):
            problems.errors.append(
                f"{problems.place}: unsubscribe = {setting!r}: must be a link that "
                "begins with https:// and is plain ASCII without blanks, such as "
                "https://acme.example/u/{{token}}, or a variable that is one: "
                "{{{link}}}"
            )

    def fields(self, values: Values) -> tuple[Field, ...]:
        """The two fields; none where the whole link is empty.

        A value is percent-encoded, but in three braces. Raises Refused.
        """
        if not self.text.pieces:
            return ()
        link = values.fill(self.text, encoded, raw=one_line)
        return () if values.not_given else fields_of(link)


def fields_of(link: str) -> tuple[Field, ...]:
    """The two fields of a link; none of an empty one. Raises Refused."""
    link = link.strip()
    if not link:
        return ()
    if not _LINK.fullmatch(link):
        raise no_link("unsubscribe")
    return folded("List-Unsubscribe", f"<{link}>"), _POST


def encoded(value: str) -> str:
    """A value as a part of the link."""
    # A lone half of a surrogate pair, which has no bytes, is a question mark.
    return quote(value, safe="", errors="replace")
