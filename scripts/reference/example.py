"""config.example.toml: its comments are the models' descriptions."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from relay.config.described import described, inner_table
from relay.config.explain import to_camel
from relay.config.models import Config
from relay.config.table import Table

_SETTING = re.compile(r"#(\w+) = ")
_TABLE = re.compile(r"#?\[\[?(\w+)\]?\]")


def commented(text: str) -> str:
    """The example with the description of each setting above it."""
    lines: list[str] = []
    table: type[Table] = Config
    for line in text.splitlines():
        if match := _TABLE.match(line):
            kind = Config.kinds()[match[1]]
            if line.startswith("#"):  # of a list, so that there is none as it is
                lines = [*_without_comment(lines), *_comment(Config, match[1])]
            table = inner_table(kind) or table
        elif match := _SETTING.match(line):
            lines = [*_without_comment(lines), *_comment(table, _name(table, match[1]))]
        lines.append(line)
    return "\n".join(lines) + "\n"


def _name(table: type[Table], key: str) -> str:
    return next(name for name in table.kinds() if to_camel(name) == key)


def _without_comment(lines: list[str]) -> list[str]:
    while lines and lines[-1].startswith("# "):
        lines = lines[:-1]
    return lines


def _comment(table: type[Table], name: str) -> Iterator[str]:
    wrapped = textwrap.wrap(
        described(table, name), 86, break_long_words=False, break_on_hyphens=False
    )
    return (f"# {line}" for line in wrapped)
