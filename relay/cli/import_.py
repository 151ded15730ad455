"""`relay import`: print a config.toml from a Logto Amazon SES connector."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from relay.cli import logto_connector
from relay.cli.settings import complain


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's argument."""
    parser.add_argument(
        "file",
        metavar="CONNECTOR.json",
        help="a connector's config, the connector, or the list; - for stdin",
    )


def run(options: argparse.Namespace) -> int:
    """Print the settings to stdout, and what has no effect to stderr."""
    try:
        if options.file == "-":
            raw = sys.stdin.buffer.read()
        else:
            raw = Path(options.file).read_bytes()
        imported = logto_connector.convert(raw.decode("utf-8-sig"))
    except OSError as error:
        complain(f"{options.file}: {error.strerror}")
        return 2
    except UnicodeDecodeError:
        complain(f"{options.file}: is not UTF-8")
        return 2
    except logto_connector.ConnectorError as error:
        complain(f"{options.file}: {error}")
        return 2
    for note in imported.notes:
        complain(f"{options.file}: {note}")
    sys.stdout.buffer.write(imported.toml.encode("utf-8"))
    return 0
