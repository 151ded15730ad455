"""`relay password`: read a password, print its hash for the settings."""

from __future__ import annotations

import argparse
import getpass
import sys

from relay import password
from relay.cli import settings

# AUTH's own line carries name and password in base64; more than this would not fit.
LONGEST = 1000


class UnusablePassword(Exception):  # noqa: N818 - a statement about the password
    """The password cannot be used; the text says why, and never shows it."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options: there are none."""
    parser.epilog = (
        "Asked for twice on a terminal, else read from stdin: "
        'printf %s "$PASSWORD" | relay password. The hash goes into passwordHash.'
    )


def run(options: argparse.Namespace) -> int:
    """Read the password and print its hash."""
    try:
        read = _asked() if sys.stdin.isatty() else given()
        _check(read)
    except UnusablePassword as error:
        settings.complain(f"relay password: {error}")
        return 1
    print(password.hashed(read))
    return 0


def _asked() -> str:
    try:
        first = getpass.getpass("Password: ")
        again = getpass.getpass("The same again: ")
    except EOFError:
        raise UnusablePassword("none was given") from None
    if first != again:
        raise UnusablePassword("the two are not the same; nothing was printed")
    return first


def given() -> str:
    """A password from stdin, its final line end cut. Raises Unusable."""
    try:
        text = sys.stdin.buffer.read(LONGEST * 4 + 3).decode("utf-8")
    except UnicodeDecodeError:
        raise UnusablePassword("it is not UTF-8, which SMTP's AUTH demands") from None
    return text.removesuffix("\n").removesuffix("\r")


def _check(text: str) -> None:
    if not text:
        raise UnusablePassword("none was given")
    if not text.isprintable():
        raise UnusablePassword("it has a line end, a tab or another control character")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise UnusablePassword("it is not UTF-8, which SMTP's AUTH demands") from None
    if size > LONGEST:
        raise UnusablePassword(f"it is longer than {LONGEST} bytes")
