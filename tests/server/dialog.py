r"""Replays a dialog file (`tests/dialogs/*.smtp`) against a running relay.

    # text              a comment; the first ones name the promise and its paragraph
    #! NAME=VALUE       a setting (environment variable) that the relay runs with
    C: text             the client sends this line and CRLF; \xNN, \r, \n, \t, \\ are
                        bytes, {text*1000} is that text a thousand times
    C-raw: text         the same without CRLF
    C x20: text         twenty times
    C-tls               the client shakes hands; from here on all is in TLS
    C-half-close        the client closes its sending side
    C-connect           the client leaves and connects anew
    S: text             the server answers with this line; * stands for anything
    S x20: text         twenty times
    S-close             the server closes the connection
    S-end               it closes it too, and whatever it sent before is no SMTP reply
    R: address          a recipient of the next captured mail (all are listed)
    U: usage            its usage
    M: text             one line of its content (all lines are listed, with * too)
    M-none              nothing was captured up to here

Lines of the client up to the next line of the server leave in one segment, as a
pipelining client sends them. Whatever a file says, every 2xx, 4xx and 5xx reply but
the greeting and the replies to EHLO and HELO must have an enhanced code of its class.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.server.relay_process import WAIT, RelayProcess, Shown

_STEP = re.compile(r"([A-Z](?:-[a-z-]+)?)(?: x(\d+))?(?::(?: (.*))?)?")
_REPEATED = re.compile(rb"\{([^{}]*)\*(\d+)\}")
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[rnt\\])")
_REPLY = re.compile(r"(\d)\d\d[ -](?:(\d)\.\d{1,3}\.\d{1,3} \S)?.*")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a dialog."""

    number: int
    verb: str
    times: int
    text: str


@dataclass(frozen=True, slots=True)
class Dialog:
    """A dialog file, read."""

    settings: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]


def read(path: Path) -> Dialog:
    """Read a dialog. Raises ValueError with the place of what is no step."""
    settings = []
    steps = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if line.startswith("#!"):
            name, _, value = line[2:].strip().partition("=")
            settings.append((name, value))
        elif line.strip() and not line.startswith("#"):
            match = _STEP.fullmatch(line)
            if match is None or match[1] not in _VERBS:
                raise ValueError(f"{path.name}:{number}: not a step: {line}")
            steps.append(Step(number, match[1], int(match[2] or 1), match[3] or ""))
    return Dialog(tuple(settings), tuple(steps))


_VERBS = frozenset(
    (
        *("C", "C-raw", "C-tls", "C-half-close", "C-connect", "S", "S-close", "S-end"),
        *("R", "U", "M", "M-none"),
    )
)


class Client:
    """One end of a connection, line by line."""

    def __init__(self, port: int) -> None:
        self._socket: socket.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=WAIT
        )
        self._lines = self._socket.makefile("rb")
        self._unsent = b""
        self._host = ""
        self._first = True

    def send(self, data: bytes) -> None:
        self._unsent += data

    def flush(self) -> None:
        try:
            self._socket.sendall(self._unsent)
        except ConnectionError:
            pass  # the server closed meanwhile; its last words count
        self._unsent = b""

    def start_tls(self) -> None:
        """Shake hands. What the server says after it must not have come before."""
        self.flush()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._lines.close()
        self._socket = context.wrap_socket(self._socket)
        self._lines = self._socket.makefile("rb")

    def half_close(self) -> None:
        self.flush()
        # Not SSLSocket's own, which ends the reading of TLS, too.
        socket.socket.shutdown(self._socket, socket.SHUT_WR)

    def line(self) -> str:
        """The server's next line, "" when it closed; checks its enhanced code."""
        self.flush()
        try:
            raw = self._lines.readline()
        except ConnectionResetError:
            raw = b""
        assert raw == b"" or raw.endswith(b"\r\n"), f"a broken reply line: {raw!r}"
        text = raw.decode("ascii").removesuffix("\r\n")
        if text:
            self._check_enhanced(text)
        return text

    def end(self) -> None:
        """Wait for the server's end. Raises AssertionError for a reply before it."""
        self.flush()
        try:
            rest = self._lines.read()
        except ConnectionResetError:
            rest = b""
        assert not re.search(rb"(?m)^\d\d\d[ -]", rest), f"a reply: {rest!r}"

    def _check_enhanced(self, text: str) -> None:
        match = _REPLY.fullmatch(text)
        assert match is not None, f"not a reply: {text}"
        if self._first and text.startswith("220 "):
            self._host = text.split(" ")[1]
            self._first = False
            return
        self._first = False
        if match[1] == "3":
            return
        # RFC 5321 section 4.1.1.1: only the replies to EHLO and HELO begin with the
        # server's name; the further lines of the first have keywords alone.
        if text[4:] == self._host:
            self._listing = text[3] == "-"
            return
        if text.startswith("250") and self._listing:
            self._listing = text[3] == "-"
            return
        assert match[2] == match[1], f"no enhanced code of its class: {text}"

    _listing = False

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


