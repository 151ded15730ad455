"""HTML to plain text: what a reader without HTML is to see; linear in its input."""

from __future__ import annotations

import re
from collections.abc import Iterable

from relay.content.html_tags import (
    MOST_AT_ONCE,
    Run,
    Tag,
    attributes,
    referenced,
    tokens,
    usual_tag,
)

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

# The line ends that are due around an element.
_DUE = {**dict.fromkeys(_BLOCK, 1), **dict.fromkeys(_PARAGRAPH, 2)}

# Tags and blanks that make line ends due, and nothing else: the most of a layout. Their
# styles do not hide them.
_MOVING = {*_DUE, "b", "font", "span", "strong", "td", "th"} - {"li", "pre"}
_SHOWN = "(?: [^%s&Dd]++ | (?!(?i:disp)) [Dd] )*"
_MOVES = re.compile(
    rf"""(?: [ \t\r\n\f]++
      | {usual_tag("|".join(sorted(_MOVING)), _SHOWN)}
    ){{1,{MOST_AT_ONCE}}}""",
    re.VERBOSE,
)
# Elements that say something in an attribute; of others, where a style may be hidden.
_SAYING = frozenset({"a", "img"})
_HIDDEN = re.compile(r"display\s*+:\s*+none", re.IGNORECASE)
_BLANKS = " \t\r\n\f"
_SPACE = re.compile(rf"[{_BLANKS}]+")
_LINE_END = re.compile(r"\r\n?")


def from_html(html: str, *, bare_links: bool = False) -> str:
    """Make readable text of `html`; lines end in LF, and it never fails.

    As in a browser, what has no end reaches to the end: a comment, a quote, a tag.
    `bare_links`: a link's target stands alone between white space, not in brackets.
    """
    writer = _Writer(bare_links=bare_links)
    writer.write(tokens(html, _MOVES))
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
        self._moves: dict[str, tuple[int, bool]] = {}  # line ends and space of a run

    def write(self, html: Iterable[str | Tag]) -> None:
        for token in html:
            if isinstance(token, Run):
                self._run(token)
            elif isinstance(token, str):
                self.text(token)
            elif token.closing:
                self.close(token.name)
            elif token.whole:
                self.open(token)

    def _run(self, run: Run) -> None:
        """Move as all of its tags do; one and the same run comes again and again."""
        if self._pre or self._skipped:
            self.write(tokens(run))
            return
        if run not in self._moves:
            alone = _Writer(bare_links=False)
            alone.write(tokens(run))
            self._moves[run] = alone._breaks, alone._space
        breaks, space = self._moves[run]
        self._breaks = max(self._breaks, breaks)
        self._space |= space

    def text(self, source: str) -> None:
        if not source or self._skipped:
            return
        if "&" in source:
            source = referenced(source)
        if self._pre:
            self._write(_LINE_END.sub("\n", source))
            return
        words = source.strip(_BLANKS)
        if not words:
            self._space |= source != ""
            return
        if source[0] in _BLANKS:
            self._space = True
        self._write(_SPACE.sub(" ", words))
        self._space = source[-1] in _BLANKS

    def open(self, tag: Tag) -> None:
        name = tag.name
        if self._skipped:
            if name == self._skipped and not tag.closes_itself:
                self._depth += 1
            return
        given: dict[str, str] = {}
        if name in _SAYING or "&" in tag.source or _HIDDEN.search(tag.source):
            for each in attributes(tag.source):
                given.setdefault(each.name.lower(), referenced(each.value))
        hidden = _HIDDEN.search(given["style"]) if "style" in given else None
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
        due = _DUE.get(name, 0)
        if due > self._breaks:
            self._breaks = due

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
