"""Each setting in force with who said it: `relay config show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from relay.config.described import plain
from relay.config.explain import Location, dotted, to_camel
from relay.config.layers import Layers
from relay.config.lines import lines
from relay.config.read import load_layers, package_files, read_text
from relay.config.table import Secret, Table
from relay.log import without_logins

Kind = Literal["default", "package", "file", "environment", "option", "follows"]


@dataclass(frozen=True, slots=True)
class Said:
    """A setting, and where its value comes from.

    `follows`: nobody said it, it follows from another setting.
    """

    name: str
    value: Any  # any JSON; None where it is hidden, or where there is none
    kind: Kind
    source: str = ""  # a file, a variable's or an option's name
    line: int = 0
    hidden: bool = False


def said(
    file: Path | None, environ: Mapping[str, str], *, capture: bool = False
) -> list[Said]:
    """All settings in force, in the models' order. Raises ConfigError."""
    config, layers = load_layers(file, environ, capture=capture)
    packages = frozenset(package_files(environ, capture=capture))
    return list(_Saying(layers, packages).of(config, ()))


class _Saying:
    def __init__(self, layers: Layers, packages: frozenset[Path]) -> None:
        self._layers = layers
        self._packages = packages
        self._lines: dict[Path, Mapping[Location, int]] = {}

    def of(self, table: Table, place: Location) -> Iterator[Said]:
        """Each setting of a table, and of those in it."""
        for name, value in vars(table).items():
            here = (*place, name)
            if isinstance(value, Table):
                yield from self.of(value, here)
            elif isinstance(value, tuple) and value and isinstance(value[0], Table):
                for number, entry in enumerate(value):
                    yield from self.of(entry, (*here, number))
            elif here != ("file",):
                yield self._one(table, name, value, here)

    def _one(self, table: Table, name: str, value: object, here: Location) -> Said:
        hidden = isinstance(value, Secret) and bool(value.reveal())
        shown = None if hidden else plain(value)
        if isinstance(shown, str):
            shown = without_logins(shown)
        one = Said(dotted(here), shown, "default", hidden=hidden)
        in_entry = any(isinstance(part, int) for part in here)
        if in_entry and name not in table.given:
            return one
        # What a secret's file holds was said by who named the file.
        by_file = (*here[:-1], f"{name}_file")
        source = self._layers.source(here)[0] or (
            self._layers.source(by_file)[0] if hidden else None
        )
        if source is None:
            same = value == getattr(type(table), name, None)
            return one if in_entry or same else replace(one, kind="follows")
        if isinstance(source, Path):
            kind: Kind = "package" if source in self._packages else "file"
            line = self._line(source, here) or self._line(source, by_file)
            return replace(one, kind=kind, source=str(source), line=line)
        kind = "option" if source.startswith("-") else "environment"
        return replace(one, kind=kind, source=source)

    def _line(self, file: Path, place: Location) -> int:
        """The line where a setting is said; 0 where the file is a pipe, say."""
        if file not in self._lines:
            there = file.is_file()
            self._lines[file] = lines(read_text(file)) if there else {}
        outside = (to_camel(part) if isinstance(part, str) else part for part in place)
        return self._lines[file].get(tuple(outside), 0)
