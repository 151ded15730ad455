"""HTML to plain text: what a reader without HTML is to see; linear in its input."""

from __future__ import annotations

import re

from relay.content.html_tags import Tag, attributes, referenced, tokens

_SKIPPED = frozenset({"script", "style", "head", "title", "template"})
_VOID = frozenset(
    {
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "param",
        "source",
        "track",
        "wbr",
    }
)
_BLOCK = frozenset(
    {
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "header",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    }
)
_PARAGRAPH = frozenset(
    {
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "table",
        "blockquote",
        "pre",
        "dl",
    }
)

_HIDDEN = re.compile(r"display\s*+:\s*+none", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_LINE_END = re.compile(r"\r\n?")


def from_html(html: str, *, bare_links: bool = False) -> str:
    """Make readable text of `html`; lines end in LF, and it never fails.

    As in a browser, what has no end reaches to the end: a comment, a quote, a tag.
    `bare_links`: a link's target stands alone between white space, not in brackets.
    """
    writer = _Writer(bare_links=bare_links)
    for token in tokens(html):
        if isinstance(token, str):
            writer.text(token)
        elif token.closing:
            writer.close(token.name)
        elif token.whole:
            writer.open(token)
    return writer.result()


class _Writer:
    """Collects text; knows how many line ends are due before the next word."""

    def __init__(self, *, bare_links: bool) -> None:
        self._bare_links = bare_links
        self._out: list[str] = []
        self._breaks = 0  # line ends due before the next word
        self._space = False  # a space is due before the next word
        self._pre = 0
        self._skipped = ""  # the element that is being skipped, and its depth
        self._depth = 0
        self._links: list[tuple[str, int]] = []

    def text(self, source: str) -> None:
        if not source or self._skipped:
            return
        source = referenced(source)
        if self._pre:
            self._write(_LINE_END.sub("\n", source))
            return
        words = _SPACE.sub(" ", source)
        if words.startswith(" "):
            self._space = True
        stripped = words.strip(" ")
        if stripped:
            self._write(stripped)
            self._space = words.endswith(" ")

    def open(self, tag: Tag) -> None:
        name = tag.name
        if self._skipped:
            if name == self._skipped and not tag.closes_itself:
                self._depth += 1
            return
        given: dict[str, str] = {}
        for each in attributes(tag.source) if "=" in tag.source else ():
            given.setdefault(each.name.lower(), referenced(each.value))
        hidden = _HIDDEN.search(given.get("style", ""))
        if (name in _SKIPPED or hidden) and name not in _VOID:
            self._skipped, self._depth = name, 1
            return
        self._around(name)
        match name:
            case "br":
                # A br at the end of a line ends that line; each further is one more.
                self._breaks += 1
                self._space = False
            case "hr":
                self._breaks = max(self._breaks, 1)
                self._write("-" * 20)
                self._breaks = 1
            case "li":
                self._write("- ")
            case "img" if not hidden:
                self.text(given.get("alt", "").replace("&", "&amp;"))
            case "td" | "th":
                self._space = True
            case "pre":
                self._pre += 1
            case "a":
                self._links = [(given.get("href", ""), len(self._out))]
                self._space |= self._bare_links

    def close(self, name: str) -> None:
        if self._skipped:
            if name == self._skipped:
                self._depth -= 1
                if not self._depth:
                    self._skipped = ""
            return
        if name == "a" and self._links:
            self._link(*self._links.pop())
            self._space |= self._bare_links
        if name == "pre":
            self._pre = max(0, self._pre - 1)
        self._around(name)

    def _link(self, target: str, start: int) -> None:
        target = target.strip().replace("\r", "").replace("\n", "")
        label = "".join(self._out[start:]).strip()
        if not target or target.startswith("#") or target == label:
            return
        if target.lower() in (f"mailto:{label}".lower(), f"tel:{label}".lower()):
            return
        self._space = bool(label)
        self._write(f"<{target}>" if label and not self._bare_links else target)

    def _around(self, name: str) -> None:
        if name in _PARAGRAPH:
            self._breaks = max(self._breaks, 2)
        elif name in _BLOCK:
            self._breaks = max(self._breaks, 1)

    def _write(self, text: str) -> None:
        if self._breaks:
            if self._out:
                self._out.append("\n" * self._breaks)
        elif self._space and self._out:
            self._out.append(" ")
        self._breaks, self._space = 0, False
        self._out.append(text)

    def result(self) -> str:
        text = "".join(self._out).replace("\u00a0", " ")
        lines = [line.rstrip(" \t") for line in text.split("\n")]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
