"""The options --var, --variables and --locale of commands that fill a template."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from relay.content.json_value import json_value
from relay.system import files


def add(parser: argparse.ArgumentParser) -> None:
    """Add --var NAME=VALUE (any number of times), --variables FILE and --locale."""
    parser.add_argument(
        "--var",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=_pair,
        help="a variable; user.name=Ann makes a nested one",
    )
    parser.add_argument(
        "--variables",
        metavar="FILE",
        default={},
        type=_object,
        help="more of them, as one JSON object: with lists too",
    )
    parser.add_argument("--locale", metavar="TAG", default="", help="such as fr-CA")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not all(name.split(".")):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _object(file: str) -> dict[str, Any]:
    try:
        text = files.read(Path(file), limit=files.TEXT_BYTES).decode()
        found = json_value(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{file}: {error}") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"{file}: must be one JSON object")
    return found


def given(options: argparse.Namespace) -> dict[str, Any]:
    """All variables: those of the file, and over them each --var.

    `user.name=Ann` is `{"user": {"name": "Ann"}}`; the later one wins.
    """
    variables: dict[str, Any] = dict(options.variables)
    for name, value in options.var:
        *parents, leaf = name.split(".")
        place = variables
        for parent in parents:
            inner = place.get(parent)
            if not isinstance(inner, dict):
                inner = place[parent] = {}
            place = inner
        place[leaf] = value
    return variables
