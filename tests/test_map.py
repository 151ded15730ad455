"""docs/map.md is true: its picture, its rooms, and each place that it names."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAP = (ROOT / "docs" / "map.md").read_text("utf-8")
PLACES = sorted(set(re.findall(r"`(relay/[\w/]+\.py): ([\w.]+)`", MAP)))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
PATH = re.compile(r"`((?:relay|tests|bench|scripts|docs)/[\w./*-]+)`")
# docs/security.md names tests by their place in tests/.
TEST = re.compile(r"`((?:unit|server|dialogs|web|fuzz)/[\w/*-]+\.(?:py|smtp))`")


def test_the_picture_shows_the_imports_as_they_are(tmp_path: Path) -> None:
    made = tmp_path / "map.svg"

    subprocess.run([sys.executable, "scripts/map.py", made], cwd=ROOT, check=True)

    committed = ROOT / "docs" / "images" / "map.svg"
    assert committed.read_text("utf-8") == made.read_text("utf-8"), (
        "imports between rooms changed: run .venv/bin/python scripts/map.py"
    )


def test_each_room_is_in_the_table() -> None:
    rooms = {
        path.name
        for path in (ROOT / "relay").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }

    named = set(re.findall(r"^\| `relay/([\w.]+)` \|", MAP, re.MULTILINE))

    assert named == rooms - {"__init__.py", "__main__.py"}


def test_the_map_names_places() -> None:
    assert len(PLACES) > 50


@pytest.mark.parametrize(("file", "name"), PLACES)
def test_each_place_holds_what_the_map_says(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))

    assert name in set(_definitions(tree.body))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_file_that_a_document_names_is_there(document: Path) -> None:
    text = document.read_text("utf-8")
    named = {*PATH.findall(text), *(f"tests/{path}" for path in TEST.findall(text))}

    gone = [path for path in named if not any(ROOT.glob(path))]

    assert sorted(gone) == []


def _definitions(body: list[ast.stmt], within: str = "") -> Iterator[str]:
    """The names of classes, functions and values, those of a class as Class.name."""
    for statement in body:
        match statement:
            case ast.ClassDef(name=name):
                yield within + name
                yield from _definitions(statement.body, f"{within}{name}.")
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield within + name
            case ast.Assign(targets=targets):
                yield from (within + ast.unparse(target) for target in targets)
            case ast.AnnAssign(target=target):
                yield within + ast.unparse(target)
