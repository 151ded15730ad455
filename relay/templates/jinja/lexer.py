"""Jinja's lexer, which passes at once over what stands between the braces.

Its own pattern looks for braces letter by letter: most of what a large HTML cost.
"""

from __future__ import annotations

import functools
import re

from jinja2 import Environment
from jinja2.lexer import Lexer

_SLOW = "(.*?)(?:"
# The same text, as far as the first `{{`, `{%` or `{#`.
_QUICK = r"([^{]*+(?:\{(?![{%#])[^{]*+)*)(?:"


@functools.cache
def lexer() -> Lexer:
    """One for all environments: their braces are Jinja's."""
    made = Lexer(Environment())  # noqa: S701 - it escapes nothing: it makes tokens
    first, *rest = made.rules["root"]
    pattern = first.pattern.pattern
    if pattern.startswith(_SLOW):
        quick = re.compile(_QUICK + pattern.removeprefix(_SLOW), first.pattern.flags)
        made.rules["root"] = [first._replace(pattern=quick), *rest]
    return made
