"""Draw the rooms of relay/ and the imports between them, for docs/map.md.

`.venv/bin/python scripts/map.py [FILE]`, by default docs/images/map.svg.

Floors are those of the contract in pyproject.toml, arrows are the imports as they
are. Only where a room stands on its floor is written here, as a matter of taste.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from math import hypot
from pathlib import Path

import grimp

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "images" / "map.svg"

# From the left, in widths of a place; a room that is not named here asks for a line.
PLACES: Mapping[str, float] = {
    "__main__": 2.4,
    "cli": 2.4,
    "app": 2.4,
    "web": 1.3,
    "capture": 2.0,
    "fleet": 3.4,
    "hooks": 4.6,
    "intake": 0.5,
    "ses": 2.0,
    "delivery": 1.3,
    "templates": 0.5,
    "rules": 1.65,
    "observe": 2.8,
    "smtp": 4.0,
    "config": 5.3,
    "content": 2.3,
    "queue": 1.2,
    "system": 3.9,
    "model": 1.8,
    "log": 3.2,
    "password": 4.9,
    "pytest_plugin": 6.1,
}
PLACE, FLOOR, LEFT, TOP = 124, 66, 56, 16
WIDTH, HEIGHT = 96, 32  # of a room

Arrow = tuple[str, str]


def floors() -> list[list[str]]:
    """The rooms of each floor, from the roof to the ground."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for contract in settings["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "layers":
            return [
                [room.strip() for room in layer.split("|")]
                for layer in contract["layers"]
            ]
    raise SystemExit("pyproject.toml has no contract of the type layers")


def imports() -> set[Arrow]:
    """Which room imports from which."""
    graph = grimp.build_graph("relay", cache_dir=None)
    found = {
        (importer.split(".")[1], imported.split(".")[1])
        for importer in graph.modules - {"relay"}
        for imported in graph.find_modules_directly_imported_by(importer) - {"relay"}
    }
    return {
        (importer, imported) for importer, imported in found if importer != imported
    }


def shown(arrows: set[Arrow]) -> list[Arrow]:
    """Without those that a longer way along arrows says as well."""
    below: dict[str, set[str]] = {}
    for importer, imported in arrows:
        below.setdefault(importer, set()).add(imported)

    def reached(room: str) -> set[str]:
        rooms = below.get(room, set())
        return rooms.union(*(reached(other) for other in rooms))

    return sorted(
        (importer, imported)
        for importer, imported in arrows
        if not any(imported in reached(other) for other in below[importer] - {imported})
    )


def drawn(rooms: Sequence[Sequence[str]], arrows: Sequence[Arrow]) -> Iterator[str]:
    """The picture as lines of SVG."""
    centres = {
        room: (LEFT + PLACES[room] * PLACE, TOP + FLOOR * number + FLOOR / 2)
        for number, floor in enumerate(rooms)
        for room in floor
    }
    width = int(max(x for x, _ in centres.values()) + WIDTH / 2 + 20)
    height = 2 * TOP + FLOOR * len(rooms)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="13">'
    )
    yield "<title>The rooms of relay/, and which imports from which</title>"
    yield (
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#5b6b7d"/></marker>'
    )
    yield f'<rect width="{width}" height="{height}" rx="8" fill="#fbfaf7"/>'
    for number in range(len(rooms)):
        top = TOP + FLOOR * number
        yield (
            f'<rect x="10" y="{top + 3}" width="{width - 20}" height="{FLOOR - 6}" '
            f'rx="4" fill="#f1efe8"/>'
            f'<text x="22" y="{top + FLOOR / 2 + 4:.0f}" fill="#8a8471">'
            f"{len(rooms) - number}</text>"
        )
    for importer, imported in arrows:
        (x1, y1), (x2, y2) = centres[importer], centres[imported]
        # From the bottom of one room to the top of the other, a little towards it.
        lean = 0.3 * WIDTH * (x2 - x1) / (hypot(x2 - x1, y2 - y1) or 1)
        x1, y1, x2, y2 = x1 + lean, y1 + HEIGHT / 2, x2 - lean, y2 - HEIGHT / 2 - 1
        yield (
            f'<path d="M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}" stroke="#5b6b7d" '
            f'stroke-width="1.3" marker-end="url(#tip)">'
            f"<title>{importer} imports from {imported}</title></path>"
        )
    for room, (x, y) in centres.items():
        yield (
            f'<rect x="{x - WIDTH / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{WIDTH}" '
            f'height="{HEIGHT}" rx="5" fill="#fff" stroke="#2f4b66"/>'
            f'<text x="{x:.0f}" y="{y + 4.5:.1f}" text-anchor="middle" '
            f'fill="#1c2b3a">{room}</text>'
        )
    yield "</svg>"


def main(words: Sequence[str]) -> int:
    file = Path(words[0]) if words else PICTURE
    rooms = floors()
    if homeless := {room for floor in rooms for room in floor} - PLACES.keys():
        raise SystemExit(f"scripts/map.py: PLACES has no {', '.join(sorted(homeless))}")
    lines = drawn(rooms, shown(imports()))
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
