"""What several tests of the delivery start with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.queue import Notes
from relay.queue.memory_notes import MemoryNotes
from relay.queue.sqlite import open_spool
from tests.unit.delivery.test_limits import Clock


@pytest.fixture(params=["memory", "spool"])
async def notes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Notes]:
    """Both that remember."""
    if request.param == "memory":
        yield MemoryNotes(now=Clock())
        return
    async with open_spool(tmp_path / "s.db", keep_sent=1, keep_failed=1) as queue:
        yield queue.notes
