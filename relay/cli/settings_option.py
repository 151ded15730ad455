"""The option -c, without what reads the settings: a probe is asked often, and quick."""

from __future__ import annotations

import argparse


def add(parser: argparse.ArgumentParser) -> None:
    """Add -c/--config to a command."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="settings; else $RELAY_CONFIG, else ./config.toml if it exists",
    )
