"""Mail that fuzzing found once, or that was thought of: taken or refused, for ever."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fuzz.test_message_fuzz import prepared

CORPUS = sorted((Path(__file__).parent / "corpus" / "mail").iterdir())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_odd_mail_is_taken_or_refused(path: Path) -> None:
    content = path.read_bytes()
    for usage in ("", "Generic"):
        mail = prepared(content, usage)
        if mail is not None:
            assert not re.search(rb"\r(?!\n)|(?<!\r)\n", mail.content)
