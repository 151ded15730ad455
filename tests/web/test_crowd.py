"""Many who say nothing, or guess: those who may ask are answered all the same."""

from __future__ import annotations

import json
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from relay.password import hashed
from tests.server.relay_process import WAIT, RelayProcess, environment, until
from tests.server.test_life import through
from tests.web.site import Site, fake_ses, running_site
from tests.web.test_intake import SETTINGS, send
from tests.web.test_safety import basic


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    settings = {
        **SETTINGS,
        "RELAY_HEALTH__LISTEN": "127.0.0.1:0",
        "RELAY_WEB__USER": "ann",
        "RELAY_WEB__PASSWORD_HASH": hashed("right"),
    }
    with running_site(settings=settings) as site:
        yield site


def silent(port: int, number: int, stack: ExitStack) -> None:
    """Connect so often and say nothing, until the stack ends."""
    for _ in range(number):
        client = socket.create_connection(("127.0.0.1", port), timeout=WAIT)
        stack.callback(client.close)


@pytest.mark.parametrize("listener", ["health", "web"])
def test_silent_connections_do_not_make_the_probes_blind(
    site: Site, listener: str
) -> None:
    asked = Site(site.relay, listener)
    with ExitStack() as stack:
        silent(asked.port, 700, stack)
        for path in ("/livez", "/readyz"):
            assert asked.get(path).status == 200
        if listener == "web":
            assert asked.get("/", basic("ann", "right")).status == 200
            assert send(site).status == 200
    told = site.relay.events(
        "too many connections", 1, lambda one: one["listener"] == listener
    )
    assert len(told) == 1


@contextmanager
def guessers(site: Site, guess: Callable[[], object]) -> Iterator[None]:
    """Fifty who guess as fast as they hear that they are wrong."""
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            guess()

    threads = [threading.Thread(target=go_on) for _ in range(50)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def lines(site: Site, event: str) -> list[dict[str, object]]:
    return [one for one in site.relay.log if one["event"] == event]


def test_fifty_guessers_do_not_lock_the_right_password_out(site: Site) -> None:
    began = time.monotonic()
    with guessers(site, lambda: site.get("/api/v1/status", basic("ann", "wrong"))):
        until(lambda: bool(lines(site, "login failed")))
        for _ in range(3):
            assert site.get("/api/v1/status", basic("ann", "right")).status == 200
            # One that is not known already, and has to be compared.
            assert site.get("/api/v1/status", basic("bob", "right")).status == 401
        assert site.get("/readyz").status == 200
    told = lines(site, "login failed")
    assert told[0]["listener"] == "web"
    assert told[0]["peer"] == "127.0.0.1"
    assert len(told) <= 1 + (time.monotonic() - began) // 60
    assert "wrong" not in "".join(site.relay.stderr)


def test_fifty_guessers_do_not_lock_the_right_token_out(site: Site) -> None:
    began = time.monotonic()
    with guessers(site, lambda: send(site, authorization="not-the-token-at-all")):
        until(lambda: bool(lines(site, "token refused")))
        for _ in range(5):
            assert send(site).status == 200
        assert site.get("/readyz").status == 200
    told = lines(site, "token refused")
    assert told[0]["listener"] == "http"
    assert told[0]["peer"] == "127.0.0.1"
    assert len(told) <= 1 + (time.monotonic() - began) // 60
    assert "not-the-token" not in "".join(site.relay.stderr)


@pytest.mark.parametrize("door", ["password", "token"])
def test_each_wrong_guess_is_answered_later_than_the_one_before(door: str) -> None:
    settings = {
        **SETTINGS,
        "RELAY_WEB__USER": "ann",
        "RELAY_WEB__PASSWORD_HASH": hashed("right"),
    }
    with running_site(settings=settings) as site:

        def wrong() -> int:
            if door == "password":
                return site.get("/", basic("ann", "wrong")).status
            return send(site, authorization="x" * 20).status

        began = time.monotonic()
        assert [wrong() for _ in range(4)] == [401] * 4
        assert time.monotonic() - began >= 0.25 + 0.5 + 1 + 2
        # Who says nothing does not guess.
        none = site.get("/") if door == "password" else send(site, authorization="")
        assert none.status == 401
        assert len(lines(site, "login failed") + lines(site, "token refused")) == 1


@pytest.mark.parametrize("at_once", [False, True])
def test_a_crowd_at_every_door_leaves_files_for_ses(at_once: bool) -> None:
    """With a small limit of open files, and more connections than it has."""
    with fake_ses() as ses, ExitStack() as stack:
        settings = through(
            ses,
            RELAY_LISTENERS='[{"name": "local", "address": "127.0.0.1:0"}]',
            RELAY_LOG__FORMAT="json",
            RELAY_QUEUE__ENGINE="none",
            RELAY_WEB__LISTEN="127.0.0.1:0",
            RELAY_HEALTH__LISTEN="127.0.0.1:0",
        )
        script = (
            "import resource, runpy, sys;"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400));"
            "sys.argv = ['relay', 'serve'];"
            "runpy.run_module('relay', run_name='__main__')"
        )
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", script],
                env=environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
        )
        relay = RelayProcess(process)
        stack.callback(relay.stop)
        relay.event("ready")
        first = stack.enter_context(
            smtplib.SMTP("127.0.0.1", relay.port(), timeout=WAIT)
        )
        if at_once:  # all of them are there before the relay looks
            process.send_signal(signal.SIGSTOP)
        for listener in ("web", "health", "local"):
            silent(relay.port(listener), 300, stack)
        if at_once:
            process.send_signal(signal.SIGCONT)
        for _ in range(3):
            refused = first.sendmail(
                "a@b.example", ["c@d.example"], "Subject: x\r\n\r\nx\r\n"
            )
            assert refused == {}
        assert len(ses.sent) == 3
        for listener in ("web", "health"):
            assert Site(relay, listener).get("/readyz").status == 200
        first.close()
    text = "".join(relay.stderr)
    assert "Traceback" not in text
    assert "no files left" not in text
    # A line for each client of SMTP that was refused, and few others.
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert len([event for event in events if event != "client refused"]) < 40
