"""Words for a mistake in the settings: the place, the setting, its value, the cure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def dotted(location: tuple[str | int, ...]) -> str:
    """`ses.configurationSetName`, `listeners[0].address`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            head, *rest = part.split("_")
            name = head + "".join(word.capitalize() for word in rest)
            text += f".{name}" if text else name
    return text


def at(source: Path | str, location: tuple[str | int, ...], text: str) -> str:
    """One line: `config.toml: ses.region: …` or `RELAY_SES__REGION: …`."""
    if isinstance(source, Path):
        place = f"{source}: {dotted(location)}"
    else:
        # The variable names the setting; of a list, the part that is wrong.
        inner = dotted(location[2:]) if len(location) > 2 else ""
        place = f"{source}{inner and ': ' + inner}"
    return f"{place} {text}" if text.startswith("= ") else f"{place}: {text}"


def explain(item: Mapping[str, Any], *, secret: bool) -> str:
    """Words for one of pydantic's errors; a secret's value is left out."""
    context = item.get("ctx", {})
    match item["type"]:
        case "missing":
            return "is missing"
        case "literal_error":
            text = f"must be {context['expected']}"
        case "value_error":
            text = str(context["error"])
        case "model_type" | "dict_type":
            text = "must be a table"
        case _:
            text = str(item["msg"])
            text = text[0].lower() + text[1:]
    if secret:
        return text
    value = item["input"]
    shown = repr(value)
    if isinstance(value, dict | list | tuple) or len(shown) > 200:
        return text
    return f"= {shown}: {text}"
