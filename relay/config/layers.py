"""Tables of settings laid over each other, and who said what.

From the weakest: the defaults that a package brings (`RELAY_DEFAULTS`), the settings
file, the environment, the command line.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from relay.config.explain import Location, at
from relay.config.table import Table

Source = Path | str  # a file, else a variable's or an option's name


class Layers:
    """One table of what was said last, by the models' own names."""

    def __init__(self, model: type[Table], unsaid: Path) -> None:
        """`unsaid`: where an operator would say what nobody has said yet."""
        self.table: dict[str, Any] = {}
        self._model = model
        self._unsaid = unsaid
        self._sources: dict[Location, Source] = {}

    def lay(self, table: dict[str, Any], source: Source) -> None:
        """Put `table` over what is there: tables of ours inside, all else instead."""
        self._lay(self._model, table, (), source)

    def _lay(
        self, model: type[Table], table: dict[str, Any], path: Location, source: Source
    ) -> None:
        kinds = model.kinds()
        for name, value in table.items():
            kind = kinds[name]
            place = (*path, name)
            inside = isinstance(kind, type) and issubclass(kind, Table)
            if inside and isinstance(value, dict):
                self._lay(kind, value, place, source)
            else:
                self.put(place, value, source)

    def put(self, location: Location, value: Any, source: Source) -> None:  # noqa: ANN401
        """Set one setting, over whatever said it before."""
        *parents, leaf = map(str, location)
        table = self.table
        for parent in parents:
            inner = table.setdefault(parent, {})
            if not isinstance(inner, dict):  # `ses = 5`: the model says what is wrong
                return
            table = inner
        table[leaf] = value
        self._sources[location] = source

    def source(self, location: Location) -> tuple[Source | None, int]:
        """Who said it, or the list it is in, and how much of `location` that names."""
        for length in range(len(location), 0, -1):
            if (source := self._sources.get(location[:length])) is not None:
                return source, length
        return None, 0

    def where(self, location: Location, text: str) -> str:
        """One line: the place, the setting, what is wrong with it."""
        source, length = self.source(location)
        return at(source or self._unsaid, location, text, known=length)
