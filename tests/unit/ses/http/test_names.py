"""Names looked up beside all else: by a resolver that answers, and by none."""

from __future__ import annotations

import asyncio
import socket

import pytest

from relay.ses.http.names import Names


async def test_a_name_and_an_address_are_found() -> None:
    names = Names(patience=10)
    try:
        found = await names.addresses("localhost", 25, socket.AF_INET)
        assert ("127.0.0.1", 25) in [address for *_, address in found]
        for host, expected in (("192.0.2.1", 25), ("::1", 26)):
            found = await names.addresses(host, expected)
            assert [address[:2] for *_, address in found] == [(host, expected)]
    finally:
        names.close()


@pytest.mark.parametrize("host", ["ses.invalid", "a..b", "x" * 70 + ".invalid"])
async def test_a_name_that_cannot_be_found_is_an_error(host: str) -> None:
    names = Names(patience=10)
    try:
        with pytest.raises((OSError, UnicodeError)):
            await names.addresses(host, 25)
    finally:
        names.close()


async def test_many_who_ask_at_once_share_one_answer() -> None:
    names = Names(patience=10)
    try:
        found = await asyncio.gather(
            *(names.addresses("localhost", 25, socket.AF_INET) for _ in range(100))
        )
        assert all(one is found[0] for one in found)
    finally:
        names.close()
