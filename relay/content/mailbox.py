"""A mailbox as an operator writes it: `Acme <a@b.example>`."""

from __future__ import annotations

import re
from typing import NamedTuple

# The address is what stands in the last angle brackets; all before it is the name.
_ANGLE = re.compile(r"(?P<name>.*)<(?P<address>[^<>]*)>\s*", re.DOTALL)


class Mailbox(NamedTuple):
    """`name` is free text without quotes, "" for none."""

    name: str
    address: str


def mailbox(text: str) -> Mailbox:
    """Read `Acme <a@b.example>`, `<a@b.example>`, or the address alone.

    The name may hold commas, dots and letters of any script, in quotes or not:
    it is not RFC 5322's phrase but what an operator writes.
    """
    match = _ANGLE.fullmatch(text.strip())
    if match is None:
        return Mailbox("", text.strip())
    name = match["name"].strip()
    if len(name) >= 2 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return Mailbox(name, match["address"].strip())
