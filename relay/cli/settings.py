"""The option -c and the settings that it names, for every command that reads them."""

from __future__ import annotations

import argparse
import os
import sys

from relay import config

NOTHING_SET = (
    "no settings: give -c FILE, set RELAY_CONFIG or RELAY_… variables, or put a "
    "config.toml here. To try it without sending anything: relay serve --capture"
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add -c/--config to a command."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="settings; else $RELAY_CONFIG, else ./config.toml if it exists",
    )


def load(options: argparse.Namespace, *, capture: bool = False) -> config.Config | None:
    """Read the settings; None after telling the operator what is wrong with them."""
    try:
        file = config.find(options.config, os.environ)
        return config.load(file, os.environ, capture=capture)
    except config.ConfigError as error:
        complain(str(error))
        return None


def to_serve(
    options: argparse.Namespace, *, capture: bool = False
) -> config.Config | None:
    """The same for a relay: without any settings it would take mail and send nothing.

    `relay serve` and `relay check` both ask this, so that they agree.
    """
    if not (capture or any_set(options)):
        complain(f"relay {options.command}: {NOTHING_SET}")
        return None
    return load(options, capture=capture)


def any_set(options: argparse.Namespace) -> bool:
    """Tell whether a file or a variable sets anything, rightly or wrongly."""
    try:
        return config.any_settings(config.find(options.config, os.environ), os.environ)
    except config.ConfigError:
        return True  # `load` says what is wrong


def complain(text: str) -> None:
    """Tell the operator, one line per mistake."""
    print(text, file=sys.stderr)
