"""Styles moved to the elements that they are for, once at load, by `ses-relay[css]`.

The library says which style each element has, and that alone is put into the template's
own text: all else stays byte for byte, placeholders, blocks, comments and line ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from relay.content.html_tags import Attribute, Tag, attributes, tokens
from relay.templates.marks import Mark, Marks

NEEDS_EXTRA = "needs the extra: pip install 'ses-relay[css]'"

_NUMBER = "data-relay-number"
# What brings elements that are not known at load: the rules stay for these.
_BRINGS = re.compile(
    r"\{\{\{|message\.html|\|\s*safe\b|\{%-?\s*(?:block|extends|from|import|include)\b"
)
_CHOOSING = ("class", "id", "style")
_IN_TABLE = {
    **dict.fromkeys(("tbody", "thead", "tfoot", "tr"), "<table>"),
    **dict.fromkeys(("td", "th"), "<table><tr>"),
}
_TABLE_END = re.compile(r"</table\b", re.IGNORECASE)
_ALL_MEDIA = ("", "all", "screen")

Say = Callable[[int, str], None]  # a line of the HTML, and what is wrong there


class CssError(Exception):
    """The styles cannot be inlined; the text is for the operator."""


@dataclass(slots=True)
class _Element:
    """An opening tag; `style` is what is to be put into it."""

    tag: Tag
    given: list[Attribute]
    css: str | None = None  # the content of a style element
    css_end: int = 0
    is_read: bool = False  # whether its rules are those to inline
    style: str = ""


@dataclass(slots=True)
class _Html:
    """An HTML taken apart."""

    text: str
    elements: list[_Element] = field(default_factory=list)


def inlined(
    html: str, syntax: str, say: Say, *, css: str = "", own_styles: bool = True
) -> str:
    """The HTML with its styles, and `css`, at its elements.

    What has to stay in a style element does: media queries, `:hover`, rules that no
    element has. A line stays the line that it was. `say` hears of what cannot be kept;
    raises CssError.
    """
    try:
        import css_inline
    except ImportError:
        raise CssError(NEEDS_EXTRA) from None
    marks = Marks(html + css, syntax)
    found = _taken_apart(_marked(html, marks))
    if not _can_be_kept(found, marks, say):
        return html
    inliner = css_inline.CSSInliner(
        keep_style_tags=True,
        remove_inlined_selectors=True,
        load_remote_stylesheets=False,
        extra_css=_marked(css, marks) or None,
    )
    try:
        made = inliner.inline(_for_library(found, marks, own_styles=own_styles))
    except ValueError as error:
        raise CssError(f"the styles cannot be read: {error}") from error
    whole = any(_is_open(element, marks) for element in found.elements) or any(
        _BRINGS.search(mark.piece) for mark in marks.of(found.text)
    )
    _take_over(found, made, marks, keep_rules=whole)
    return marks.restored("".join(_put_together(found, marks)))


def styles(html: str, syntax: str) -> str:
    """The rules of an HTML that can be put at elements, of other files too."""
    marks = Marks(html, syntax)
    found = _taken_apart(_marked(html, marks))
    return marks.restored(
        "\n".join(
            element.css or ""
            for element in found.elements
            if _can_be_inlined(element, marks)
        )
    )


def _marked(text: str, marks: Marks) -> str:
    pieces: list[str] = []
    end, line = 0, 1
    for match in marks.found(text):
        line += text.count("\n", end, match.start())
        pieces += (text[end : match.start()], marks.hide(match[0], line, ""))
        line += match[0].count("\n")
        end = match.end()
    return "".join([*pieces, text[end:]])


def _taken_apart(text: str) -> _Html:
    found = _Html(text)
    for token in tokens(text):
        if isinstance(token, str):
            last = found.elements[-1] if found.elements else None
            if last is None or last.tag.name != "style" or last.tag.closes_itself:
                continue
            if last.css is None:
                last.css, last.css_end = token, last.tag.end + len(token)
        elif not token.closing:
            found.elements.append(_Element(token, list(attributes(token.source))))
    return found


def _can_be_kept(found: _Html, marks: Marks, say: Say) -> bool:
    """Whether no block decides which rules an element has; else that is said."""
    fine = True
    for element in found.elements:
        inside: Mark | None = None  # a block between attributes
        for each in element.given:
            if blocks := [mark for mark in marks.of(each.name) if mark.is_block]:
                ended = blocks[-1].piece.strip("{%- ").startswith("end")
                inside = None if ended else blocks[-1]
            name = _name(each, marks)
            if name not in _CHOOSING:
                continue
            block = next((m for m in marks.of(each.value) if m.is_block), inside)
            if block is not None and (name != "style" or inside):
                say(
                    block.line,
                    f"inlineCss: {marks.shown(block)} decides on {name} of "
                    f"<{element.tag.name}>, so its styles are not known at load; write "
                    "the element once for each case",
                )
                fine = False
    return fine


def _name(attribute: Attribute, marks: Marks) -> str:
    """Its name, of which a mark right before it is no part."""
    return marks.pattern.sub("", attribute.name).lower()


def _is_open(element: _Element, marks: Marks) -> bool:
    """Whether a value may be a class, which is not known at load."""
    return any(
        _name(each, marks) in ("class", "id") and marks.pattern.search(each.value)
        for each in element.given
    )


def _for_library(found: _Html, marks: Marks, *, own_styles: bool) -> str:
    """The HTML with a number at each element, without blocks and its own styles."""
    pieces: list[str] = []
    end = tables = 0
    for number, element in enumerate(found.elements):
        tag = element.tag
        before = found.text[end : tag.start]
        pieces.append(_without_blocks(before, marks))
        tables = max(0, tables - len(_TABLE_END.findall(before)))
        if tag.name == "table":
            tables += 1
        elif tag.name in _IN_TABLE and not tables:
            # A file that is included may have rows alone, which a browser leaves out.
            pieces.append(_IN_TABLE[tag.name])
            tables = 1
        pieces.append(f'<{tag.name} {_NUMBER}="{number}"')
        for each in element.given:
            name = _name(each, marks)
            if name not in ("", "style"):
                value = each.value.replace('"', "&quot;")
                pieces.append(f' {name}="{value}"')
        element.is_read = own_styles and _can_be_inlined(element, marks)
        if element.css is not None and not element.is_read:
            pieces.append(' data-css-inline="ignore"')
        pieces.append(" />" if tag.closes_itself else ">")
        end = tag.end
    pieces.append(_without_blocks(found.text[end:], marks))
    return "".join(pieces)


def _without_blocks(text: str, marks: Marks) -> str:
    return marks.pattern.sub(
        lambda match: "" if marks[int(match[1])].is_block else match[0], text
    )


def _can_be_inlined(element: _Element, marks: Marks) -> bool:
    """Whether a style element is for all readers, and its marks are values in rules."""
    if element.css is None:
        return False
    for each in element.given:
        if each.name.lower() == "media" and each.value.lower() not in _ALL_MEDIA:
            return False
    depth = 0
    for piece in re.split(rf"([{{}}]|{marks.pattern.pattern})", element.css):
        if piece in ("{", "}"):
            depth += 1 if piece == "{" else -1
            if depth < 0:
                return False
        elif (
            piece
            and (match := marks.pattern.fullmatch(piece))
            and (depth == 0 or marks[int(match[1])].is_block)
        ):
            return False
    return True


def _take_over(found: _Html, made: str, marks: Marks, *, keep_rules: bool) -> None:
    """Read what the library made of each element."""
    style_of: _Element | None = None
    for token in tokens(made):
        if isinstance(token, Tag):
            style_of = None
            if token.closing:
                continue
            given = {each.name: each.value for each in attributes(token.source)}
            number = given.get(_NUMBER, "")
            if not number.isdecimal() or int(number) >= len(found.elements):
                continue
            element = found.elements[int(number)]
            element.style = given.get("style", "")
            if element.is_read and not keep_rules:
                style_of = element
                element.css = _with_lines_of(element.css or "", "", marks)
        elif style_of is not None:
            style_of.css = _with_lines_of(style_of.css or "", token, marks)


def _with_lines_of(old: str, new: str, marks: Marks) -> str:
    """The new rules in as many lines as the old ones had."""
    new = new.strip()
    more = marks.restored(old).count("\n") - marks.restored(new).count("\n")
    if more < 0:
        new = " ".join(new.rsplit("\n", -more))
        more = marks.restored(old).count("\n") - marks.restored(new).count("\n")
    if more and old.startswith("\n"):
        return "\n" + new + "\n" * (more - 1)
    return new + "\n" * more


def _put_together(found: _Html, marks: Marks) -> Iterator[str]:
    end = 0
    for element in found.elements:
        tag = element.tag
        yield found.text[end : tag.start]
        yield _with_style(found.text[tag.start : tag.end], element)
        end = tag.end
        if element.css is not None:
            yield element.css
            end = element.css_end
    yield found.text[end:]


def _with_style(tag: str, element: _Element) -> str:
    """The tag with the style before its own, which goes on to be the stronger one."""
    if not element.style:
        return tag
    position = 1 + len(element.tag.name)
    start = position
    for each in element.given:
        position = tag.index(each.name, position) + len(each.name)
        if each.quote:
            position = tag.index(each.quote, position) + 1
        elif each.value:
            position = tag.index(each.value, position)
        if each.name.lower() == "style":
            after = tag[position + len(each.value) :]
            if each.quote:
                style = element.style.replace(each.quote, "&#39;")
                return f"{tag[:position]}{style}{each.value}{after}"
            quoted = f'"{element.style}{each.value}"'
            return f"{tag[:position]}{'' if each.value else '='}{quoted}{after}"
        position += len(each.value) + len(each.quote)
    return f'{tag[:start]} style="{element.style}"{tag[start:]}'
