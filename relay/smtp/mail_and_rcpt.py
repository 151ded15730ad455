"""The argument of MAIL and RCPT: a path and its parameters (RFC 5321 section 4.1.2)."""

from __future__ import annotations

import re
from typing import NamedTuple

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
# What nearly all clients send, in a seventh of the time that all the forms take.
_PLAIN = re.compile(
    r"<([A-Za-z0-9_.+=-]+@[A-Za-z0-9.-]+)>(?:\s+(\S.*?))?\s*", re.DOTALL
)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")


class BadPath(Exception):  # noqa: N818 - a statement about the argument
    """Not a path at all."""


class BadParameter(Exception):  # noqa: N818 - the same
    """Not a parameter by RFC 5321's grammar, or given twice."""


class Path(NamedTuple):
    """`address` as the client wrote it, "" for the null path; parameters upper-case."""

    address: str
    parameters: dict[str, str | None]


def parse(argument: str, keyword: str) -> Path:
    """Read `FROM:<path> parameters`; a space after the colon or no brackets will do.

    Raises BadPath and BadParameter.
    """
    if argument[: len(keyword)].upper() != keyword:
        raise BadPath
    if match := _PLAIN.fullmatch(argument, len(keyword)):
        address, words = match.groups()
    elif match := _PATH.fullmatch(argument, len(keyword)):
        angle, bare, words = match.group("angle", "bare", "parameters")
        address = bare if angle is None else angle.strip()
    else:
        raise BadPath
    parameters: dict[str, str | None] = {}
    for word in words.split() if words else ():
        found = _PARAMETER.fullmatch(word)
        if found is None or found[1].upper() in parameters:
            raise BadParameter
        parameters[found[1].upper()] = found[2]
    return Path(address, parameters)
