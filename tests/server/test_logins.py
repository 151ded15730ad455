"""Logging in to the real process: many at once, wrong guesses, and what is logged."""

from __future__ import annotations

import base64
import json
import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from relay import password
from tests.server.relay_process import (
    ROOT,
    RelayProcess,
    environment,
    running_relay,
    until,
)

HOST = "127.0.0.1"
MAIL = "From: app@acme.example\r\n\r\ntext\r\n"
HASH = password.hashed("s3cret")
USERS = json.dumps(
    [
        {"name": "app", "passwordHash": HASH, "senders": ["*@acme.example"]},
        {"name": "other", "passwordHash": password.hashed("0ther")},
        # To compare it takes so long that it shows on any machine.
        {
            "name": "slow",
            "passwordHash": PasswordHasher(
                time_cost=60, memory_cost=19_456, parallelism=1
            ).hash("s1ow"),
        },
    ]
)


@pytest.fixture(scope="module")
def relay() -> Iterator[RelayProcess]:
    listener = {
        "name": "local",
        "address": "127.0.0.1:0",
        "auth": "required",
        "insecureAuth": True,
    }
    settings = {"RELAY_LISTENERS": json.dumps([listener]), "RELAY_USERS": USERS}
    with running_relay(settings=settings) as running:
        yield running


def plain(name: str, secret: str) -> str:
    return base64.b64encode(f"\0{name}\0{secret}".encode()).decode()


def tried(relay: RelayProcess, name: str, secret: str) -> tuple[int, float]:
    """The reply's code and how long it took."""
    with smtplib.SMTP(HOST, relay.port(), timeout=60) as client:
        client.ehlo()
        began = time.monotonic()
        code, _ = client.docmd("AUTH", f"PLAIN {plain(name, secret)}")
        return code, time.monotonic() - began


def test_a_user_who_logged_in_sends_and_the_log_names_him(relay: RelayProcess) -> None:
    with smtplib.SMTP(HOST, relay.port(), timeout=60) as client:
        client.login("app", "s3cret")
        client.sendmail("app@acme.example", ["c@d.example"], MAIL)
    assert relay.event("captured")["user"] == "app"


def test_a_right_password_is_compared_once_and_then_remembered(
    relay: RelayProcess,
) -> None:
    code, compared = tried(relay, "slow", "s1ow")
    assert code == 235
    # Never waits for the hash, so that this machine's pace does not matter.
    assert min(tried(relay, "slow", "s1ow")[1] for _ in range(20)) < compared / 3


