"""What a store must do before mail is kept in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relay.fleet import keys
from relay.fleet.aws import Unusable
from relay.fleet.open import open_queue
from tests.fleet.emulators import Emulator
from tests.fleet.faults import faults
from tests.fleet.patient import objects


@pytest.mark.parametrize("ignored", ["If-None-Match", "If-Match"])
async def test_a_store_without_conditional_writes_stops_the_start(
    emulator: Emulator, ignored: str
) -> None:
    async with faults(emulator.endpoint) as proxy:
        proxy.ignores = ignored
        place = emulator.place(proxy.url)
        with pytest.raises(Unusable, match=f"the store ignores {ignored}, so that two"):
            async with open_queue(place):
                pass
        beside = replace(place, endpoint_url=emulator.endpoint)
        assert objects(beside) == []


async def test_a_store_that_says_403_for_a_missing_key_stops_the_start(
    emulator: Emulator,
) -> None:
    async with faults(emulator.endpoint) as proxy:
        proxy.fate = lambda name: "403" if name == "S3 GET state" else "pass"
        with pytest.raises(Unusable, match="grant s3:ListBucket on the bucket"):
            async with open_queue(emulator.place(proxy.url)):
                pass


def test_names_of_objects_hold_no_address() -> None:
    named = keys.hashed_key("limit", "SignIn", "ann@acme.example")
    assert "ann" not in named
    assert keys.mail_key("0abc.0").startswith("mail/")
