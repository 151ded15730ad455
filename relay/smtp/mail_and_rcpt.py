"""The arguments of MAIL and RCPT: a path and its parameters (RFC 5321 section 4.1.2).

Read, and checked as far as they can be without the dialog that they stand in.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from relay.content import address
from relay.model.replies import NO_ROOM
from relay.model.reply import Reply
from relay.smtp import replies
from relay.smtp.memory import Memory

_PATH = re.compile(
    r"""\s*
    (?: <\s*
        (?: @[^:<>\s]+ : )?                        # a source route, ignored
        (?P<angle> (?: "(?:[^"\\]|\\.)*" )? [^<>"]* )
        >
      | (?P<bare> (?: "(?:[^"\\]|\\.)*" )? [^\s<>"]+ )
    )
    (?: \s+ (?P<parameters> \S.*? ) )? \s*""",
    re.VERBOSE | re.DOTALL,
)
# What nearly all clients send, looked for first: all the forms take far longer.
_PLAIN = re.compile(
    r"<([A-Za-z0-9_.+=-]+@[A-Za-z0-9.-]+)>(?:\s+(\S.*?))?\s*", re.DOTALL
)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")

_BAD_PATH = {"FROM:": replies.BAD_SENDER, "TO:": replies.BAD_RECIPIENT}


class Unfit(Exception):  # noqa: N818 - a statement about the argument
    """The argument cannot be taken; the client is told `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class Path(NamedTuple):
    """`address` as the client wrote it, "" for the null path; parameters upper-case."""

    address: str
    parameters: dict[str, str | None]


def parse(argument: str, keyword: str) -> Path:
    """Read `FROM:<path> parameters`; a space after the colon or no brackets will do.

    Raises Unfit, also where a parameter is given twice.
    """
    if argument[: len(keyword)].upper() != keyword:
        raise Unfit(_BAD_PATH[keyword])
    if match := _PLAIN.fullmatch(argument, len(keyword)):
        mailbox, words = match.groups()
    elif match := _PATH.fullmatch(argument, len(keyword)):
        angle, bare, words = match.group("angle", "bare", "parameters")
        mailbox = bare if angle is None else angle.strip()
    else:
        raise Unfit(_BAD_PATH[keyword])
    parameters: dict[str, str | None] = {}
    for word in words.split() if words else ():
        found = _PARAMETER.fullmatch(word)
        if found is None or found[1].upper() in parameters:
            raise Unfit(replies.BAD_PARAMETER)
        parameters[found[1].upper()] = found[2]
    return Path(mailbox, parameters)


def declared_size(
    parameters: dict[str, str | None], *, limit: int, memory: Memory
) -> int:
    """The SIZE that MAIL's parameters declare, 0 without. Raises Unfit.

    Taken are just the parameters that EHLO offers, and AUTH.
    """
    declared = 0
    for name, value in parameters.items():
        match name:
            case "SIZE":
                if value is None or not (value.isdecimal() and len(value) <= 20):
                    raise Unfit(replies.BAD_PARAMETER)
                declared = int(value)
                if declared > limit:
                    raise Unfit(replies.TOO_LARGE)
                if not memory.has_room(declared):
                    raise Unfit(NO_ROOM)
            case "BODY":
                if value is None or value.upper() not in ("7BIT", "8BITMIME"):
                    raise Unfit(replies.BAD_PARAMETER)
            case "AUTH":  # RFC 4954 section 5: taken, and not believed
                if value is None:
                    raise Unfit(replies.BAD_PARAMETER)
            case _:
                raise Unfit(replies.UNKNOWN_PARAMETER)
    return declared


def sender(given: str) -> str:
    """The address of MAIL's path, its domain in ASCII. Raises Unfit."""
    if not given:
        return ""  # the null sender
    if not given.isascii():
        try:
            given = address.with_ascii_domain(given)
        except address.NonAsciiLocalPart:
            raise Unfit(replies.NO_SMTPUTF8) from None
        except ValueError:
            raise Unfit(replies.BAD_SENDER) from None
    if not address.is_sender(given):
        raise Unfit(replies.BAD_SENDER)
    return given


def recipient(given: str) -> str:
    """The address of RCPT's path, as mail can be sent to it. Raises Unfit."""
    try:
        return address.check(given)
    except address.NonAsciiLocalPart:
        raise Unfit(replies.NO_SMTPUTF8) from None
    except ValueError:
        raise Unfit(replies.BAD_RECIPIENT) from None
