"""Patterns of rules: globs as in the shell, and RE2's expressions between slashes.

A glob is compared with a whole text without regard to case; an expression is searched
anywhere in it, in its own case. No text makes one slow, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from relay.rules.text import Text

if TYPE_CHECKING:
    import re2

Test = Callable[[Text], bool]

MAX_MEMORY = 8 << 20  # bytes of one expression and all that it needs while it works

_EXPRESSION = re.compile(r"/(.*)/", re.DOTALL)
_WILD = re.compile(r"[*?]")


class BadPattern(ValueError):  # noqa: N818 - a statement about the pattern
    """It does not compile; the text says why, and is for the operator."""


def pattern(source: str) -> Test:
    """Make a test of a pattern. Raises BadPattern."""
    if is_expression(source):
        search = expression(source[1:-1]).search
        return lambda text: search(text.utf8) is not None
    return _glob(source.lower())


def address_pattern(source: str) -> Test:
    """The same for addresses: without an `@` it is a whole domain, as in users.senders.

    Raises BadPattern.
    """
    if is_expression(source) or "@" in source:
        return pattern(f"*{source}" if source.startswith("@") else source)
    whole = source.lower()
    if not _WILD.search(whole):
        return lambda text: text.lower == whole or text.lower.endswith(f"@{whole}")
    domain = pattern(source)
    return lambda text: domain(Text(text.lower.rpartition("@")[2]))


def one_of(tests: Sequence[Test]) -> Test:
    """Whether one of them holds."""
    if len(tests) == 1:
        return tests[0]
    return lambda text: any(test(text) for test in tests)


def is_expression(source: str) -> bool:
    """Whether it stands between slashes."""
    return _EXPRESSION.fullmatch(source) is not None


def expression(source: str) -> re2._Regexp:
    """Compile an expression in RE2's syntax, for UTF-8. Raises BadPattern."""
    # Not before the first expression: no relay without one needs it.
    import re2

    options: Any = re2.Options()
    options.max_mem = MAX_MEMORY
    options.log_errors = False  # the message below says it, in its place
    try:
        return re2.compile(source.encode(), options)
    except re2.error as error:
        raise BadPattern(_words(error.args[0])) from None
    except UnicodeEncodeError:
        raise BadPattern("holds half a character") from None


def _words(error: str | bytes) -> str:
    return error.decode("utf-8", "replace") if isinstance(error, bytes) else error


def _glob(source: str) -> Test:
    """The quickest test for a glob in lower case; nearly all have a star or two."""
    pieces = source.split("*")
    if "?" not in source:
        match pieces:
            case [whole]:
                return lambda text: text.lower == whole
            case ["", ""]:
                return lambda text: True
            case [start, ""]:
                return lambda text: text.lower.startswith(start)
            case ["", end]:
                return lambda text: text.lower.endswith(end)
            case ["", middle, ""]:
                return lambda text: middle in text.lower
    match_all = re.compile(_translated(pieces), re.DOTALL).fullmatch
    return lambda text: match_all(text.lower) is not None


def _translated(pieces: Sequence[str]) -> str:
    """Taking each piece at its first place is enough: what follows has most room."""
    first, *rest = map(_literal, pieces)
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{piece})" for piece in middle) + f".*{last}"


def _literal(piece: str) -> str:
    return "".join("." if letter == "?" else re.escape(letter) for letter in piece)
