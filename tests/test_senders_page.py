"""The page about senders: each of its settings is one that a relay starts with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from relay import config

PAGE = Path(__file__).parents[1] / "docs" / "senders.md"
BLOCKS = re.findall(
    r"^```toml\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("block", BLOCKS)
def test_each_block_of_the_page_is_taken(block: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(block)
    loaded = config.load(file, {})
    assert config.warnings(loaded) == []


def test_the_page_has_what_it_tells_of() -> None:
    text = "".join(BLOCKS)
    for setting in ("[[accounts]]", "fallback", "[guard]", "account =", "roleArn"):
        assert setting in text
