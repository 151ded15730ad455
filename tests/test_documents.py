"""What the documents say of the settings' defaults is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from relay.app.rules import rules
from relay.app.templates import templates
from relay.config import Config, load, warnings
from relay.config.described import plain

ROOT = Path(__file__).parents[1]
TEMPLATE = '\n[[templates]]\nusageType = "{}"\nsubject = "s"\ncontent = "c"\n'
SECONDS = {"s": 1.0, "h": 3600.0, "days": 86_400.0}


def test_the_times_in_the_page_about_the_queue_are_the_defaults() -> None:
    text = (ROOT / "docs" / "queue.md").read_text("utf-8")
    queue = plain(Config().queue)
    rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) (s|h|days) \|", text, re.MULTILINE)

    written = {
        name: [float(number) * SECONDS[unit] for number in numbers.split(",")]
        for name, numbers, unit in rows
    }

    assert written.keys() == {
        *("answerWithin", "retryDelays", "slowDelays", "unseenDelays"),
        *("giveUpAfter", "keepSent", "keepFailed", "keepKeys"),
    }
    for name, seconds in written.items():
        default = queue[name]
        assert seconds == (default if isinstance(default, list) else [default])


BLOCKS = [
    block
    for page in ("rules.md", "local-mtas.md")
    for block in re.findall(
        r"(?ms)^```toml\n(.*?)^```", (ROOT / "docs" / page).read_text("utf-8")
    )
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[1][:30])
def test_the_settings_in_the_pages_about_rules_are_right(
    block: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    usages = ("SignIn", "ForgotPassword")
    file.write_text(block + "".join(map(TEMPLATE.format, usages)), "utf-8")
    settings = load(file, {})
    found = templates(settings)
    compiled = rules(settings, found)
    assert len(compiled.all if compiled else ()) == block.count("[[rules]]")
    assert warnings(settings) == []
