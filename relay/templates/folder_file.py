"""A file that a template names, in its folder or below it and nowhere else."""

from __future__ import annotations

import stat
from pathlib import Path


class UnusableFileError(Exception):
    """It may not be read, or cannot; the text says why, for the operator."""


def folder_file(folder: Path, name: str, *, at_most: int, because: str = "") -> bytes:
    """The file's bytes. Raises UnusableFileError, and FileNotFoundError."""
    if "\\" in name or "\0" in name or name.startswith("/") or ".." in name.split("/"):
        raise UnusableFileError(
            f"leads out of {folder}; what a template names is in it or below it"
        )
    try:
        # What a ConfigMap's links lead to is in the folder too; other links may leave.
        path = (folder / name).resolve(strict=True)
        if not path.is_relative_to(folder.resolve()):
            raise UnusableFileError(
                f"is a link that leads out of {folder}; copy the file into it"
            )
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UnusableFileError(f"{folder / name} is no file")
        if found.st_size > at_most:
            raise UnusableFileError(
                f"{folder / name} has {found.st_size:,} bytes, of which "
                f"{at_most:,} are allowed here" + (f"; {because}" if because else "")
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        why = getattr(error, "strerror", None) or str(error)
        raise UnusableFileError(f"{folder / name}: {why}") from error
