"""Words for a mistake in the settings: the place, the setting, its value, the cure."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relay import __version__
from relay.log import without_logins

Location = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Given(str):
    """A key as it stands in the file, since no setting has this name."""

    __slots__ = ()


@functools.lru_cache(maxsize=1024)
def to_camel(name: str) -> str:
    """The file's name of a setting: `connect_timeout` is `connectTimeout`."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def unknown(meant: str) -> str:
    """What is wrong with a name that no setting has; `meant`: one that is near."""
    if meant:
        return f"unknown setting; did you mean {meant}?"
    return (
        f"unknown setting in ses-relay {__version__}; remove it, or install the "
        "version that has it"
    )


def dotted(location: Location) -> str:
    """`ses.configurationSetName`, `listeners[0].address`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if isinstance(part, Given) else to_camel(part)
        if not _BARE.fullmatch(name):
            name = json.dumps(name)
        text += f".{name}" if text else name
    return text


def at(source: Path | str, location: Location, text: str, *, known: int = 0) -> str:
    """One line: `config.toml: ses.region: …` or `RELAY_SES__REGION: …`.

    Of a variable's location the first `known` parts are its name already.
    """
    inner = dotted(location if isinstance(source, Path) else location[known:])
    place = f"{source}: {inner}" if inner else str(source)
    return f"{place} {text}" if text.startswith("= ") else f"{place}: {text}"


def shown(value: object) -> str:
    """The value as the file would have it, or "" when it is no short scalar."""
    if not isinstance(value, str | bool | int | float):
        return ""
    try:
        text = json.dumps(value, ensure_ascii=not str(value).isprintable())
    except ValueError:  # an integer of thousands of digits
        return ""
    return without_logins(text) if len(text) <= 200 else ""


def _header(item: Mapping[str, Any]) -> str:
    """What stands between the brackets above a table of this name, if one can."""
    location: Location = item["loc"]
    return "" if any(isinstance(part, int) for part in location) else dotted(location)


def explain(item: Mapping[str, Any], *, secret: bool) -> str:
    """Words for one of pydantic's errors; a secret's value is left out.

    So is that of a URL with an @, before which a password may stand.
    """
    name = str(item["loc"][-1]) if item.get("loc") else ""
    secret = secret or (name.endswith("_url") and "@" in str(item["input"]))
    context = item.get("ctx", {})
    match item["type"]:
        case "missing":
            return "is missing"
        case "model_type" | "dict_type" | "model_attributes_type":
            name = _header(item)
            many = name and isinstance(item["input"], list)
            return "must be a table" + (f": [{name}], not [[{name}]]" if many else "")
        case "tuple_type":
            name = _header(item)
            one = name and isinstance(item["input"], dict)
            return "must be a list" + (f": [[{name}]], not [{name}]" if one else "")
        case "too_short":
            return "must not be empty"
        case "literal_error":
            text = f"must be {str(context['expected']).replace(chr(39), chr(34))}"
        case "value_error":
            text = str(context["error"])
        case "string_type":
            text = "must be a text in quotes"
        case "string_too_short":
            text = "must not be empty"
        case "bool_type" | "bool_parsing":
            text = "must be true or false"
        case "int_type" | "int_parsing" | "int_from_float":
            text = "must be a whole number"
        case "float_type" | "float_parsing" | "finite_number":
            text = "must be a number"
        case _:
            text = str(item["msg"]).replace("Input should be", "must be")
    value = "" if secret else shown(item["input"])
    return f"= {value}: {text}" if value else text