def replay(dialog: Dialog, relay: RelayProcess) -> None:
    """Hold the dialog with the relay. Raises AssertionError with the line's number."""
    client = Client(relay.port())
    try:
        for group in _groups(dialog.steps):
            if group[0].verb in _MAIL:
                _compare(group, relay.next_captured())
                continue
            (step,) = group
            for _ in range(step.times):
                if step.verb == "C-connect":
                    client.close()
                    client = Client(relay.port())
                else:
                    _play(step, client, relay)
        client.flush()
    finally:
        client.close()
    left = relay.captured_so_far()
    assert not left, f"captured, and no line says so: {left}"


def _play(step: Step, client: Client, relay: RelayProcess) -> None:
    where = f"line {step.number}"
    match step.verb:
        case "C":
            client.send(_bytes(step.text) + b"\r\n")
        case "C-raw":
            client.send(_bytes(step.text))
        case "C-tls":
            client.start_tls()
        case "C-half-close":
            client.half_close()
        case "S":
            text = client.line()
            assert _like(step.text, text), f"{where}: {step.text!r}, but got {text!r}"
        case "S-end":
            client.end()
        case "S-close":
            text = client.line()
            assert text == "", f"{where}: an end, but got {text!r}"
        case "M-none":
            captured = relay.captured_so_far()
            assert not captured, f"{where}: captured {captured}"


_MAIL = frozenset("RUM")


def _groups(steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Each step alone, but those that tell of one mail together."""
    mail: list[Step] = []
    for step in steps:
        if step.verb in _MAIL:
            # R begins the next mail once the content of one was told.
            if mail and step.verb != "M" and mail[-1].verb == "M":
                yield mail
                mail = []
            mail.append(step)
            continue
        if mail:
            yield mail
            mail = []
        yield [step]
    if mail:
        yield mail


def _compare(steps: Sequence[Step], shown: Shown) -> None:
    where = f"line {steps[0].number}"
    recipients = [step.text for step in steps if step.verb == "R"]
    assert not recipients or shown.recipients == recipients, (
        f"{where}: {shown.recipients}"
    )
    for step in steps:
        if step.verb == "U":
            assert shown.words["usage"] == step.text, f"{where}: {shown.words}"
    expected = [step for step in steps if step.verb == "M"]
    if not expected:
        return
    content = shown.content.decode("utf-8", "replace")
    assert content.endswith("\r\n") or not content, f"{where}: no last line end"
    lines = content.removesuffix("\r\n").split("\r\n")
    for step, line in zip(expected, lines, strict=False):
        text = _bytes(step.text).decode("utf-8", "replace")
        assert _like(text, line), f"line {step.number}: {text!r}, but got {line!r}"
    assert len(lines) == sum(step.times for step in expected), f"{where}: {lines}"


def _like(pattern: str, text: str) -> bool:
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), text) is not None


def _bytes(text: str) -> bytes:
    raw = _REPEATED.sub(lambda found: found[1] * int(found[2]), text.encode("utf-8"))

    def one(found: re.Match[bytes]) -> bytes:
        name = found[1]
        if name.startswith(b"x"):
            return bytes([int(name[1:], 16)])
        return {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}[name]

    return _ESCAPE.sub(one, raw)
