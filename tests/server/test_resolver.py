"""A resolver that never answers holds up no other mail, no page and no stop.

A small library, preloaded, is that resolver: its look-ups hang for ever.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from relay.ses.http.names import AT_ONCE
from tests.server.relay_process import running_relay, until
from tests.server.test_life import relay_command
from tests.server.test_queue_disk import submit
from tests.server.tools import need
from tests.web.site import Site

SOURCE = Path(__file__).with_name("silent_resolver.c")
SES = {
    "RELAY_SES__REGION": "eu-west-1",
    "RELAY_SES__ACCESS_KEY_ID": "AKIAFAKE",
    "RELAY_SES__ACCESS_KEY_SECRET": "fake-secret",
    "RELAY_SES__ENDPOINT_URL": "http://ses.silent:9",
    "RELAY_SES__CONNECT_TIMEOUT": "1",
    "RELAY_SES__ATTEMPT_TIMEOUT": "2",
    "NO_PROXY": "*",
}


class SilentResolver:
    """What a process is started with, and how many of its look-ups hang."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "look-ups"
        self._file.touch()
        library = directory / "silent_resolver.so"
        command = [need("gcc", "gcc libc6-dev"), "-shared", "-fPIC", "-O2", "-Wall"]
        command += ["-Werror", "-o", os.fspath(library), os.fspath(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        self.environment = {
            "LD_PRELOAD": os.fspath(library),
            "SILENT_RESOLVER": os.fspath(self._file),
        }

    @property
    def hanging(self) -> int:
        return self._file.stat().st_size


@pytest.fixture
def resolver(tmp_path: Path) -> SilentResolver:
    return SilentResolver(tmp_path)


def test_a_silent_resolver_holds_up_neither_mail_nor_page_nor_stop(
    resolver: SilentResolver, tmp_path: Path
) -> None:
    settings = {
        **SES,
        **resolver.environment,
        "RELAY_GRACE": "5",
        "RELAY_QUEUE__ENGINE": "sqlite",
        "RELAY_QUEUE__PATH": os.fspath(tmp_path / "spool.db"),
        "RELAY_QUEUE__RETRY_DELAYS": "[0.1]",
        "RELAY_WEB__LISTEN": "127.0.0.1:0",
    }
    with running_relay("-c", os.devnull, settings=settings) as relay:
        for number in range(3):
            code, text = submit(relay.port(), f"small {number}")
            assert (code, text[: len(b"2.0.0 queued")]) == (250, b"2.0.0 queued")
        # As many as there are threads for it, and no more.
        until(lambda: resolver.hanging == AT_ONCE)
        code, text = submit(relay.port(), "large", size=1_100_000)
        assert (code, text[: len(b"2.0.0 queued")]) == (250, b"2.0.0 queued")
        answer = Site(relay).get("/api/v1/queue")
        assert answer.status == 200
        assert len(answer.json["mails"]) == 4
        assert resolver.hanging == AT_ONCE
        assert relay.stop() == 0


def test_a_stop_that_cuts_off_ends_while_look_ups_hang(
    resolver: SilentResolver,
) -> None:
    settings = {
        **SES,
        **resolver.environment,
        "RELAY_GRACE": "4",
        "RELAY_SES__CONNECT_TIMEOUT": "2.5",
        "RELAY_SES__ATTEMPT_TIMEOUT": "3",
        "RELAY_QUEUE__ANSWER_WITHIN": "0.5",
    }
    with running_relay("-c", os.devnull, settings=settings) as relay:
        code, text = submit(relay.port(), "small")
        assert (code, text[: len(b"4.4.1 ")]) == (451, b"4.4.1 ")
        assert resolver.hanging >= 1
        relay.process.terminate()
        assert relay.stop() in (0, 3)  # the second signal ends the grace


def test_relay_check_ends_while_the_resolver_is_silent(
    resolver: SilentResolver, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("")
    done = relay_command(
        *("check", "--online", "-c", os.fspath(file)),
        settings={**SES, **resolver.environment},
    )
    assert done.returncode == 1, done.stderr
    assert "problem: SES cannot be asked: " in done.stdout
    assert 1 <= resolver.hanging <= AT_ONCE
