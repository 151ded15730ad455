"""The options --var and --locale of the commands that fill a template."""

from __future__ import annotations

import argparse


def add(parser: argparse.ArgumentParser) -> None:
    """Add --var NAME=VALUE (any number of times) and --locale."""
    parser.add_argument(
        "--var",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=_pair,
        help="a variable; user.name=Ann makes a nested one",
    )
    parser.add_argument("--locale", metavar="TAG", default="", help="such as fr-CA")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not all(name.split(".")):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def nested(pairs: list[tuple[str, str]]) -> dict[str, object]:
    """Make `{"user": {"name": "Ann"}}` of `user.name=Ann`; the later one wins."""
    variables: dict[str, object] = {}
    for name, value in pairs:
        *parents, leaf = name.split(".")
        place = variables
        for parent in parents:
            inner = place.get(parent)
            if not isinstance(inner, dict):
                inner = place[parent] = {}
            place = inner
        place[leaf] = value
    return variables
