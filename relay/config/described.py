"""What stands below a setting in its table's class: what it is for, and an example.

Python keeps no such text, so no start pays for them; who asks reads the source.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Literal, NamedTuple, get_args, get_origin

from relay.config.explain import to_camel
from relay.config.table import Secret, Table

_EXAMPLE = re.compile(r"\s*\bExample: (.+)\Z", re.DOTALL)


class Description(NamedTuple):
    """What a setting is for, and a value as the file has it, or None."""

    text: str
    example: Any


def description(table: type[Table], name: str) -> Description:
    """What stands below the setting, or nothing."""
    for each in table.__mro__:
        if issubclass(each, Table) and each is not Table:
            texts = _texts(sys.modules[each.__module__]).get(each.__name__, {})
            if name in texts:
                return texts[name]
    return Description("", None)


def described(table: type[Table], name: str) -> str:
    """What the setting is for: what is said of it, else of the table that it is."""
    said = description(table, name).text
    inner = inner_table(table.kinds()[name])
    return said or (summary(inner) if inner else "")


def summary(table: type[Table]) -> str:
    """What a table is for, in a sentence."""
    return " ".join((inspect.getdoc(table) or "").partition("\n\n")[0].split())


def tables(table: type[Table]) -> Iterator[type[Table]]:
    """The table, and those that it holds."""
    yield table
    for kind in table.kinds().values():
        if inner := inner_table(kind):
            yield from tables(inner)


def inner_table(kind: Any) -> type[Table] | None:  # noqa: ANN401 - an annotation
    """The table that is the setting's kind, or of which it is a list."""
    inner = get_args(kind)[0] if get_origin(kind) is tuple else kind
    return inner if isinstance(inner, type) and issubclass(inner, Table) else None


def example(table: type[Table], name: str) -> Any:  # noqa: ANN401 - any JSON
    """A value that one may give: the one that is written, else one of its kind.

    None where there is none but the default, which is empty.
    """
    kind = table.kinds()[name]
    written = description(table, name).example
    default = plain(getattr(table, name, None))
    if written is not None or inner_table(kind):
        return written
    if kind is bool:
        return not default
    if get_origin(kind) is Literal:
        return next(value for value in reversed(get_args(kind)) if value != default)
    return default or None


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


@functools.cache
def _texts(module: ModuleType) -> dict[str, dict[str, Description]]:
    tree = ast.parse(inspect.getsource(module))
    return {
        node.name: dict(_below(node))
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }


def _below(table: ast.ClassDef) -> Iterator[tuple[str, Description]]:
    for setting, below in zip(table.body, table.body[1:], strict=False):
        match setting, below:
            case (
                ast.AnnAssign(target=ast.Name(name)),
                ast.Expr(ast.Constant(str(text))),
            ):
                yield name, _description(text)


def _description(text: str) -> Description:
    match = _EXAMPLE.search(text)
    example = tomllib.loads(f"x = {match[1].strip()}")["x"] if match else None
    return Description(" ".join(_EXAMPLE.sub("", text).split()), example)
