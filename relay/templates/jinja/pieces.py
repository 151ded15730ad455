"""What a template makes, in pieces: its own text, and the values between.

A piece of the template is a plain `str`, one of the mail a `Shown`. What macros and
captured blocks make is `Built` of pieces, so that a value inside is still known as one.
All of these are texts with their values in place, escaped where that is due.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from relay.content.html_tags import Tag, tokens

PLAIN = 0  # is escaped at its place
MADE = 1  # HTML that a filter made of values
TRUSTED = 2  # HTML because the template says so, by |safe


class Safe(Markup):
    """HTML of which the template says that it is safe."""

    __slots__ = ()


class SafeText(str):
    """The same in a text that is no HTML, such as a link that is whole."""

    __slots__ = ()


class Built(Markup):
    """What a macro, a block or a captured text made, in HTML."""

    pieces: tuple[str | Shown, ...]

    @classmethod
    def of(cls, pieces: Iterable[str | Shown]) -> Built:
        """The pieces as one text, as long as nobody changes it."""
        inner = tuple(pieces)
        made = cls("".join(inner))
        made.pieces = inner
        return made

    def __str__(self) -> str:
        return self


class BuiltText(str):
    """The same in a text that is no HTML."""

    __slots__ = ("pieces",)
    pieces: tuple[str | Shown, ...]

    @classmethod
    def of(cls, pieces: Iterable[str | Shown]) -> BuiltText:
        """The pieces as one text."""
        inner = tuple(pieces)
        made = cls("".join(inner))
        made.pieces = inner
        return made

    def __str__(self) -> str:
        return self


class Shown(str):
    """A value at its place: itself the text as it stands there, `plain` its own."""

    __slots__ = ("plain", "slot")
    plain: str
    slot: tuple[str, int]  # the variable's name, and one of the kinds above

    @classmethod
    def of(cls, text: str, plain: str, slot: tuple[str, int]) -> Shown:
        """A value whose text at its place is `text`."""
        made = cls(text)
        made.plain = plain
        made.slot = slot
        return made

    def __str__(self) -> str:
        return self


def is_whole(html: str) -> bool:
    """Whether a piece of HTML begins and ends outside of tags."""
    if "<" not in html and ">" not in html:
        return True
    return all(
        token.whole if isinstance(token, Tag) else not {"<", ">"} & set(token)
        for token in tokens(html)
    )
