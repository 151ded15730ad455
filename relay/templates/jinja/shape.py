"""A text as one of a template's ways through its conditions and loops makes it.

What stands in it between the values is the same for each mail that takes the same way,
so it is taken apart once: encoded, turned into text, searched for places where a value
does harm. The next such mail pays for its values alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

from relay.content import html_to_text
from relay.content.html_tags import Tag, attributes, referenced, tokens
from relay.content.original import Original
from relay.model.replies import not_a_link
from relay.templates.jinja.pieces import MADE, PLAIN, TRUSTED, Shown, is_whole
from relay.templates.limits import Budget
from relay.templates.placeholder import Text, Values, Variable
from relay.templates.places import ALLOWED_LINKS, Link, Places, is_harmless
from relay.templates.prepared_part import PreparedPart
from relay.templates.template import escaped, same, text_of

# What shapes of one template are kept, and how much of its text they hold together.
MOST_SHAPES = 64
MOST_KEPT = 2_000_000
# What HTML that a filter made may link to: all but what runs, or shows something else.
_FOR_ALL = ("http:", "https:", "mailto:", "tel:", "sms:", "cid:", "data:image/")
_UNNAMED = "in an expression"

Pieces = Sequence[str | Shown]


@dataclass(frozen=True, slots=True)
class _Slot(Variable):
    """A place for a value, by its number; `path` is what the template calls it."""

    path: str = ""

    @property
    def label(self) -> str:
        return self.path or _UNNAMED


class Shape:
    """A text with places for values: the parts of a mail that are made of it."""

    def __init__(self, pieces: Pieces, *, html: bool, text_too: bool) -> None:
        slots: list[int] = []
        whole: list[str | Variable] = []
        linked: list[str | Variable] = []
        for piece in pieces:
            if not isinstance(piece, Shown):
                whole.append(piece)
                linked.append(piece)
                continue
            path, kind = piece.slot
            number = str(len(slots))
            slots.append(kind)
            said = f"{{{{ {path} }}}}"
            whole.append(_Slot(number, kind != PLAIN, said, path))
            name = f"{number}u" if kind == MADE else number
            linked.append(_Slot(name, kind == TRUSTED, said, path))
        text = Text(tuple(whole))
        self.html: PreparedPart | None = None
        self.text: PreparedPart | None = None
        self._links: tuple[Link, ...] = ()
        self.has_script_links = False
        self._text_too = text_too
        if not html:
            self.text = PreparedPart(text, "plain")
            return
        self.html = PreparedPart(text, "html")
        places = Places(Text(tuple(linked)))
        self._links = tuple(places.links)
        self.has_script_links = places.script_links > 0
        if text_too:
            self.text = PreparedPart(_as_text(text, slots), "plain")

    def filled(
        self, pieces: Pieces, original: Original
    ) -> tuple[list[bytes] | None, list[bytes] | None]:
        """The text part and the HTML part with their values. Raises Refused."""
        given: dict[str, str] = {}
        shown = (piece for piece in pieces if isinstance(piece, Shown))
        for number, piece in enumerate(shown):
            path, kind = piece.slot
            given[str(number)] = piece.plain
            if kind == PLAIN or self.html is None:
                continue
            if kind == MADE:
                given[f"{number}u"] = unescape(piece.plain)
                _look_at(piece.plain, path)
            if self._text_too:
                given[f"{number}t"] = (
                    original.text
                    if path == "message.html"
                    else html_to_text.from_html(piece.plain)
                )
        values = Values(given, original, "empty")
        text = None if self.text is None else self.text.fill(values, same)
        if self.html is None:
            return text, None
        for link in self._links:
            link.check(values)
        return text, self.html.fill(values, escaped, raw=same)


class Shapes:
    """The shapes of one text, as mails bring them."""

    def __init__(self, *, html: bool, text_too: bool = False) -> None:
        self._html = html
        self._text_too = text_too
        self._known: dict[tuple[object, ...], Shape] = {}
        self._kept = 0

    def parts(
        self, pieces: Pieces, original: Original, budget: Budget
    ) -> tuple[list[bytes] | None, list[bytes] | None]:
        """The text part and the HTML part of a mail. Raises Refused and TakesLong."""
        if self._html:
            pieces, is_one_off = _without_fragments(pieces)
            if is_one_off:
                return self._one_off(pieces).filled(pieces, original)
        key = tuple(
            [piece.slot if isinstance(piece, Shown) else piece for piece in pieces]
        )
        shape = self._known.get(key)
        if shape is None:
            size = sum(len(piece) for piece in pieces if not isinstance(piece, Shown))
            budget.finish(size * (70 if self._text_too else 10))
            shape = Shape(pieces, html=self._html, text_too=self._text_too)
            self._keep(key, shape, size)
        return shape.filled(pieces, original)

    def _one_off(self, pieces: Pieces) -> Shape:
        shape = Shape(pieces, html=True, text_too=self._text_too)
        if shape.has_script_links:
            raise not_a_link(_UNNAMED, _FOR_ALL)
        return shape

    def _keep(self, key: tuple[object, ...], shape: Shape, size: int) -> None:
        if len(self._known) >= MOST_SHAPES or self._kept + size > MOST_KEPT:
            self._known = {}
            self._kept = 0
        if size <= MOST_KEPT:
            self._known[key] = shape
            self._kept += size


def _as_text(html: Text, kinds: Sequence[int]) -> Text:
    """The text of the HTML; what is HTML itself has its own text there."""
    return Text(
        tuple(
            _Slot(f"{piece.name}t", False, piece.whole)
            if isinstance(piece, Variable) and kinds[int(piece.name)] != PLAIN
            else piece
            for piece in text_of(html).pieces
        )
    )


def _without_fragments(pieces: Pieces) -> tuple[Pieces, bool]:
    """Pieces in which HTML that is no whole is the template's own text.

    It may begin a link that a value ends, so it is looked at with what is around it.
    """
    if not any(
        isinstance(piece, Shown) and piece.slot[1] == MADE and not is_whole(piece.plain)
        for piece in pieces
    ):
        return pieces, False
    return [
        piece.plain
        if isinstance(piece, Shown)
        and piece.slot[1] == MADE
        and not is_whole(piece.plain)
        else piece
        for piece in pieces
    ], True


def _look_at(html: str, path: str) -> None:
    """Refuse HTML made of values in which a link leads where none may."""
    if "<" not in html:
        return
    for tag in tokens(html):
        if not isinstance(tag, Tag):
            continue
        for attribute in attributes(tag.source):
            if attribute.name.lower() in ALLOWED_LINKS and not is_harmless(
                referenced(attribute.value), _FOR_ALL
            ):
                raise not_a_link(path or _UNNAMED, _FOR_ALL)
