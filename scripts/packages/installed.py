"""A clean environment with a wheel in it, and with nothing that it does not ask for.

What it asks for is linked from the environment that runs this, so that nothing is
asked of a registry; of any other library there the clean one knows nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from scripts.packages.build import Packages, unpacked
from scripts.packages.needed import needed


def install(
    wheel: Path,
    where: Path,
    extras: frozenset[str] = frozenset(),
    *,
    also: Sequence[str] = (),
) -> Path:
    """Make the environment in the folder `where`, and in it `also`: its Python."""
    venv.create(where, with_pip=False, symlinks=True)
    python = where / "bin" / "python"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(python), "install"),
            *("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"),
            *("--root-user-action=ignore", str(wheel)),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    (site,) = where.glob("lib/python*/site-packages")
    (itself,) = distributions(path=[str(site)])
    for one, _ in needed(itself, extras).values():
        if one is not itself:
            _link(one, site)
    for name in also:
        _link(distribution(name), site)
    return python


def _link(one: Distribution, site: Path) -> None:
    """Link what a distribution has among the libraries: its modules and metadata."""
    for name in {file.parts[0] for file in one.files or ()} - {"..", "__pycache__"}:
        link = site / name
        if not link.is_symlink():  # of a namespace that several have a part of
            link.symlink_to(Path(str(one.locate_file(name))))


def ready_to_test(made: Packages, where: Path, *, tools: Path) -> Path:
    """Make `where`/environment and `where`/sources, to run tests in: its Python.

    The sources are the sdist's, but for the package, which is the wheel's. Tools that
    are no Python's, Node's say, are found below `tools`.
    """
    python = install(
        made.wheel, where / "environment", frozenset({"test"}), also=("pip",)
    )
    sources = unpacked(made.sdist, where).rename(where / "sources")
    shutil.rmtree(sources / "relay")
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    (sources / "relay").symlink_to(site.absolute() / "relay")
    (sources / ".venv").symlink_to(tools)
    return python
