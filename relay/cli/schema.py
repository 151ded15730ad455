"""`relay schema`: print the JSON schema of the settings."""

from __future__ import annotations

import argparse
import json

from relay import config


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options: there are none."""


def run(options: argparse.Namespace) -> int:
    """Print the schema."""
    print(json.dumps(config.schema(), indent=2, ensure_ascii=False))
    return 0
