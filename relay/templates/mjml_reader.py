"""MJML as its compiler is to see it: elements, with marks for all that they hold.

What the compiler would call "unexpected", or leave out without a word, is found here
with its line: elements that do not belong where they stand, text between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from relay.content.html_tags import Tag, attributes, tag_at
from relay.templates.folder_file import UnusableFileError, folder_file
from relay.templates.marks import Marks
from relay.templates.mjml_elements import HOLD, HOLD_HTML, KNOWN, WITH_BLOCKS
from relay.templates.source import Source

MAX_INCLUDED_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_ERRORS = 50

_SPECIAL = re.compile(r"[&<>\"']")


@dataclass(frozen=True, slots=True)
class _File:
    """What is read: where a line of it is, and the line of the template for it."""

    at: Callable[[int], str]
    line: int | None  # of the include; None: the template itself
    names: tuple[str, ...]  # of the files that include it


class _Lines:
    """The line of each position of a marked text, asked for in their order."""

    def __init__(self, text: str, marks: Marks) -> None:
        self._text, self._marks = text, marks
        self._position = 0
        self._line = 1

    def at(self, position: int) -> int:
        between = self._text[self._position : position]
        self._line += self._marks.restored(between).count("\n")
        self._position = position
        return self._line


class MjmlReader:
    """Reads one template, and what it includes.

    `before` and `after` are blocks outside of its root, `inline_css` the styles that
    are to be inlined, `may_go` the marks that need not come out.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.marks = Marks(source.content, source.syntax)
        self.out: list[str] = []
        self.before: list[str] = []
        self.after: list[str] = []
        self.inline_css: list[str] = []
        self.may_go: set[int] = set()
        self.errors: list[str] = []
        self._open: list[tuple[str, str]] = []  # name and place of each open element
        self._has_root = False

    def read(self) -> None:
        """Read the template's content."""
        at = self._source.at
        self._read(
            self._source.content, _File(lambda line: at("content", line), None, ())
        )
        for name, place in reversed(self._open):
            self._wrong(place, f"<{name}> is not closed; there is no </{name}>")
        if not self._has_root and not self.errors:
            self._wrong(
                at("content"), "has no <mjml>; a layout is what mj-include includes"
            )

    def _wrong(self, place: str, text: str) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(f"{place}: {text}")

    def _hide(self, piece: str, line: int, file: _File) -> str:
        own = line if file.line is None else file.line
        return self.marks.hide(
            piece, own, file.at(line), included=file.line is not None
        )

    def _read(self, content: str, file: _File) -> None:
        text = self._marked(content, file)
        lines = _Lines(text, self.marks)
        position = 0
        while position < len(text):
            start = text.find("<", position)
            start = len(text) if start < 0 else start
            if text[position:start].strip():
                self._text(text[position:start], file.at(lines.at(position)))
            if start == len(text):
                return
            line = lines.at(start)
            if text.startswith("<!--", start):
                position = self._comment(text, start, line, file)
            elif text.startswith(("<!", "<?"), start):
                position = text.find(">", start) + 1 or len(text)
            elif (tag := tag_at(text, start)) is None or not tag.whole:
                self._wrong(file.at(line), "a < that begins no tag; write &lt;")
                return
            elif tag.closing:
                position = tag.end
                self._close(tag, file.at(line))
            else:
                position = self._element(text, tag, line, lines, file)

    def _marked(self, content: str, file: _File) -> str:
        pieces: list[str] = []
        end = 0
        line = 1
        for match in self.marks.found(content):
            pieces.append(content[end : match.start()])
            line += content.count("\n", end, match.start())
            pieces.append(self._hide(match[0], line, file))
            line += match[0].count("\n")
            end = match.end()
        pieces.append(content[end:])
        return "".join(pieces)

    def _text(self, text: str, place: str) -> None:
        """What stands between elements: blocks may, words may not."""
        words = self.marks.pattern.sub("", text).strip()
        if words:
            where = f"in <{self._open[-1][0]}>" if self._open else "outside of <mjml>"
            self._wrong(
                place, f"text stands {where}, and would be lost; put it into mj-text"
            )
            return
        for match in self.marks.pattern.finditer(text):
            if not self._open:
                (self.after if self._has_root else self.before).append(match[0])
            elif self._open[-1][0] in WITH_BLOCKS:
                self.out.append(f"<mj-raw>{match[0]}</mj-raw>")
            else:
                mark = self.marks[int(match[1])]
                shown = self.marks.shown(mark)
                self._wrong(
                    mark.place,
                    f"{shown} may not stand in <{self._open[-1][0]}>; put it into "
                    "the text or the value of an element",
                )

    def _comment(self, text: str, start: int, line: int, file: _File) -> int:
        end = text.find("-->", start + 4)
        if end < 0:
            self._wrong(file.at(line), "<!-- is not closed")
            return len(text)
        said = text[start + 4 : end]
        self.may_go |= self.marks.within(said)
        if self._open and self._open[-1][0] in WITH_BLOCKS:
            self.out.append(
                f"<mj-raw>{self._hide(f'<!--{said}-->', line, file)}</mj-raw>"
            )
        return end + 3

    def _close(self, tag: Tag, place: str) -> None:
        if self._open and self._open[-1][0] == tag.name:
            self._open.pop()
            self.out.append(f"</{tag.name}>")
        elif not self._open:
            self._wrong(place, f"</{tag.name}> closes nothing")
        elif tag.name in [name for name, _ in self._open]:
            while self._open[-1][0] != tag.name:
                name, opened = self._open.pop()
                self._wrong(opened, f"<{name}> is not closed before </{tag.name}>")
            self._open.pop()
        else:
            self._wrong(
                place, f"</{tag.name}> closes nothing; <{self._open[-1][0]}> is open"
            )

    def _element(
        self, text: str, tag: Tag, line: int, lines: _Lines, file: _File
    ) -> int:
        """Take an element over, and say where to go on."""
        place = file.at(line)
        self._look_at_place(tag.name, place, file)
        given = self._attributes(tag, line, file)
        if tag.name == "mj-include":
            self._include(given, line, file)
            return tag.end if tag.closes_itself else self._end(text, tag)[1]
        if tag.name == "mjml":
            self._has_root = True
            if self._source.locale and "lang" not in given:
                given["lang"] = self._source.locale
        written = "".join(f' {name}="{value}"' for name, value in given.items())
        if tag.closes_itself:
            self.out.append(f"<{tag.name}{written}/>")
            return tag.end
        if tag.name not in HOLD_HTML:
            self.out.append(f"<{tag.name}{written}>")
            self._open.append((tag.name, place))
            return tag.end
        stop, end = self._end(text, tag)
        if not end:
            self._wrong(place, f"<{tag.name}> is not closed; there is no </{tag.name}>")
            return len(text)
        content = text[tag.end : stop]
        if tag.name == "mj-style" and given.get("inline") == "inline":
            self.may_go |= self.marks.within(content)
            self.inline_css.append(content)
            return end
        held = self._hide(content, lines.at(tag.end), file) if content.strip() else ""
        self.out.append(f"<{tag.name}{written}>{held}</{tag.name}>")
        return end

    def _end(self, text: str, tag: Tag) -> tuple[int, int]:
        """Where an element's content ends, and where it does; 0: nowhere."""
        found = re.compile(rf"</{tag.name}\s*>", re.IGNORECASE).search(text, tag.end)
        return (len(text), 0) if found is None else found.span()

    def _look_at_place(self, name: str, place: str, file: _File) -> None:
        parent = self._open[-1][0] if self._open else ""
        inside = f"in <{parent}>" if parent else "outside of <mjml>"
        if name == "mjml" and file.line is not None:
            self._wrong(
                place,
                "a file that is included is no whole <mjml>; keep what stands in its "
                "mj-body, or in its mj-head, alone",
            )
        elif name not in KNOWN:
            close = get_close_matches(name, KNOWN, 1)
            hint = f"did you mean <{close[0]}>?" if close else "HTML goes into mj-raw"
            self._wrong(
                place, f"<{name}> {inside} is no element that the compiler has; {hint}"
            )
        elif name == "mj-include":
            return
        elif not parent:
            if name != "mjml" or self._has_root:
                self._wrong(place, f"<{name}> stands outside of <mjml>")
        elif parent in HOLD and name not in HOLD[parent]:
            fitting = ", ".join(sorted(HOLD[parent] - {"mj-raw"}))
            self._wrong(
                place, f"<{name}> may not stand {inside}, which holds {fitting}"
            )

    def _attributes(self, tag: Tag, line: int, file: _File) -> dict[str, str]:
        given: dict[str, str] = {}
        for each in attributes(tag.source.rstrip().removesuffix("/")):
            if self.marks.pattern.search(each.name):
                mark = self.marks.of(each.name)[0]
                shown = self.marks.shown(mark)
                self._wrong(
                    mark.place,
                    f"{shown} stands between the attributes of <{tag.name}>; MJML "
                    "takes it in a value, or between elements",
                )
            elif not each.quote:
                self._wrong(
                    file.at(line), f"{each.name} of <{tag.name}> needs quotes around it"
                )
            elif each.name in given:
                self._wrong(file.at(line), f"<{tag.name}> has {each.name} twice")
            else:
                given[each.name] = self._value(each.value, line, file)
        return given

    def _value(self, value: str, line: int, file: _File) -> str:
        """As it is, or a mark: for what XML has other words, and for blocks."""
        if _SPECIAL.search(value) or any(
            mark.is_block for mark in self.marks.of(value)
        ):
            hidden = self._hide(value.replace('"', "&quot;"), line, file)
            if not self.marks.of(value):
                self.may_go |= self.marks.within(hidden)
            return hidden
        return value

    def _include(self, given: dict[str, str], line: int, file: _File) -> None:
        place = file.at(line)
        name = given.get("path", "")
        folder = self._source.folder
        if not name or self.marks.pattern.search(name):
            self._wrong(place, "mj-include needs a path, a fixed one: it is read once")
            return
        if folder is None:
            self._wrong(
                place,
                f"mj-include {name}: there is no folder to look for it; set "
                "templatesDir, or contentFile instead of content",
            )
            return
        if name in file.names or len(file.names) >= MAX_DEPTH:
            self._wrong(place, f"mj-include {name}: includes itself")
            return
        try:
            data = folder_file(folder.path, name, at_most=MAX_INCLUDED_BYTES)
            text = data.decode("utf-8-sig").replace("\r\n", "\n")
        except FileNotFoundError:
            self._wrong(
                place, f"mj-include {name}: there is no such file in {folder.path}"
            )
            return
        except UnusableFileError as error:
            self._wrong(place, f"mj-include {name}: {error}")
            return
        except UnicodeDecodeError:
            self._wrong(place, f"mj-include {name}: is not UTF-8")
            return
        path = folder.path / name
        own = line if file.line is None else file.line
        inner = _File(lambda number: f"{path}:{number}", own, (*file.names, name))
        match given.get("type", "mjml"):
            case "css":
                inline = given.get("css-inline") == "inline"
                self._css(self._marked(text, inner), inner, inline=inline)
            case "html":
                held = self._hide(self._marked(text, inner), 1, inner)
                self.out.append(f"<mj-raw>{held}</mj-raw>")
            case _:
                depth = len(self._open)
                self._read(text, inner)
                for unclosed, opened in self._open[depth:]:
                    self._wrong(opened, f"<{unclosed}> is not closed in this file")
                del self._open[depth:]

    def _css(self, css: str, file: _File, *, inline: bool) -> None:
        if inline:
            self.may_go |= self.marks.within(css)
            self.inline_css.append(css)
        else:
            self.out.append(f"<mj-style>{self._hide(css, 1, file)}</mj-style>")
