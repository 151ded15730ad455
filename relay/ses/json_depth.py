"""How deep JSON is nested, told before anybody reads it.

Python's reader raises RecursionError for deep JSON up to 3.13 and none later, and
whoever walks through what it gave may raise it then.
"""

from __future__ import annotations

import re

MOST_DEPTH = 50  # SES' answers have 4

# A string, to its end or that of the text, or what opens and closes. Possessive,
# so that nothing is looked at twice.
_TOKEN = re.compile(rb'"(?>(?:[^"\\]++|\\.)*)"?|[][{}]', re.DOTALL)
_OPENS = re.compile(rb"[ \t\r\n]*[\[{]")


def is_shallow(body: bytes) -> bool:
    """Tell whether `body` is nested at most MOST_DEPTH deep, if it is JSON at all."""
    if body.count(b"[") + body.count(b"{") <= MOST_DEPTH or not _OPENS.match(body):
        return True
    depth = 0
    for token in _TOKEN.finditer(body):
        match token[0]:
            case b"[" | b"{":
                depth += 1
                if depth > MOST_DEPTH:
                    return False
            case b"]" | b"}":
                depth -= 1
    return True
