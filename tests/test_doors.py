"""Each library from outside has a door: a contract in pyproject.toml names who may."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]


def test_each_library_from_outside_has_a_door() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    doors = {name for one in contracts for name in one.get("protected_modules", ())}
    graph = grimp.build_graph("relay", include_external_packages=True, cache_dir=None)

    outside = {name for name in graph.modules if graph.is_module_squashed(name)}

    assert doors <= outside, "a door to what nobody imports"
    assert outside - sys.stdlib_module_names - {"__future__"} <= doors
