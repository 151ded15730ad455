"""Which files something was read from, and whether one of them has changed since.

By what the system says of a file, through all links on the way to it, so that a link
that is moved is a change, and so is a file that was put in another's place.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

# Device, inode, time of the last write in nanoseconds, size; None: there is no file.
Identity = tuple[int, int, int, int] | None


class Seen:
    """Files as they were before they were read; `note` belongs before the reading.

    `streams` are those of them that can be read once, as pipes; they never change.
    """

    def __init__(self) -> None:
        self._files: dict[Path, Identity] = {}
        self.streams: set[Path] = set()

    def note(self, path: Path) -> None:
        """Remember how a file, or a directory, stands now; the first time counts."""
        if path in self._files:
            return
        if _is_stream(path):
            self.streams.add(path)
        else:
            self._files[path] = identity(path)

    def add(self, other: Seen) -> None:
        """Look at the files of `other`, too, that are not known here."""
        for path, found in other._files.items():
            self._files.setdefault(path, found)

    @property
    def files(self) -> Iterable[Path]:
        """All of them, in the order of their reading."""
        return tuple(self._files)

    @property
    def changed(self) -> tuple[Path, ...]:
        """Those that are not any more what they were."""
        return tuple(
            path for path, known in self._files.items() if identity(path) != known
        )


def identity(path: Path) -> Identity:
    """What changes with the file."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _is_stream(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
