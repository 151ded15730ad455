"""The settings as a JSON schema, written by pydantic from the same tables.

Apart, because pydantic itself takes long to import, and only `relay schema` asks.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from relay.config.explain import to_camel
from relay.config.table import Secret, Table


def json_schema(table: type[Table]) -> dict[str, Any]:
    """The schema of what a file may hold."""
    return _Writer(by_alias=True).generate(table.schema(alias=to_camel))


def plain(value: object) -> Any:  # noqa: ANN401 - any JSON
    """A setting's value as a file has it."""
    match value:
        case Table():
            return {to_camel(name): plain(inner) for name, inner in vars(value).items()}
        case tuple():
            return [plain(item) for item in value]
        case Secret():
            return value.reveal()
        case str() | int() | float() | dict() | None:
            return value
        case _:
            return str(value)


class _Writer(GenerateJsonSchema):
    def encode_default(self, dft: object) -> Any:  # noqa: ANN401 - any JSON
        return plain(dft)
