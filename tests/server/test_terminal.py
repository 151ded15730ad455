"""`relay serve` on a terminal: what a person sees, by a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.server.relay_process import environment, until
from tests.server.test_life import Client

CAPTURE = {
    "RELAY_LISTENERS": '[{"name": "local", "address": "127.0.0.1:0"}]',
    "RELAY_WEB__LISTEN": "127.0.0.1:0",
}
STYLE = re.compile(r"\x1b\[[0-9]*m")
CLOCK = r"\d\d:\d\d:\d\d  "


class Terminal:
    """What a relay printed on a terminal, as it came."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self._process = process
        self._end = end
        self.raw = ""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._end, 65536)
            except OSError:  # nobody has the other end any more
                return
            self.raw += data.decode()

    def stop(self) -> list[str]:
        """End the relay: its lines, without colours."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(60) == 0, self.raw
        self._thread.join()
        return STYLE.sub("", self.raw.replace("\r\n", "\n")).splitlines()

    def port(self) -> int:
        until(lambda: "ready" in self.raw)
        found = re.search(r"smtp://127\.0\.0\.1:(\d+)  \(local\)", self.raw)
        assert found, self.raw
        return int(found[1])


@contextmanager
def at_terminal(*words: str, **settings: str) -> Iterator[Terminal]:
    """A relay whose stdout and stderr are a terminal."""
    end, theirs = pty.openpty()
    env = environment(CAPTURE | {"TERM": "xterm-256color"} | settings)
    process = subprocess.Popen(
        [sys.executable, "-m", "relay", "serve", "--capture", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=env,
    )
    os.close(theirs)
    try:
        yield Terminal(process, end)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(end)


def send(port: int, header: bytes, *recipients: str) -> str:
    client = Client(port)
    client.say("EHLO t", "MAIL FROM:<app@acme.example>")
    for recipient in recipients or ("ann@example.com",):
        client.say(f"RCPT TO:<{recipient}>")
    client.say("DATA")
    for _ in range(4 + len(recipients or "1")):
        reply = client.reply()
    assert reply.startswith("354 "), reply
    client.socket.sendall(header + b"\r\nhello\r\n.\r\n")
    reply = client.reply()
    client.close()
    return reply


def only(lines: list[str], pattern: str) -> str:
    found = [line for line in lines if re.search(pattern, line)]
    assert len(found) == 1, (pattern, lines)
    return found[0]


def test_one_aligned_line_for_each_mail_with_its_subject() -> None:
    with at_terminal() as terminal:
        port = terminal.port()
        send(port, b"Subject: Hello Ann\r\n", "ann@example.com", "bob@example.com")
        code = b"X-Relay-Usage: SignIn\r\nX-Relay-Variable-code: 482913\r\n"
        send(port, code + b"X-Relay-Colour: red\r\n")
        reply = send(port, b"X-Relay-Usage: SignIn\r\n")
        assert reply == "550 5.6.0 Variables not given: code"
        lines = terminal.stop()
    hello = only(lines, "Hello Ann")
    signed = only(lines, "482913")
    refused = only(lines, "refused")
    assert re.match(CLOCK + r"captured +ann@example\.com \+1 +- ", hello)
    assert re.match(CLOCK + r"captured +ann@example\.com +SignIn ", signed)
    assert "550 5.6.0 Variables not given: code" in refused
    assert len({line.index("ann@") for line in (hello, signed, refused)}) == 1
    assert only(lines, "X-Relay-Colour").endswith(
        "X-Relay-Colour dropped: no header of the relay's"
    )
    assert only(lines, " ready ").endswith(
        "captures, sends nothing; queue none; 9 usages with templates"
    )


def test_the_page_is_a_link_and_words_have_colours() -> None:
    with at_terminal() as terminal:
        send(terminal.port(), b"Subject: s\r\n")
        terminal.stop()
    link = r"\x1b\]8;;(http://127\.0\.0\.1:\d+)\x1b\\(\S+?)\x1b\]8;;"
    found = re.search(link, terminal.raw)
    assert found
    assert found[1] == found[2]
    assert "\x1b[32mcaptured" in terminal.raw


def test_who_wants_no_colour_gets_none() -> None:
    for setting in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with at_terminal(**setting) as terminal:
            send(terminal.port(), b"Subject: s\r\n")
            terminal.stop()
        assert "\x1b" not in terminal.raw


def test_a_mail_does_not_steer_the_terminal() -> None:
    subject = b"Subject: =?utf-8?q?a=1B=5B31mred=E2=80=AEevil?=\r\n"
    usage = b"X-Relay-Usage: =?utf-8?q?=1B=5D0=3Btitle=07?=\r\n"
    with at_terminal(NO_COLOR="1") as terminal:
        port = terminal.port()
        send(port, subject)
        send(port, usage + subject)
        terminal.stop()
    assert "a\\u001b[31mred\\u202eevil" in terminal.raw
    assert not re.search("[\x00-\x08\x0b-\x0c\x0e-\x1f\u202e]", terminal.raw)


def test_whoever_sets_the_format_gets_lines_for_programs() -> None:
    with at_terminal(RELAY_LOG__FORMAT="text") as terminal:
        until(lambda: " info ready transport=capture" in terminal.raw)
        lines = terminal.stop()
    assert only(lines, " info listening listener=local address=127.0.0.1:")


def test_show_prints_the_mail_below_its_line() -> None:
    with at_terminal("--show", NO_COLOR="1") as terminal:
        send(terminal.port(), b"Subject: Hello\r\n")
        until(lambda: "\r\nhello\r\n" in terminal.raw)
        lines = terminal.stop()
    assert only(lines, "captured .*ann@example.com .*Hello")
    assert only(lines, '"ann@example.com"')
