"""The directory that a gallery is written to: made, or one that was written before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

# It names the files, so that the next gallery takes those away, and no other.
MARKER = "relay-preview.json"


class DirectoryError(Exception):
    """The directory cannot be used; the text says why, and what to do."""


def write(directory: Path, contents: Mapping[str, str]) -> None:
    """Make the directory hold these files, index.html last. Raises DirectoryError."""
    try:
        before = _before(directory)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / MARKER).write_text(
            json.dumps(sorted({*before, *contents}), indent=1) + "\n", "utf-8"
        )
        for gone in sorted(before - contents.keys()):
            (directory / gone).unlink(missing_ok=True)
        for name, content in sorted(contents.items(), key=_index_last):
            (directory / name).parent.mkdir(exist_ok=True)
            (directory / name).write_text(content, "utf-8", newline="\n")
        (directory / MARKER).write_text(
            json.dumps(sorted(contents), indent=1) + "\n", "utf-8"
        )
    except OSError as error:
        place = error.filename or directory
        raise DirectoryError(f"{place}: {error.strerror}") from error


def _index_last(item: tuple[str, str]) -> bool:
    return item[0] == "index.html"


def _before(directory: Path) -> set[str]:
    """The files that the last gallery wrote there."""
    if not directory.exists():
        return set()
    if not directory.is_dir():
        raise DirectoryError(f"{directory}: is a file; name a directory")
    marker = directory / MARKER
    if not marker.exists():
        if next(directory.iterdir(), None) is not None:
            raise DirectoryError(
                f"{directory}: is not empty, and no preview was written there; name "
                "another directory"
            )
        return set()
    try:
        names = json.loads(marker.read_text("utf-8"))
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(map(_is_ours, names)):
        raise DirectoryError(
            f"{marker}: is not as it was written; remove the directory, or name another"
        )
    return set(names)


def _is_ours(name: object) -> bool:
    """Whether a gallery may have written it: nothing leads out of the directory."""
    return isinstance(name, str) and not (
        name.startswith("/") or ".." in name or "\0" in name or "\\" in name
    )
