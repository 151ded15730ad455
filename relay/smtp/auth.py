"""The two mechanisms of AUTH (RFC 4954): PLAIN (RFC 4616) and LOGIN.

Only the exchange; who may log in is told by `logins`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from relay.model.reply import Reply
from relay.smtp import replies

# RFC 4954 section 4: a response may be of this length.
RESPONSE_LENGTH = 12_288


class Ended(Exception):  # noqa: N818 - a statement about the exchange
    """The exchange ended without credentials; the client is told `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class Credentials(NamedTuple):
    """What a client says of itself."""

    name: str
    password: bytes

    def __repr__(self) -> str:
        return f"Credentials({self.name!r})"


# Sends a challenge's line and gives the client's line, None when it was too long.
Ask = Callable[[str], Awaitable[bytes | None]]


async def credentials(ask: Ask, argument: str) -> Credentials:
    """Carry out what follows the word AUTH. Raises Ended."""
    mechanism, _, rest = argument.partition(" ")
    initial = _decoded(rest.strip()) if rest.strip() else None
    match mechanism.upper():
        case "PLAIN":
            return await _plain(ask, initial)
        case "LOGIN":
            return await _login(ask, initial)
    raise Ended(replies.NO_MECHANISM)


async def _plain(ask: Ask, initial: bytes | None) -> Credentials:
    message = await _answer(ask, b"") if initial is None else initial
    pieces = message.split(b"\0")
    if len(pieces) != 3:
        raise Ended(replies.BAD_RESPONSE)
    speaks_for, name, password = pieces
    if speaks_for not in (b"", name):
        # To act for somebody else is nobody's right here; no name is like this one.
        name = b""
    return Credentials(_name(name), password)


async def _login(ask: Ask, initial: bytes | None) -> Credentials:
    name = await _answer(ask, b"Username:") if initial is None else initial
    password = await _answer(ask, b"Password:")
    return Credentials(_name(name), password)


async def _answer(ask: Ask, challenge: bytes) -> bytes:
    line = await ask(f"334 {base64.b64encode(challenge).decode()}")
    if line is None:
        raise Ended(replies.RESPONSE_TOO_LONG)
    if line.strip() == b"*":
        raise Ended(replies.CANCELLED)
    return _decoded(line.decode("ascii", "replace").strip())


def _decoded(text: str) -> bytes:
    if text == "=":  # how an empty initial response is written
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Ended(replies.BAD_RESPONSE) from None


def _name(name: bytes) -> str:
    # What is not UTF-8 is nobody's name, and is found out there.
    return name.decode("utf-8", "replace")
