"""Build the packages, or install the wheel to test it.

`python -m scripts.packages build DIR` writes sdist, wheel and bill of materials.
`python -m scripts.packages tested DIR` makes a clean environment with the wheel in
DIR/environment, and beside it DIR/sources: all of the sdist, but for the package, in
whose place the wheel's is, so that tests that run there find no other.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

from scripts.packages.build import build
from scripts.packages.installed import install, ready_to_test
from scripts.packages.sbom import bill

ROOT = Path(__file__).parents[2]


def released(to: Path) -> None:
    """Write what a release has into the folder `to`."""
    to.mkdir(parents=True, exist_ok=True)
    made = build(ROOT, to)
    with tempfile.TemporaryDirectory() as directory:
        install(made.wheel, Path(directory))
        (site,) = Path(directory).glob("lib/python*/site-packages")
        itself = next(
            one for one in distributions(path=[str(site)]) if one.name == "ses-relay"
        )
        written = json.dumps(bill(made.wheel, itself, ROOT), indent=2) + "\n"
    sbom = to / f"{made.sdist.name.removesuffix('.tar.gz')}.cdx.json"
    sbom.write_text(written, "utf-8")
    for file in (*made, sbom):
        print(file)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["build", directory]:
            released(Path(directory))
        case ["tested", directory]:
            shutil.rmtree(directory, ignore_errors=True)
            Path(directory).mkdir(parents=True)
            ready_to_test(
                build(ROOT, Path(directory)), Path(directory), tools=ROOT / ".venv"
            )
        case _:
            sys.exit(__doc__)
