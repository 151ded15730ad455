"""The files of a templates folder: what they are by their names, and what is in them.

`SignIn.fr-CA.html` is the template of usage `SignIn` in locale `fr-CA`;
`SignIn.fr-CA.txt` beside it is its text part, and alone a template of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ENDINGS = {".html": "text/html", ".mjml": "text/mjml", ".txt": "text/plain"}
FENCE = "+++"

# RFC 5646, but for languages of 4 to 8 letters, of which there are none.
_TAG = re.compile(
    r"[a-z]{2,3}(?:-[a-z]{3}){0,3}(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*"
    r"(?:-x(?:-[a-z0-9]{1,8})+)?|x(?:-[a-z0-9]{1,8})+",
    re.IGNORECASE,
)
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")
_KEY = re.compile(r"""[ \t]*(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9_-]+))[ \t]*[=.]""")

Read = Callable[[Path], str]


class FileError(Exception):
    """What is wrong with the files, a line each; for the operator."""


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """A template's file, taken apart; `text_file` is its text part's, beside it."""

    path: Path
    usage: str
    locale: str
    content_type: str
    settings: str  # TOML
    setting_lines: dict[str, int]
    content: str
    first_line: int
    text: str = ""
    text_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """All that a folder has."""

    templates: tuple[TemplateFile, ...]
    shared: dict[str, str]


def files(folder: Path, read: Read) -> Files:
    """What is in the folder, by name. Raises FileError with all that is wrong.

    `read` gives a file's text or raises ValueError saying why not.
    """
    mistakes: list[str] = []
    found_shared: dict[str, str] = {}
    named: dict[tuple[str, str], dict[str, Path]] = {}
    for path in _looked_at(folder):
        if path.name.startswith("_"):
            try:
                found_shared[path.name] = _shared(path, read)
            except FileError as error:
                mistakes.append(str(error))
            continue
        usage, locale, ending = _taken_apart(path.name)
        if locale is not None and not _TAG.fullmatch(locale):
            meant = locale.replace("_", "-")
            hint = f"; did you mean {usage}.{meant}{ending}?"
            mistakes.append(
                f"{path}: between the usage and the ending stands the locale, and "
                f"{locale!r} is none, such as fr or fr-CA"
                + (hint if _TAG.fullmatch(meant) else "")
            )
            continue
        named.setdefault((usage, locale or ""), {})[ending] = path
    found: list[TemplateFile] = []
    for (usage, locale), paths in named.items():
        try:
            found += _templates(usage, locale, paths, read)
        except FileError as error:
            mistakes.append(str(error))
    if mistakes:
        raise FileError("\n".join(mistakes))
    return Files(tuple(found), found_shared)


def shared(folder: Path, read: Read) -> dict[str, str]:
    """The files alone whose names begin with _. Raises FileError."""
    paths = [path for path in _looked_at(folder) if path.name.startswith("_")]
    return {path.name: _shared(path, read) for path in paths}


def _shared(path: Path, read: Read) -> str:
    text = _read(path, read)
    if _is_fence(text.partition("\n")[0]):
        raise FileError(
            f"{path}:1: has settings, which only a template has; this file, whose "
            "name begins with _, is for extends, include and import"
        )
    return text


def _looked_at(folder: Path) -> Iterator[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise FileError(f"{folder}: {error.strerror}") from error
    for path in paths:
        ending = path.suffix.lower()
        if ending in ENDINGS and not path.name.startswith(".") and not path.is_dir():
            yield path


def _taken_apart(name: str) -> tuple[str, str | None, str]:
    """Usage, locale and ending."""
    stem, _, ending = name.rpartition(".")
    usage, dot, locale = stem.partition(".")
    return usage, locale if dot else None, f".{ending.lower()}"


def _templates(
    usage: str, locale: str, paths: dict[str, Path], read: Read
) -> Iterator[TemplateFile]:
    """Those of one usage and locale: one, but where two files have the same."""
    text_path = paths.get(".txt") if len(paths) > 1 else None
    text = _text_part(text_path, read) if text_path is not None else ""
    for ending, path in paths.items():
        if path == text_path:
            continue
        toml, lines, content, first_line = _apart(path, _read(path, read))
        yield TemplateFile(
            path=path,
            usage=usage,
            locale=locale,
            content_type=ENDINGS[ending],
            settings=toml,
            setting_lines=lines,
            content=content,
            first_line=first_line,
            text=text,
            text_file=text_path,
        )


def _read(path: Path, read: Read) -> str:
    try:
        return read(path)
    except ValueError as error:
        raise FileError(f"{path}: {error}") from error


def _text_part(path: Path, read: Read) -> str:
    text = _read(path, read)
    if _is_fence(text.partition("\n")[0]):
        raise FileError(
            f"{path}:1: is the text part of the template beside it, whose settings "
            "count; take those at its top away"
        )
    if not text.strip():
        raise FileError(
            f"{path}: is empty; without it the text part is made of the HTML"
        )
    return text


def _is_fence(line: str) -> bool:
    return line.rstrip() == FENCE


def _apart(path: Path, whole: str) -> tuple[str, dict[str, int], str, int]:
    """The settings between two lines +++, the lines they begin in, and the rest."""
    lines = _LINE.findall(whole)
    if not lines or not _is_fence(lines[0]):
        raise FileError(
            f"{path}:1: must begin with its settings between two lines {FENCE}, "
            'such as subject = "Your code"'
        )
    for number, line in enumerate(lines[1:], 2):
        if _is_fence(line):
            toml = "".join(lines[1 : number - 1])
            return toml, _keys(toml), "".join(lines[number:]), number + 1
    raise FileError(f"{path}:1: the settings have no end; close them by a line {FENCE}")


def _keys(toml: str) -> dict[str, int]:
    """The line of the file that each setting stands in."""
    found: dict[str, int] = {}
    for number, line in enumerate(toml.split("\n"), 2):
        if match := _KEY.match(line):
            found.setdefault(match[1] or match[2] or match[3], number)
    return found
