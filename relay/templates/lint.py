"""What may be wrong with a template's mail, before anybody gets it; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType

from relay.templates.known import LOGTO, Given, Names, anywhere, is_known, meant, passed
from relay.templates.lint_html import Found, html_problems, text_problems
from relay.templates.masked import masked
from relay.templates.placeholder import spot
from relay.templates.source import Source
from relay.templates.template import Template
from relay.templates.use import Use

# Gmail shows the first 102 kB of a mail's HTML, then "Message clipped".
CLIPPED_AT = 102_000
MAX_FOUND = 50

# `file:3:7: text`, where `file` may be a place in the settings.
_MESSAGE = re.compile(r"(.+?):([0-9]+)(?::([0-9]+))?: (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Problem:
    """`file` is a file, or a setting of the settings; `row` and `column` are in it.

    `line` counts from 1 in the template's content; 0: nowhere in it.
    """

    kind: str  # variable, unused, locale, size, link, image, support, place, syntax
    text: str
    line: int = 0
    level: str = "warning"  # warning, error
    file: str = ""
    row: int = 1
    column: int = 1


def problems(
    template: Template,
    html: str | None,
    *,
    usages: Sequence[str] = (),
    given: Given = MappingProxyType({}),
) -> list[Problem]:
    """What is wrong with the template, and with the HTML that it made.

    `usages` are those that have templates; `given` is what their mail has beside what
    Logto passes, as `passed` reads it.
    """
    source = template.source
    found = [*faults(template), *_dangers(template)]
    names = passed(source.usage_type, usages or (source.usage_type,), given)
    if names is not None:
        found += _unknown(template, names, anywhere(given))
    found += _in_texts(source)
    size = len((source.content if html is None else html).encode("utf-8", "replace"))
    if size > CLIPPED_AT:
        found.append(clipped(source, size))
    return found[:MAX_FOUND]


def clipped(source: Source, size: int, locale: str = "") -> Problem:
    """Gmail's limit is passed, with the values of one locale."""
    where = f" in {locale}" if locale else ""
    text = f"{size // 1000} kB of HTML{where}: Gmail cuts it off at 102 kB"
    return Problem("size", text, file=file_of(source, "content"), row=source.first_line)


def file_of(source: Source, setting: str) -> str:
    """What a problem in this setting is said of."""
    if setting == "text" and source.text_file is not None:
        return str(source.text_file)
    if source.file is not None and (
        setting == "content" or setting in source.setting_lines
    ):
        return str(source.file)
    return f"{place_of(source)}.{setting}"


def place_of(source: Source) -> str:
    """What a message about the whole template begins with."""
    return source.place or f"template {source.usage_type}"


def located(
    source: Source, setting: str, position: int, problem: tuple[str, str, str]
) -> Problem:
    """A problem (kind, level, text) at a position of a setting."""
    kind, level, text = problem
    line, column = spot(text_of(source, setting), position)
    row = line
    if setting == "content":
        row += source.first_line - 1
    elif source.file is not None and setting in source.setting_lines:
        # Where in the line the value begins, TOML alone knows.
        row, column = source.setting_lines[setting] + line - 1, 1
        text = f"{setting}: {text}"
    return Problem(
        kind=kind,
        text=text,
        line=line if setting == "content" else 0,
        level=level,
        file=file_of(source, setting),
        row=row,
        column=column,
    )


def faults(template: Template) -> Iterator[Problem]:
    """What compiling it said."""
    source = template.source
    for level, messages in (
        ("error", template.errors),
        ("warning", template.warnings),
    ):
        yield from (said(source, message, level) for message in messages)


def said(source: Source, message: str, level: str) -> Problem:
    """A message of the templates' engine, taken apart."""
    place = place_of(source)
    match = _MESSAGE.fullmatch(message)
    if match is None:
        text = message.removeprefix(f"{place}: ")
        return Problem("syntax", text, level=level, file=place)
    file, row, column, text = match.groups()
    line = 0
    if file == file_of(source, "content"):
        line = int(row) - source.first_line + 1
    return Problem(
        "syntax",
        text,
        line=max(line, 0),
        level=level,
        file=file,
        row=int(row),
        column=int(column or 1),
    )


def _dangers(template: Template) -> Iterator[Problem]:
    source = template.source
    for danger in template.dangers:
        yield Problem(
            "place",
            danger.text,
            danger.line,
            "error",
            file_of(source, "content"),
            danger.line + source.first_line - 1,
        )


def _unknown(
    template: Template, names: Names, elsewhere: Names | None
) -> Iterator[Problem]:
    """`elsewhere` is what mail of any usage has; None: anything."""
    source = template.source
    usage = source.usage_type
    seen = set()
    # Where a variable is needed is said, rather than where it is asked for.
    for use in sorted(template.uses, key=lambda use: use.optional):
        key = use.name, use.place.rpartition(":")[0]
        if use.name.startswith("message.") or is_known(use.name, names) or key in seen:
            continue
        seen.add(key)
        # A layout of several usages asks whether it is there.
        if use.optional and (elsewhere is None or is_known(use.name, elsewhere)):
            continue
        guess = meant(use.name, names)
        text = f"{{{{{use.name}}}}}: Logto passes no such variable with {usage}"
        if usage not in LOGTO:
            text = f"{{{{{use.name}}}}}: nothing is known to pass it with {usage}"
        if guess:
            text += f"; did you mean {guess}?"
        else:
            text += "; if your app does, a kept test that has it says so"
        level = "warning" if use.optional else "error"
        problem = said(source, f"{use.place}: {text}", level)
        column = _column(source, use, problem)
        yield replace(problem, kind="variable", column=column)


def _column(source: Source, use: Use, problem: Problem) -> int:
    """Where in its line a variable stands, if that is a line of the setting."""
    if problem.file != file_of(source, use.setting) or use.setting in (
        source.setting_lines
    ):
        return 1
    line = problem.line or problem.row
    lines = text_of(source, use.setting).split("\n")
    name = rf"(?:\{{\{{[{{+-]?\s*)?(?<![\w.]){re.escape(use.name)}(?!\w)"
    found = re.search(name, lines[line - 1]) if 0 < line <= len(lines) else None
    return found.start() + 1 if found else 1


def text_of(source: Source, setting: str) -> str:
    """What the setting says."""
    match setting:
        case "content":
            return source.content
        case "subject":
            return source.subject
        case "text":
            return source.text
        case "sendFrom":
            return source.send_from
        case "replyTo":
            return source.reply_to
        case _:
            return source.unsubscribe


def _in_texts(source: Source) -> Iterator[Problem]:
    for setting in ("content", "text"):
        text = masked(text_of(source, setting), source.syntax)
        is_html = setting == "content" and source.content_type != "text/plain"
        every = html_problems(text) if is_html else text_problems(text)
        for found in islice(every, MAX_FOUND):
            yield _placed(source, setting, found)


def _placed(source: Source, setting: str, found: Found) -> Problem:
    said = (found.kind, found.level, found.text)
    return located(source, setting, found.position, said)
