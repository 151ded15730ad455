"""The table of what mail programs take is made of caniemail's pages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TABLE = ROOT / "relay" / "templates" / "caniemail.json"

PAGE = """---
title: "a"
stats: {
    apple-mail: { macos: { "10.3":"y" }, ios: { "10.3":"y", } },
    gmail: {
        desktop-webmail: { "2019-08":"n", "2024-01":"y #1" },
        ios: { "2019-08":"y", "2020-01":"n #2" },
    },
    outlook: { windows: { "2019":"a #1" }, outlook-com: { "2019-08":"u" } },
}
---
"""


def test_the_table_is_made_of_the_newest_of_each_program(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import caniemail  # a script
    finally:
        sys.path.pop(0)
    (tmp_path / "_features").mkdir()
    for pages in caniemail.PLACES.values():
        for page in pages:
            (tmp_path / "_features" / f"{page}.md").write_text(PAGE, "utf-8")
    for words in (
        ("init", "-q"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"),
    ):
        subprocess.run(["git", "-C", tmp_path, *words], check=True)

    made = caniemail.made(tmp_path)

    gmail = made["programs"].index("Gmail")
    assert made["properties"]["float"] == [gmail]
    assert {
        tuple(failing) for place in caniemail.PLACES for failing in made[place].values()
    } == {(gmail,)}
    # What is in the package has the same shape.
    assert json.loads(TABLE.read_text("utf-8")).keys() == made.keys()


def test_the_data_come_with_their_license() -> None:
    table = json.loads(TABLE.read_text("utf-8"))
    assert table["license"] == "MIT, see caniemail-license.txt"
    text = TABLE.with_name("caniemail-license.txt").read_text("utf-8")
    assert "MIT License" in text
    assert "Rémi Parmentier" in text
