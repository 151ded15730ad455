"""The option -c and the settings that it names, for every command that reads them."""

from __future__ import annotations

import argparse
import os
import sys

from relay import config
from relay.cli.settings_option import add

__all__ = ["NO_TEMPLATES", "add", "any_set", "complain", "load", "to_serve"]

NOTHING_SET = (
    "no settings: give -c FILE, set RELAY_CONFIG or RELAY_… variables, or put a "
    "config.toml here. To try it without sending anything: relay serve --capture"
)

NO_TEMPLATES = (
    "the settings name no templates: add [[templates]], or templatesDir for a folder "
    "of files"
)


def load(
    options: argparse.Namespace,
    *,
    capture: bool = False,
    note: config.Note = lambda path: None,
) -> config.Config | None:
    """Read the settings; None after telling the operator what is wrong with them.

    `note` is told of each file before it is read.
    """
    try:
        file = config.find(options.config, os.environ)
        return config.load(file, os.environ, capture=capture, note=note)
    except config.ConfigError as error:
        complain(str(error))
        return None


def to_serve(
    options: argparse.Namespace,
    *,
    capture: bool = False,
    note: config.Note = lambda path: None,
) -> config.Config | None:
    """The same for a relay: without any settings it would take mail and send nothing.

    `relay serve` and `relay check` both ask this, so that they agree.
    """
    if not (capture or any_set(options)):
        complain(f"relay {options.command}: {NOTHING_SET}")
        return None
    return load(options, capture=capture, note=note)


def any_set(options: argparse.Namespace) -> bool:
    """Tell whether a file or a variable sets anything, rightly or wrongly."""
    try:
        return config.any_settings(config.find(options.config, os.environ), os.environ)
    except config.ConfigError:
        return True  # `load` says what is wrong


def complain(text: str) -> None:
    """Tell the operator, one line per mistake."""
    print(text, file=sys.stderr)
