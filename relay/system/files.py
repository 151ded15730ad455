"""Files that the settings name: read within bounds, and never waited for."""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path

SECRET_BYTES = 64_000  # of a secret, a key, a certificate with its chain
TEXT_BYTES = 16_000_000  # of settings, a template, a connector
# How long a pipe or a terminal may bring nothing, where one may be read at all.
SILENT_SECONDS = 10


def read(path: Path, *, limit: int, streams: bool = False) -> bytes:
    """All of the file. Raises ValueError with what stands in the way, and the cure.

    A pipe that nobody writes to would hold the start for ever, and a device has no
    end: such files are taken with `streams` alone, and within the same bounds.
    """
    try:
        line = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise ValueError(_reason(error)) from error
    except ValueError as error:  # a NUL in the path
        raise ValueError("is not a path") from error
    try:
        mode = os.fstat(line).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or streams):
            raise ValueError("is no regular file, but a pipe, a device or the like")
        return _all(line, limit)
    except OSError as error:
        raise ValueError(_reason(error)) from error
    finally:
        os.close(line)


def _all(line: int, limit: int) -> bytes:
    pieces: list[bytes] = []
    room = limit
    while room >= 0:
        try:
            piece = os.read(line, min(room + 1, 1_000_000))
        except BlockingIOError:
            if not select.select([line], [], [], SILENT_SECONDS)[0]:
                raise ValueError(
                    f"brought nothing for {SILENT_SECONDS} seconds"
                ) from None
            continue
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        room -= len(piece)
    raise ValueError(f"is larger than {limit:,} bytes")


def _reason(error: OSError) -> str:
    text = error.strerror or type(error).__name__
    return f"{text}; must be a file that user {os.geteuid()} may read"


def open_to_others(path: Path) -> bool:
    """Tell whether users who neither own the file nor are of its group may read it.

    Its own mode is not enough for that: a directory on the way may let nobody in.
    """
    try:
        real = Path(os.path.realpath(path))
        return bool(real.stat().st_mode & stat.S_IROTH) and all(
            directory.stat().st_mode & stat.S_IXOTH for directory in real.parents
        )
    except (OSError, ValueError):
        return False  # whoever reads it says what is wrong
