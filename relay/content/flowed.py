"""Text in `format=flowed`, RFC 3676: lines that end in a space go on in the next."""

from __future__ import annotations


def joined(text: str, *, delete_space: bool) -> str:
    """The paragraphs, a line each; quotes keep their marks."""
    lines: list[str] = []
    paragraph: list[str] = []
    depth = 0
    flows = False
    for line in text.split("\n"):
        content = line.lstrip(">")
        quoted = len(line) - len(content)
        content = content.removeprefix(" ")  # put there for the sake of what follows
        signature = content == "-- "
        if not (flows and quoted == depth and not signature):
            if paragraph:
                lines.append(_line(depth, paragraph))
            paragraph, depth = [], quoted
        flows = content.endswith(" ") and not signature
        paragraph.append(content[:-1] if flows and delete_space else content)
    return "\n".join([*lines, _line(depth, paragraph)])


def _line(depth: int, paragraph: list[str]) -> str:
    text = "".join(paragraph)
    if text != "-- ":
        text = text.rstrip(" ")  # of a paragraph whose next line is not its own
    return f"{'>' * depth} {text}" if depth else text
