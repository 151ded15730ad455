"""The sdist of the sources, and the wheel of what the sdist holds."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple


class Packages(NamedTuple):
    """The two files."""

    sdist: Path
    wheel: Path


def build(sources: Path, to: Path) -> Packages:
    """Build both into the folder `to`; the wheel has what the sdist has, no more."""
    sdist = _built(sources, to, "sdist")
    with tempfile.TemporaryDirectory() as directory:
        return Packages(sdist, _built(unpacked(sdist, Path(directory)), to, "wheel"))


def unpacked(sdist: Path, to: Path) -> Path:
    """Unpack an sdist: the folder that is in it."""
    with tarfile.open(sdist) as file:
        if hasattr(tarfile, "data_filter"):
            file.extractall(to, filter="data")
        else:  # Python before 3.11.4; the file is our own
            file.extractall(to)  # noqa: S202
    return to / sdist.name.removesuffix(".tar.gz")


def _built(sources: Path, to: Path, target: str) -> Path:
    to = to.absolute()
    with tempfile.TemporaryDirectory(dir=to) as directory:
        done = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", directory],
            cwd=sources,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"hatchling cannot build the {target}:\n{done.stderr}")
        (made,) = Path(directory).iterdir()
        return made.replace(to / made.name)
