"""systemd hears that the relay works, where its unit asks for it."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from relay.system import watchdog


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({}, False),
        ({"WATCHDOG_USEC": "60000000"}, True),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, True),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, False),
        ({"WATCHDOG_USEC": "0"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
    ],
)
def test_it_is_asked_for_by_the_environment(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], asked: bool
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert (watchdog.asked_for() is not None) is asked


async def test_it_says_so_again_and_again_until_the_stop(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "30000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    made = watchdog.asked_for()
    assert made is not None
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.setblocking(False)
        running = asyncio.create_task(made.run(stopping))
        for _ in range(3):
            assert await loop.sock_recv(heard, 100) == b"WATCHDOG=1"
        stopping.set()
        await running
