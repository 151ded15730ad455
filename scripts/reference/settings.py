"""docs/reference/settings.md: each setting with type, default, variable and example."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from relay import config
from relay.config.described import described, inner_table, summary
from relay.config.environment import PREFIX
from relay.config.explain import to_camel
from relay.config.models import Config
from relay.config.table import Table

SCHEMA = config.schema()
_HEAD = """\
# Settings

Each setting with its type, its default and an example; what it is for is in [the example file](../../config.example.toml) too, and in an editor that reads [the schema](../../config.schema.json).
A setting is in the TOML file, or in the variable below its name, which goes before the file.
`relay config show` prints the settings in force, and where each comes from.

<!-- Made by scripts/reference of the models in relay/config. -->
"""
_MOST = 10**9  # a bound from here on is none that anybody meets


def page() -> str:
    """The whole page."""
    lines = [_HEAD, "## At the top of the file", *_rows(Config, "", PREFIX)]
    for name, kind in Config.kinds().items():
        inner = inner_table(kind)
        if inner is None:
            continue
        of_many = kind is not inner
        lines += [
            "",
            f"## `{'[[' if of_many else '['}{name}{']]' if of_many else ']'}`",
        ]
        lines += ["", described(Config, name) or summary(inner)]
        variable = f"{PREFIX}{name.upper()}"
        if of_many:
            lines += [f"From the environment as one JSON list, in `{variable}`."]
            lines += [*_rows(inner, name, "")]
        else:
            lines += [*_rows(inner, name, f"{variable}__")]
    return "\n".join(lines) + "\n"


def settings(table: type[Table]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A table's own settings: their names, and what the schema says of them."""
    whole = SCHEMA if table is Config else SCHEMA["$defs"][table.__name__]
    inherited = {} if table.__base__ is Table else table.__base__.__annotations__
    for name, kind in table.kinds().items():
        said = whole["properties"].get(to_camel(name))
        if said and inner_table(kind) is None and name not in inherited:
            yield name, said


def _rows(table: type[Table], of: str, variable: str) -> Iterator[str]:
    yield from ("", "| setting | what it is for | type | default | example |")
    yield "| --- | --- | --- | --- | --- |"
    required = SCHEMA["$defs"].get(table.__name__, {}).get("required", ())
    for name, said in settings(table):
        key = f"`{to_camel(name)}`"
        if variable:
            key += f"<br>`{variable}{name.upper()}`"
        default = _toml(said["default"]) if "default" in said else ""
        if to_camel(name) in required:
            default = "must be given"
        cells = (
            key,
            _cell(said["description"]),
            kind_in_words(said),
            default,
            _toml(said["examples"][0]),
        )
        yield f"| {' | '.join(cells)} |"


def kind_in_words(said: dict[str, Any]) -> str:
    """What a setting may be."""
    if "enum" in said:
        return ", ".join(f"`{json.dumps(value)}`" for value in said["enum"])
    match said.get("type"):
        case ["number", "string"]:
            return 'a time: seconds, or `"10m"`'
        case ["string", "number"]:
            return '`"auto"`, or a number'
        case ["string", "array"]:
            return "a text, or a list of them"
        case "array":
            inner = said["items"]
            if "enum" in inner:
                return f"a list of {kind_in_words(inner)}"
            time = inner.get("type") == ["number", "string"]
            return "a list of times" if time else "a list of texts"
        case "object":
            return "a table"
        case "boolean":
            return "`true` or `false`"
        case "integer" | "number":
            low = said.get("minimum", said.get("exclusiveMinimum"))
            high = said.get("maximum", _MOST)
            kind = "a whole number" if said["type"] == "integer" else "a number"
            bounds = f"{low} to {high}" if high < _MOST else f"from {low}"
            return f"{kind}, {bounds}"
        case _:
            return "a secret" if said.get("format") == "password" else "a text"


def _toml(value: Any) -> str:  # noqa: ANN401 - any JSON
    return f"`{_cell(toml(value))}`"


def toml(value: Any) -> str:  # noqa: ANN401 - any JSON
    """A value as the file has it, on one line."""
    match value:
        case dict():
            inside = ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items())
            return f"{{ {inside} }}" if inside else "{}"
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if "`" not in text else text
