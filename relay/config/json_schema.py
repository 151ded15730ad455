"""The settings as a JSON schema, written by pydantic from the same tables.

Apart, because pydantic itself takes long to import, and only `relay schema` asks.
It says of each setting what `described` has of it, for editors, which show it.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from relay.config.described import described, example, inner_table, plain, tables
from relay.config.explain import to_camel
from relay.config.table import Table


def json_schema(table: type[Table]) -> dict[str, Any]:
    """The schema of what a file may hold."""
    whole: dict[str, Any] = _Writer(by_alias=True).generate(
        table.schema(alias=to_camel)
    )
    for each in tables(table):
        own = whole if each is table else whole["$defs"][each.__name__]
        for name, said in own["properties"].items():
            field = next(field for field in each.kinds() if to_camel(field) == name)
            own["properties"][name] = _described(each, field, said)
    return whole


def _described(table: type[Table], name: str, said: dict[str, Any]) -> dict[str, Any]:
    """What pydantic says of a setting, and what it cannot know."""
    if said.get("default", "") is None:  # which TOML has no word for
        del said["default"]
        [kind] = (one for one in said.pop("anyOf") if one != {"type": "null"})
        said |= kind
    said = {"description": described(table, name), **said}
    if inner_table(table.kinds()[name]) is None:  # else each of its own has one
        said["examples"] = [example(table, name)]
    return said


class _Writer(GenerateJsonSchema):
    def encode_default(self, dft: object) -> Any:  # noqa: ANN401 - any JSON
        return plain(dft)

    def field_title_should_be_set(self, schema: object) -> bool:
        return False  # it would be the setting's name, spelt worse
