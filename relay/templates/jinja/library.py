"""The texts of templates and the files that they name, compiled at the start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType

from jinja2 import Template

from relay.templates.jinja.environment import MailEnvironment, MailTemplate
from relay.templates.jinja.reading import Reading, Readings, Wrong
from relay.templates.jinja.run import Runs
from relay.templates.jinja.uses import Found
from relay.templates.source import Folder

# Where a line of a text is, in words.
At = Callable[[int], str]
_SPECIAL = frozenset({"self", "super", "caller", "loop", "varargs", "kwargs"})


@dataclass(slots=True)
class Compiled:
    """A text that is ready; `variables` are those of the files that it names, too.

    `sets` are the names that it gives a meaning, for blocks and included files.
    """

    reading: Reading
    environment: MailEnvironment
    name: str
    variables: tuple[tuple[Found, At], ...]
    sets: frozenset[str]
    _made: Template | None = None

    @property
    def fixed(self) -> str:
        """What stands outside the braces."""
        return self.reading.fixed

    def made(self) -> Template:
        """What runs, made for the first mail that needs it."""
        if self._made is None:
            made = MailTemplate.from_code(
                self.environment,
                self.reading.code,
                self.environment.make_globals(None),
            )
            made.name = self.name
            self._made = made
        return self._made


@dataclass(slots=True)
class _File:
    compiled: Compiled | None = None  # None while it is compiled, or if it is wrong
    done: bool = False


class Library:
    """A folder's files, each compiled once for HTML and once for texts."""

    def __init__(self, folder: Folder | None, readings: Readings) -> None:
        self.runs = Runs()
        self._readings = readings
        self._folder = folder
        self._environments: dict[bool, MailEnvironment] = {}
        self._files: dict[tuple[str, bool], _File] = {}
        self._places: dict[str, At] = {}
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def compiled(
        self, text: str, name: str, at: At, *, html: bool, is_named: bool = False
    ) -> Compiled | None:
        """The text compiled; what is wrong goes to `errors`, None comes back then.

        `is_named`: other files name it, and it may see what they see.
        """
        if html not in self._environments:
            self._environments[html] = MailEnvironment(self.runs, html=html)
        environment = self._environments[html]
        before = len(self.errors)

        def wrong(line: int, what: str) -> None:
            self.errors.append(f"{at(line)}: {what}")

        reading = self._readings.of(text, environment)
        try:
            named = list(self._named(reading, wrong, html=html))
        except RecursionError:
            wrong(1, "is nested too deeply")
            return None
        sets = reading.sets.union(*(one.sets for one in named))
        known = sets | _SPECIAL
        if not is_named:  # else a macro may be that of who names it
            for called, line in reading.calls:
                if called not in known:
                    wrong(line, f"{called}: no such function or macro")
        for line, what in reading.mistakes:
            wrong(line, what)
        if len(self.errors) > before:
            return None
        self._places[name] = at
        found = [(each, at) for each in reading.variables]
        for one in named:
            found += one.variables
        given = tuple(
            (each, place)
            for each, place in dict.fromkeys(found)
            if each.name.partition(".")[0] not in known
        )
        return Compiled(reading, environment, name, given, sets)

    def place_of(self, trace: TracebackType | None) -> str:
        """The file and line that an error comes from; "" where no template is in it."""
        place = ""
        while trace is not None:
            template = trace.tb_frame.f_globals.get("__jinja_template__")
            if template is not None and template.name in self._places:
                line = template.get_corresponding_lineno(trace.tb_lineno)
                place = self._places[template.name](line)
            trace = trace.tb_next
        return place

    def _named(
        self, reading: Reading, wrong: Wrong, *, html: bool
    ) -> Iterator[Compiled]:
        """The files that a text names, and that see what it sees, compiled."""
        for each in reading.named:
            if not each.names:
                text = "a file is named in quotes, so that it can be found at the start"
                wrong(each.line, text)
                continue
            there = [name for name in each.names if self._has(name)]
            lacking = [name for name in each.names if name not in there]
            if lacking and not each.optional and not (each.several and there):
                wrong(each.line, f"{lacking[0]}: {self._lacks(lacking[0])}")
            for name in there:
                file = self._file(name, wrong, each.line, html=html)
                if file is None:
                    continue
                if each.sees:
                    yield file
                elif each.imported:
                    self._look_at_import(file)

    def _file(
        self, name: str, wrong: Wrong, line: int, *, html: bool
    ) -> Compiled | None:
        assert self._folder is not None  # noqa: S101 - it has the file
        key = name, html
        if key in self._files:
            if not self._files[key].done:
                wrong(line, f"{name}: names itself, or a file that does")
            return self._files[key].compiled
        file = self._files[key] = _File()
        path = self._folder.path / name
        file.compiled = self.compiled(
            self._folder.shared[name],
            name,
            lambda line: f"{path}:{line}",
            html=html,
            is_named=True,
        )
        file.done = True
        if file.compiled is not None:
            self._environments[html].add(name, file.compiled.made)
        return file.compiled

    def _has(self, name: str) -> bool:
        return self._folder is not None and name in self._folder.shared

    def _lacks(self, name: str) -> str:
        if self._folder is None:
            return "there is no folder; set templatesDir, or use contentFile"
        if not name.startswith("_"):
            return "only files whose names begin with _ can be named"
        return f"is not in {self._folder.path}"

    def _look_at_import(self, file: Compiled) -> None:
        for found, at in file.variables:
            if found.name.startswith("message."):
                continue
            text = (
                f"{at(found.line)}: {found.name}: is never given, because a file that "
                "is imported does not see the mail's variables; hand it over, or "
                "import the file `with context`"
            )
            if text not in self.warnings:
                self.warnings.append(text)
