"""A table of settings: a class with annotations, whose values pydantic-core checks.

`pydantic.BaseModel` says the same and does more, and that costs each start time, and
memory for good (docs/performance.md, "Start and memory"): it imports all that models
could use, and makes of each class what settings never ask for. The engine that judges
values is the same one, and so are its errors; `kind_schema` turns the few types that
settings have into its terms.
"""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
)

from pydantic_core import CoreSchema, SchemaValidator, core_schema

# What stands in an `Annotated`: the plain type's schema in, the narrower one out.
Narrow = Callable[[CoreSchema], CoreSchema]

_FORBID = {"extra": "forbid"}


class Secret:
    """A text that shows itself to nobody but who asks for it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret('…')" if self._text else "Secret('')"


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Table:
    """A table of the file: a setting for each annotation, beside it its default.

    Raises pydantic_core's ValidationError when made of wrong values.
    """

    # All that pydantic-core sets in an instance, by its names.
    __slots__ = (
        "__dict__",
        "__pydantic_extra__",
        "__pydantic_fields_set__",
        "__pydantic_private__",
    )
    # What pydantic looks for in a class when it writes the JSON schema.
    model_config: ClassVar[dict[str, str]] = _FORBID

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - what the file has
        validator(type(self)).validate_python(values, self_instance=self)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} cannot be set: settings stay as they were read")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment] # some values are dicts

    def __deepcopy__(self, memo: object) -> Self:
        # pydantic-core copies a default that has no hash; this one never changes.
        return self

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({inside})"

    @property
    def given(self) -> frozenset[str]:
        """The names of the settings that were given, the defaults apart."""
        return frozenset(self.__pydantic_fields_set__)  # type: ignore[attr-defined] # a slot

    def replaced(self, **changes: object) -> Self:
        """The same but for `changes`, which are not checked again."""
        new = object.__new__(type(self))
        for name in ("__pydantic_extra__", "__pydantic_private__"):
            object.__setattr__(new, name, None)
        object.__setattr__(new, "__pydantic_fields_set__", {*self.given, *changes})
        object.__setattr__(new, "__dict__", vars(self) | changes)
        return new

    @classmethod
    def kinds(cls) -> dict[str, Any]:
        """Each setting's type, without what narrows it."""
        return {
            name: get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
            for name, kind in cls._annotated()
        }

    @classmethod
    def _annotated(cls) -> list[tuple[str, Any]]:
        """Its own settings, then those of the table that it extends."""
        return [
            pair
            for table in cls.__mro__
            if issubclass(table, Table) and table is not Table
            for pair in table.__annotations__.items()
        ]

    @classmethod
    def schema(cls, *, alias: Callable[[str], str] | None = None) -> CoreSchema:
        """The table in pydantic-core's terms; with `alias`, by its names outside."""
        fields = {}
        for name, kind in cls._annotated():
            schema = kind_schema(kind, alias=alias)
            if hasattr(cls, name):  # its default
                schema = core_schema.with_default_schema(
                    schema, default=getattr(cls, name)
                )
            fields[name] = core_schema.model_field(
                schema, validation_alias=alias(name) if alias else None
            )
        return core_schema.model_schema(
            cls,
            core_schema.model_fields_schema(fields, extra_behavior="forbid"),
            ref=cls.__name__,
        )


def validator(table: type[Table]) -> SchemaValidator:
    """What checks a table's values; it takes a while to make, and memory to keep."""
    return SchemaValidator(table.schema(), {"hide_input_in_errors": True})


def kind_schema(kind: Any, *, alias: Callable[[str], str] | None = None) -> CoreSchema:  # noqa: ANN401 - an annotation
    """What an annotation means in pydantic-core's terms."""
    origin: Any = get_origin(kind)
    inner = get_args(kind)
    if origin is Annotated:
        schema = kind_schema(inner[0], alias=alias)
        for narrow in inner[1:]:
            schema = narrow(schema)
        return schema
    if origin is Literal:
        return core_schema.literal_schema(list(inner))
    if origin is tuple:
        items = kind_schema(inner[0], alias=alias)
        return core_schema.tuple_schema([items], variadic_item_index=0)
    if origin is dict:
        return core_schema.dict_schema(*map(kind_schema, inner))
    if origin in (Union, UnionType):
        if NoneType in inner:
            [other] = (member for member in inner if member is not NoneType)
            return core_schema.nullable_schema(kind_schema(other))
        return core_schema.union_schema([kind_schema(member) for member in inner])
    if issubclass(kind, Table):
        table: type[Table] = kind
        return table.schema(alias=alias)
    return _PLAIN[kind]() if kind in _PLAIN else core_schema.any_schema()


def _secret_schema() -> CoreSchema:
    shown = shown_as({"type": "string", "format": "password", "writeOnly": True})
    text = core_schema.str_schema()
    return shown(core_schema.no_info_after_validator_function(Secret, text))


_PLAIN: dict[Any, Callable[[], CoreSchema]] = {
    str: core_schema.str_schema,
    bool: core_schema.bool_schema,
    int: core_schema.int_schema,
    float: core_schema.float_schema,
    Secret: _secret_schema,
}


def limited(**limits: Any) -> Narrow:  # noqa: ANN401 - numbers and flags
    """Narrow a type by pydantic-core's own words: gt, le, min_length, strict."""
    return lambda schema: {**schema, **limits}


def checked(check: Callable[[Any], Any]) -> Narrow:
    """Ask `check` first, which gives the value or raises ValueError with the cure."""
    return lambda schema: core_schema.no_info_before_validator_function(check, schema)


def shown_as(json_schema: dict[str, Any]) -> Narrow:
    """Say what the JSON schema says of it, where pydantic cannot know."""
    # A copy: pydantic writes the default into it.
    metadata = {"pydantic_js_functions": [lambda _schema, _handler: {**json_schema}]}
    return limited(metadata=metadata)


def added(json_schema: dict[str, Any]) -> Narrow:
    """Say in the JSON schema what a check knows, beside what pydantic does."""
    return limited(metadata={"pydantic_js_updates": json_schema})
