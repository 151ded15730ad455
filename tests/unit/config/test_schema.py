"""The JSON schema tells an editor what each setting is for, and what it may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from jsonschema import Draft202012Validator
from pydantic_core import SchemaValidator

from relay import config
from relay.config.described import (
    described,
    description,
    example,
    inner_table,
    plain,
    tables,
)
from relay.config.explain import to_camel
from relay.config.models import Config
from relay.config.table import Table, kind_schema

SCHEMA = config.schema()


def _settings() -> Iterator[tuple[type[Table], str]]:
    for table in dict.fromkeys(tables(Config)):
        for name in table.kinds():
            if (table, name) != (Config, "file"):
                yield table, name


def _shown(place: object) -> str:
    return place.__name__ if isinstance(place, type) else str(place)


SETTINGS = list(_settings())


def _said(table: type[Table], name: str) -> dict[str, Any]:
    whole = SCHEMA if table is Config else SCHEMA["$defs"][table.__name__]
    said: dict[str, Any] = whole["properties"][to_camel(name)]
    return said


def _literals(kind: Any) -> list[str]:  # noqa: ANN401 - an annotation
    if get_origin(kind) is tuple:
        kind = get_args(kind)[0]
    return list(get_args(kind)) if get_origin(kind) is Literal else []


def test_the_schema_is_one_and_has_each_setting_and_no_other() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    said = {
        (name, key)
        for name, own in (SCHEMA["$defs"] | {"Config": SCHEMA}).items()
        for key in own["properties"]
    }

    assert len(SETTINGS) > 150
    assert said == {(table.__name__, to_camel(name)) for table, name in SETTINGS}


@pytest.mark.parametrize(("table", "name"), SETTINGS, ids=_shown)
def test_each_setting_says_what_it_is_for(table: type[Table], name: str) -> None:
    said = _said(table, name)["description"]

    # What a reader of one setting alone cannot resolve.
    assert said, f"write below {table.__name__}.{name} what it is for"
    assert "The same." not in said
    assert said == described(table, name)


@pytest.mark.parametrize(("table", "name"), SETTINGS, ids=_shown)
def test_each_setting_has_a_default_unless_it_has_to_be_given(
    table: type[Table], name: str
) -> None:
    said = _said(table, name)
    whole = SCHEMA if table is Config else SCHEMA["$defs"][table.__name__]

    if to_camel(name) in whole.get("required", ()):
        assert not hasattr(table, name)
    elif getattr(table, name) is None:  # which TOML has no word for
        assert "Default: " in said["description"]
    else:
        assert said["default"] == plain(getattr(table, name))


@pytest.mark.parametrize(("table", "name"), SETTINGS, ids=_shown)
def test_each_setting_has_an_example_that_the_relay_takes(
    table: type[Table], name: str
) -> None:
    if inner_table(table.kinds()[name]):
        return  # each of its own has one

    [shown] = _said(table, name)["examples"]

    assert shown == example(table, name)
    assert shown is not None, (
        f"write below {table.__name__}.{name}: Example: … (a value of TOML)"
    )
    # By the models, and by the schema itself.
    annotated = dict(table._annotated())[name]
    SchemaValidator(kind_schema(annotated)).validate_python(shown)
    Draft202012Validator(_said(table, name)).validate(shown)


@pytest.mark.parametrize(("table", "name"), SETTINGS, ids=_shown)
def test_the_schema_takes_each_default(table: type[Table], name: str) -> None:
    said = _said(table, name)

    if "default" in said:
        Draft202012Validator({**said, "$defs": SCHEMA["$defs"]}).validate(
            said["default"]
        )


@pytest.mark.parametrize(
    ("table", "name"),
    [each for each in SETTINGS if _literals(each[0].kinds()[each[1]])],
    ids=_shown,
)
def test_a_setting_of_few_values_lists_them(table: type[Table], name: str) -> None:
    said = _said(table, name)

    listed = said.get("items", said)["enum"]

    assert listed == _literals(table.kinds()[name])


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ({"ses": {"region": "EU west"}}, "EU west"),
        ({"tls": {"selfSigned": "yes"}}, "yes"),
        ({"grace": "soon"}, "soon"),
        ({"queue": {"engine": "redis"}}, "redis"),
        ({"ses": {"regoin": "eu-west-1"}}, "regoin"),
        ({"templates": [{"subject": "s"}]}, "usageType"),
        ({"templates": [{"usageType": "A", "subject": "s", "validFor": "1x"}]}, "1x"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_schema_refuses_what_the_relay_refuses(
    text: dict[str, Any], wrong: str
) -> None:
    [error] = Draft202012Validator(SCHEMA).iter_errors(text)

    assert wrong in error.message


def test_what_is_said_of_a_setting_is_said_where_a_table_takes_it_over() -> None:
    account = next(table for table in tables(Config) if table.__name__ == "Account")

    assert description(account, "region").example == "eu-west-1"
