"""On which line of a file a setting stands, which Python's TOML reader does not say."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from relay.config.explain import Location, to_camel


def lines(text: str) -> Mapping[Location, int]:
    """The line of each setting of a file that is TOML, by the names outside.

    The text is read statement by statement: one ends where it is TOML by itself.
    """
    found: dict[Location, int] = {}
    entries: dict[Location, int] = {}  # of each list of tables
    table: Location = ()
    start, statement = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        statement += line + "\n"
        try:
            said = tomllib.loads(statement)
        except ValueError:  # it goes on below
            continue
        if statement.lstrip().startswith("["):
            table = _header(said, entries)
            found.setdefault(table, start)
        else:
            for location in _inside(said, table):
                found.setdefault(location, start)
        start, statement = number + 1, ""
    return found


def _header(said: Any, entries: dict[Location, int]) -> Location:  # noqa: ANN401
    """The place of the table that `[a.b]` or `[[a.b]]` begins."""
    place: Location = ()
    while said:
        [(key, said)] = said.items()
        place += (to_camel(key),)
        if isinstance(said, list):  # one entry more
            entries[place] = entries.get(place, 0) + 1
            said = said[0]
        if place in entries:
            place += (entries[place] - 1,)
    return place


def _inside(said: Any, place: Location) -> Iterator[Location]:  # noqa: ANN401
    match said:
        case dict():
            for key, value in said.items():
                yield (*place, to_camel(key))
                yield from _inside(value, (*place, to_camel(key)))
        case list():
            for number, value in enumerate(said):
                yield from _inside(value, (*place, number))
