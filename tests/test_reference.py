"""What is made of the models, the commands and the replies is as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_what_is_made_of_models_and_commands_is_current(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "scripts.reference", tmp_path], cwd=ROOT, check=True
    )

    made = {
        str(file.relative_to(tmp_path)): file.read_text("utf-8")
        for file in tmp_path.rglob("*")
        if file.is_file()
    }
    committed = {name: (ROOT / name).read_text("utf-8") for name in made}
    changed = [name for name in made if made[name] != committed[name]]
    assert made.keys() >= {"config.example.toml", "config.schema.json"}
    assert changed == [], "run .venv/bin/python -m scripts.reference"
