"""`relay config show`: the settings in force, each with who said it."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from relay import config
from relay.cli import settings
from relay.config.said import Said, said

# What is longer is cut; --json has all of it.
_LONGEST = 70
_COLUMN = 44


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command."""
    does = parser.add_subparsers(dest="does", metavar="COMMAND", required=True)
    show = does.add_parser(
        "show",
        help="print the settings in force, each with where it comes from: a file and "
        "its line, a variable, an option; secrets are hidden",
    )
    settings.add(show)
    show.add_argument("--all", action="store_true", help="those that nobody set, too")
    show.add_argument(
        "--capture", action="store_true", help="as `relay serve --capture` has them"
    )
    show.add_argument(
        "--json",
        action="store_true",
        help="an array of objects: name, value (null where hidden), kind (default, "
        "package, file, environment, option, follows), source, line, hidden",
    )


def run(options: argparse.Namespace) -> int:
    """Print the settings; 2 when they cannot be read."""
    try:
        file = config.find(options.config, os.environ)
        found = said(file, os.environ, capture=options.capture)
    except config.ConfigError as error:
        settings.complain(str(error))
        return 2
    chosen = [one for one in found if options.all or one.kind != "default"]
    if options.json:
        print(json.dumps([_as_json(one) for one in chosen], indent=2))
    else:
        print("\n".join(_as_text(chosen, len(found), file, everything=options.all)))
    return 0


def _as_json(one: Said) -> dict[str, object]:
    return {
        "name": one.name,
        "value": one.value,
        "kind": one.kind,
        "source": one.source or None,
        "line": one.line or None,
        "hidden": one.hidden,
    }


def _as_text(
    chosen: Sequence[Said], known: int, file: Path | None, *, everything: bool
) -> Iterator[str]:
    changed = sum(one.kind != "default" for one in chosen)
    rest = "" if everything else "; --all shows the others too"
    yield f"# {file or 'no settings file'}: {changed} of {known} settings are set{rest}"
    for one in chosen:
        setting = f"{one.name} = {_value(one)}"
        yield f"{setting:<{_COLUMN}}  # {_whence(one)}"


def _value(one: Said) -> str:
    if one.hidden:
        return "(hidden)"
    if one.value is None:
        return "(none)"
    text = _toml(one.value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _toml(value: object) -> str:
    """A value as a file would have it, on one line."""
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(key)} = {_toml(it)}" for key, it in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=not str(value).isprintable())


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else json.dumps(key)


def _whence(one: Said) -> str:
    match one.kind:
        case "default":
            return "default"
        case "follows":
            return "follows from other settings"
        case "package":
            return f"{one.source}:{one.line} (this package's own defaults)"
        case "file":
            return f"{one.source}:{one.line}" if one.line else one.source
        case _:
            return one.source
