"""What becomes of a template's content at load, before its placeholders are looked for.

Whatever changes a content once for all mails belongs here: a language that is compiled
to HTML, styles that are moved, pictures that are found.
"""

from __future__ import annotations

from dataclasses import dataclass

from relay.templates.dress import Dress
from relay.templates.placeholder import Problems, spot
from relay.templates.source import Source


@dataclass(frozen=True, slots=True)
class Loaded:
    """The content to compile, and what belongs to its HTML.

    `images` are MIME parts with their headers, encoded: mails carry them as they are.
    `lines` has, for each line of the content, that of the source's; empty: the same.
    """

    content: str
    images: tuple[bytes, ...] = ()
    lines: tuple[int, ...] = ()

    def line(self, line: int) -> int:
        """The line of the source's content that a line of this content is of."""
        if not self.lines:
            return line
        return self.lines[min(max(line, 1), len(self.lines)) - 1]


def loaded(source: Source, problems: Problems) -> Loaded:
    """The source's content as it is compiled; what is wrong goes to `problems`."""
    content, css = source.content, ""
    lines: tuple[int, ...] = ()
    if source.content_type == "text/plain":
        return Loaded(content)
    if source.content_type == "text/mjml":
        from relay.templates import mjml

        try:
            made = mjml.compiled(source)
        except mjml.MjmlError as error:
            problems.errors.append(str(error))
            return Loaded("")
        content, lines, css = made.html, made.lines, made.inline_css
    folder = source.folder
    beside = [] if folder is None else folder.beside_of(content)
    written = Loaded("", lines=lines).line

    def at_name(name: str) -> str:
        place = source.content.find(name) if lines else -1
        return source.at("content", spot(source.content, place)[0]) if place > 0 else ""

    dress = Dress(
        None if folder is None else folder.path,
        lambda line: source.at("content", written(line)),
        at_name,
    )
    if source.inline_css:
        shared = [each.css for each in beside]
        content = dress.with_styles(
            content, source.syntax, css="\n".join([*shared, css])
        )
    elif css:
        content = dress.with_styles(content, source.syntax, css=css, own_styles=False)
    content, images = dress.with_images(content)
    for each in beside:
        images += each.images
        problems.errors += each.errors
        problems.warnings += each.warnings
    problems.errors += dress.errors
    problems.warnings += dress.warnings
    return Loaded(content, tuple(dict.fromkeys(images)), lines)
