"""Patterns of rules: globs as in the shell, and RE2's expressions between slashes.

A glob is compared with a whole text without regard to case; an expression is searched
anywhere in it, in its own case. No text makes one slow, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from relay.content.glob import in_order
from relay.rules.text import Text

if TYPE_CHECKING:
    import re2

Test = Callable[[Text], bool]

MAX_MEMORY = 8 << 20  # bytes of one expression and all that it needs while it works

_WILD = re.compile(r"[*?]")
_EXPRESSION = re.compile(r"/.*/", re.DOTALL)


class BadPattern(ValueError):  # noqa: N818 - a statement about the pattern
    """It does not compile; the text says why, and is for the operator."""


class Pattern(NamedTuple):
    """Whether a text is like it: `test` says so.

    So do `words`, where it has any: a text is one of them in lower case as a whole, or
    begins or ends so, or has it anywhere. Of many such patterns all are asked at once.
    `needle` is in each text in lower case for which it holds: quicker to look for.
    """

    test: Test
    words: tuple[tuple[Literal["whole", "start", "end", "within"], str], ...] = ()
    needle: str = ""


def pattern(source: str) -> Pattern:
    """Compile a pattern. Raises BadPattern."""
    if is_expression(source):
        search = expression(source[1:-1]).search
        return Pattern(lambda text: search(text.utf8) is not None)
    return _glob(source.lower())


def address_pattern(source: str) -> Pattern:
    """The same for addresses: without an `@` it is a whole domain, as in users.senders.

    Raises BadPattern.
    """
    if is_expression(source) or "@" in source:
        return pattern(f"*{source}" if source.startswith("@") else source)
    domain = pattern(source)
    words = domain.words
    if [kind for kind, _ in words] == ["whole"]:
        words = (*words, ("end", f"@{words[0][1]}"))
    else:
        words = ()
    return Pattern(lambda text: domain.test(Text(text.lower.rpartition("@")[2])), words)


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


def _glob(source: str) -> Pattern:
    """The quickest test for a glob in lower case; nearly all have a star or two."""
    pieces = source.split("*")
    if "?" not in source:
        match pieces:
            case [whole]:
                return Pattern(lambda text: text.lower == whole, (("whole", whole),))
            case [start, ""]:
                return Pattern(
                    lambda text: text.lower.startswith(start), (("start", start),)
                )
            case ["", end]:
                return Pattern(lambda text: text.lower.endswith(end), (("end", end),))
            case ["", middle, ""]:
                return Pattern(lambda text: middle in text.lower, (("within", middle),))
    needle = max(_WILD.split(source), key=len)
    if "?" in source:
        match_all = re.compile(_translated(pieces), re.DOTALL).fullmatch
        return Pattern(lambda text: match_all(text.lower) is not None, needle=needle)
    first, *inner, last = pieces
    return Pattern(lambda text: in_order(text.lower, first, inner, last), needle=needle)


def _translated(pieces: Sequence[str]) -> str:
    """The same as an expression of Python's, each piece once it is found not let go."""
    first, *rest = map(_literal, pieces)
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{piece})" for piece in middle) + f".*{last}"


def _literal(piece: str) -> str:
    return "".join("." if letter == "?" else re.escape(letter) for letter in piece)
