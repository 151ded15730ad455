"""Write what is made of models, commands and replies: all of it, below a folder.

`.venv/bin/python -m scripts.reference [FOLDER]`, by default where they belong.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from relay import config

from . import commands, completion, manual, replies, settings
from .example import commented

ROOT = Path(__file__).parents[2]


def made() -> Iterator[tuple[str, str]]:
    """Each file's place and its text."""
    example = "config.example.toml"
    yield example, commented((ROOT / example).read_text("utf-8"))
    schema = json.dumps(config.schema(), indent=2, ensure_ascii=False)
    yield "config.schema.json", f"{schema}\n"
    yield "docs/reference/settings.md", settings.page()
    yield "docs/reference/commands.md", commands.page()
    yield "docs/reference/replies.md", replies.page()
    yield "share/man/man1/relay.1", manual.of_commands()
    yield "share/man/man5/relay.toml.5", manual.of_settings()
    for file, text in completion.scripts():
        yield f"share/{file}", text


def main(words: list[str]) -> int:
    """Write the files."""
    folder = Path(words[0]) if words else ROOT
    for place, text in made():
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
