"""Names for submissions: short, unique, in the order of time."""

from __future__ import annotations

import secrets
import time

from relay.model import MailId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u


def new_id() -> MailId:
    """Make an id of 14 characters: 41 bits of milliseconds, then 29 random bits."""
    number = (time.time_ns() // 1_000_000) << 29 | secrets.randbits(29)
    letters = []
    for _ in range(14):
        number, digit = divmod(number, 32)
        letters.append(_ALPHABET[digit])
    return MailId("".join(reversed(letters)))
