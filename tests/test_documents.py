"""What the documents say of the settings' defaults is so."""

from __future__ import annotations

import re
from pathlib import Path

from relay.config import Config
from relay.config.json_schema import plain

ROOT = Path(__file__).parents[1]
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
