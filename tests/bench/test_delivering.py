"""Delivering alone, whose instructions the bench counts: of mail taken at once."""

from __future__ import annotations

import pytest

from bench.delivering import ENGINES, NotTaken, deliver
from relay.model.outcome import Deferred, When
from relay.model.reply import Reply

DOWN = Deferred(Reply(451, "4.1", "SES cannot be reached"), When.SLOWLY)


@pytest.mark.parametrize("engine", ENGINES)
async def test_only_mail_that_ses_takes_at_once_is_measured(engine: str) -> None:
    await deliver(engine, 3)
    with pytest.raises(NotTaken, match="SES cannot be reached"):
        await deliver(engine, 1, DOWN)
