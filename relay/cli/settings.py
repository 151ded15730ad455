"""The option -c and the settings that it names, for every command that reads them."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from relay import config


def add(parser: argparse.ArgumentParser) -> None:
    """Add -c/--config to a command."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="settings; else $RELAY_CONFIG, else ./config.toml if it exists",
    )


def find(options: argparse.Namespace) -> Path | None:
    """The settings file that the options, the environment or the directory name."""
    return config.find(options.config, os.environ)


def load(options: argparse.Namespace, *, capture: bool = False) -> config.Config | None:
    """Read the settings; None after telling the operator what is wrong with them."""
    try:
        return config.load(find(options), os.environ, capture=capture)
    except config.ConfigError as error:
        complain(str(error))
        return None


def complain(text: str) -> None:
    """Tell the operator, one line per mistake."""
    print(text, file=sys.stderr)
