"""What bash, zsh and fish complete of a command line, made by shtab of the parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import shtab

from relay.cli import command_line
from relay.cli.completion import PLACES


def scripts() -> Iterator[tuple[str, str]]:
    """Each shell's file, and its text."""
    parser = command_line()
    _name_files(parser)
    for shell, file in PLACES.items():
        yield file, shtab.complete(parser, shell)


def _name_files(parser: argparse.ArgumentParser) -> None:
    """Say which arguments are files and folders, by what stands for them."""
    kinds = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _name_files(inner)
        elif (kind := str(action.metavar).partition(".")[0]) in kinds:
            action.complete = kinds[kind]  # type: ignore[attr-defined] # shtab's
