"""`relay import`: print a config.toml from a Logto Amazon SES connector."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from pathlib import Path
from typing import TextIO

from relay.cli import logto_connector
from relay.cli.settings import complain
from relay.system import files


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
            path = Path(options.file)
            raw = files.read(path, limit=files.TEXT_BYTES, streams=True)
        imported = logto_connector.convert(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        complain(f"{options.file}: is not UTF-8")
        return 2
    except (OSError, ValueError) as error:
        complain(f"{options.file}: {error}")
        return 2
    except logto_connector.ConnectorError as error:
        complain(f"{options.file}: {error}")
        return 2
    for note in imported.notes:
        complain(f"{options.file}: {note}")
    sys.stdout.buffer.write(imported.toml.encode("utf-8"))
    if "\naccessKeySecret" in imported.toml and _others_may_read(sys.stdout):
        complain(
            f"{options.file}: every user of this machine may read what was written, "
            "and it holds accessKeySecret; chmod 600 it, or umask 077 before"
        )
    return 0


def _others_may_read(stream: TextIO) -> bool:
    """Tell whether the stream goes into a file that is open to everybody."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IROTH)
