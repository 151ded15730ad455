"""One entry of a list in the settings, checked where it stands alone."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_core import SchemaValidator, ValidationError

from relay.config.checks import Mistake
from relay.config.explain import Given, Location, at, explain, to_camel
from relay.config.models import Config, Rule, Template
from relay.config.read import ConfigError, field_names, toml
from relay.config.rules import mistakes as mistakes_in_rules
from relay.config.table import validator

_ITS_PLACE = len(("rules", 0))
# What a template's file says by its name, and by what stands below its settings.
_SAID_BY_FILE = {
    **dict.fromkeys(("usageType", "usage_type"), "is what the file's name begins with"),
    "locale": "is what the file's name has before its ending",
    "content": "is what stands below the settings",
    **dict.fromkeys(("contentFile", "content_file"), "is this file"),
}
_WHOLE = "templates[0]."


def one_rule(given: Mapping[str, Any]) -> Rule:
    """A rule as it would stand in a file. Raises ConfigError, a line each mistake."""
    config, wrong = _checked("rules", given)
    if config is not None:
        # Which listeners and users there are, the rule alone does not say.
        wrong = [
            (place, text)
            for place, text in mistakes_in_rules(config)
            if place[_ITS_PLACE] not in ("listener", "user")
        ]
    if config is not None and not wrong:
        return config.rules[0]
    lines = (at("rule", place, text, known=_ITS_PLACE) for place, text in wrong)
    raise ConfigError("\n".join(lines))


def front_matter(
    text: str,
    file: Path,
    *,
    usage: str,
    locale: str,
    content_type: str,
    setting_lines: Mapping[str, int],
) -> Template:
    """A template as the settings at the top of its file have it, without its content.

    Raises ConfigError, a line each mistake, with the file's own lines.
    """
    given = toml(text, file, line=1)
    rest = {key: value for key, value in given.items() if key not in _SAID_BY_FILE}
    if not {"contentType", "content_type"} & rest.keys():
        rest["contentType"] = content_type
    template, wrong = _template({**rest, "usageType": usage, "locale": locale})
    wrong += [
        (("templates", 0, Given(key)), f"{_SAID_BY_FILE[key]}; leave it out")
        for key in given
        if key in _SAID_BY_FILE
    ]
    if template is not None and not wrong:
        return template

    def line(place: Location) -> str:
        name = str(place[_ITS_PLACE])
        number = setting_lines.get(name) or setting_lines.get(to_camel(name), 1)
        return f"{file}:{number}"

    lines = (
        at(line(place), place, text.replace(_WHOLE, ""), known=_ITS_PLACE)
        for place, text in wrong
    )
    raise ConfigError("\n".join(lines))


def _checked(
    table: str, given: Mapping[str, Any]
) -> tuple[Config | None, list[Mistake]]:
    found, wrong = field_names(Config, {table: [given]}, ())
    if wrong:
        return None, wrong
    try:
        return Config(**found), []
    except ValidationError as error:
        return None, _mistakes(error)


def _template(given: Mapping[str, Any]) -> tuple[Template | None, list[Mistake]]:
    """As `_checked`, of templates; there are many, and to validate them is quick."""
    found, wrong = field_names(Config, {"templates": [given]}, ())
    if wrong:
        return None, wrong
    template = object.__new__(Template)
    try:
        values = found["templates"][0]
        _of_templates().validate_python(values, self_instance=template)
    except ValidationError as error:
        return None, _mistakes(error, "templates", 0)
    return template, []


@functools.cache
def _of_templates() -> SchemaValidator:
    return validator(Template)


def _mistakes(error: ValidationError, *above: str | int) -> list[Mistake]:
    found: list[Mistake] = []
    for item in error.errors(include_url=False):
        place = (*above, *item["loc"])
        found.append((place, explain({**item, "loc": place}, secret=False)))
    return found
