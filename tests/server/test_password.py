"""`relay password`, as a person and as a script use it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from relay import password
from tests.server.relay_process import ROOT, environment

COMMAND = [sys.executable, "-W", "error", "-m", "relay", "password"]


def piped(data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        COMMAND,
        cwd=ROOT,
        env=environment({}),
        input=data,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_password_from_a_pipe_becomes_one_line_with_its_hash() -> None:
    for data in (b"s3cret", b"s3cret\n", b"s3cret\r\n"):
        done = piped(data)
        assert (done.returncode, done.stderr) == (0, b"")
        assert password.matches(done.stdout.decode().rstrip("\n"), b"s3cret")


def test_an_unusable_password_is_refused_without_showing_it() -> None:
    for data in (b"", b"\n", b"two\nlines\n", b"n\0l", b"\xff\xfe", b"x" * 5000):
        done = piped(data)
        assert (done.returncode, done.stdout) == (1, b"")
        assert done.stderr.startswith(b"relay password: ")
        assert done.stderr.count(b"\n") == 1
        assert b"two" not in done.stderr
        assert b"xxx" not in done.stderr


def on_terminal(*lines: bytes) -> tuple[int, bytes, bytes]:
    """Exit code, stdout, and what the terminal showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        COMMAND,
        cwd=ROOT,
        env=environment({}),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        for line in lines:
            while not shown.endswith(b": "):
                shown += os.read(ours, 1000)
            os.write(ours, line + b"\n")
            shown += os.read(ours, 1000)
        assert process.stdout is not None
        out = process.stdout.read()
        code = process.wait(timeout=60)
        try:
            shown += os.read(ours, 1000)
        except OSError:
            pass  # nobody has the other end open any more, and nothing is left
    os.close(ours)
    return code, out, shown


def test_on_a_terminal_it_is_asked_for_twice_and_not_shown() -> None:
    code, out, shown = on_terminal(b"s3cret", b"s3cret")
    assert code == 0
    assert password.matches(out.decode().strip(), b"s3cret")
    assert b"s3cret" not in shown


def test_two_different_passwords_are_refused() -> None:
    code, out, shown = on_terminal(b"s3cret", b"secret")
    assert (code, out) == (1, b"")
    assert b"not the same" in shown