def test_a_hundred_clients_that_log_in_at_once_are_all_let_in(
    relay: RelayProcess,
) -> None:
    codes = []

    def one(name: str, secret: str) -> None:
        codes.append(tried(relay, name, secret)[0])

    people = [("app", "s3cret"), ("other", "0ther")] * 50
    threads = [threading.Thread(target=one, args=who) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [235] * 100


def test_an_unknown_name_is_answered_as_a_known_one_in_words_and_in_time() -> None:
    listener = {"address": "127.0.0.1:0", "auth": "optional", "insecureAuth": True}
    settings = {
        "RELAY_LISTENERS": json.dumps([{**listener, "name": "local"}]),
        "RELAY_USERS": USERS,
    }
    with running_relay(settings=settings) as relay:
        with smtplib.SMTP(HOST, relay.port(), timeout=60) as client:
            client.ehlo()
            answers = []
            for name in ("app", "nobody"):
                began = time.monotonic()
                answer = client.docmd("AUTH", f"PLAIN {plain(name, 'wrong')}")
                answers.append((answer, time.monotonic() - began))
        (known, first), (unknown, second) = answers
        assert known == unknown == (535, b"5.7.8 Authentication credentials invalid")
        # The delay of an address doubles, whatever names it tries; the comparison,
        # which takes less, is hidden in it.
        assert first >= 0.25
        assert second >= 0.5


def test_passwords_and_unknown_names_never_reach_the_log(relay: RelayProcess) -> None:
    for name, secret in (("app", "Hunter2x"), ("Hunter3x", "app")):
        assert tried(relay, name, secret)[0] == 535
    entry = relay.event("login failed", lambda one: one.get("name") == "app")
    assert entry["level"] == "warning"
    assert entry["peer"] == HOST
    relay.event("login failed", lambda one: "name" not in one)
    text = "".join(relay.stderr)
    for secret in ("Hunter", "s3cret", "0ther", plain("app", "Hunter2x"), HASH):
        assert secret not in text


def test_a_wrong_login_does_not_slow_the_right_ones(relay: RelayProcess) -> None:
    assert tried(relay, "app", "s3cret")[0] == 235  # it is remembered from here on
    for _ in range(3):  # so that the next one is answered after two seconds
        assert tried(relay, "app", "wrong")[0] == 535
    order = []
    wrong = threading.Thread(
        target=lambda: order.append(tried(relay, "app", "wrong")[0])
    )
    wrong.start()
    order.append(tried(relay, "app", "s3cret")[0])
    wrong.join()
    assert order == [235, 535]


def test_a_stop_does_not_wait_for_those_who_guessed_wrong() -> None:
    # A guess waits for two seconds. One of several stops that takes less will do: a
    # busy machine makes some longer, and nothing makes one shorter.
    assert any(seconds_of_a_stop() < 1.9 for _ in range(5))


def seconds_of_a_stop() -> float:
    """How long the relay takes to stop while somebody waits who guessed wrong."""
    listener = {"address": "127.0.0.1:0", "auth": "optional", "insecureAuth": True}
    settings = {
        "RELAY_LISTENERS": json.dumps([{**listener, "name": "local"}]),
        "RELAY_USERS": USERS,
    }
    with running_relay(settings=settings) as relay:
        for _ in range(4):
            tried(relay, "app", "wrong")
        client = smtplib.SMTP(HOST, relay.port(), timeout=60)
        client.ehlo()
        client.putcmd("AUTH", f"PLAIN {plain('app', 'wrong')}")
        # His guess is here, and looked at: another's, that came later, is answered.
        assert tried(relay, "other", "0ther")[0] == 235
        began = time.monotonic()
        assert relay.stop() == 0
        seconds = time.monotonic() - began
        client.close()
        return seconds


def test_relay_send_logs_in_and_speaks_tls() -> None:
    both = [
        {"name": "local", "address": "127.0.0.1:0", "tls": "starttls"},
        {"name": "whole", "address": "127.0.0.1:0", "tls": "implicit"},
    ]
    settings = {
        "RELAY_LISTENERS": json.dumps([{**one, "auth": "required"} for one in both]),
        "RELAY_TLS__SELF_SIGNED": "true",
        "RELAY_USERS": USERS,
    }

    def sent(port: int, *more: str, secret: str = "s3cret") -> tuple[int, str]:
        words = ["--to", "a@b.example", "--from", "app@acme.example"]
        words += ["--server", f"localhost:{port}"]
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "relay", "send", *words, *more],
            cwd=ROOT,
            env=environment({}),
            input=secret,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert secret not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    with running_relay(settings=settings) as relay:
        for name, tls in (("local", "starttls"), ("whole", "implicit")):
            port = relay.port(name)
            way = ["--tls", tls, "--no-verify"]
            code, said = sent(port, *way, "--user", "app")
            assert (code, said[:22]) == (0, "250 2.0.0 captured as ")
            code, said = sent(port, *way, "--user", "app", secret="wr0ng")
            assert (code, said[:9]) == (1, "535 5.7.8")
            code, said = sent(port, *way)
            assert (code, said[:9]) == (1, "530 5.7.0")
            code, said = sent(port, "--tls", tls, "--user", "app")
            assert (code, "--ca-file names a certificate to trust" in said) == (1, True)
        assert sent(port, "--ca-file", "nowhere.pem")[0] == 2


def test_fifty_guessers_do_not_lock_the_right_password_out() -> None:
    listener = {"address": "127.0.0.1:0", "auth": "optional", "insecureAuth": True}
    settings = {
        "RELAY_LISTENERS": json.dumps([{**listener, "name": "local"}]),
        "RELAY_USERS": USERS,
    }
    over = threading.Event()
    guesses: list[int] = []

    def guess(number: int, port: int) -> None:
        tries = 0
        while not over.is_set():
            with smtplib.SMTP(HOST, port, timeout=60) as client:
                client.ehlo()
                said = f"PLAIN {plain('app', f'{number}.{tries}')}"
                guesses.append(client.docmd("AUTH", said)[0])
            tries += 1

    with running_relay(settings=settings) as relay:
        threads = [
            threading.Thread(target=guess, args=(number, relay.port()))
            for number in range(50)
        ]
        for thread in threads:
            thread.start()
        until(lambda: len(guesses) >= 20)
        before = len(guesses)
        # From their own address, and not remembered from an earlier login.
        assert tried(relay, "app", "s3cret")[0] == 235
        # Each of them may have been before it, and gone round once or twice.
        assert len(guesses) - before <= 150
        over.set()
        for thread in threads:
            thread.join()
        lines = relay.events("login failed", len(guesses))
    assert set(guesses) == {535}
    assert len(lines) == len(guesses)
    assert {(one["peer"], one["name"]) for one in lines} == {(HOST, "app")}
