"""Names for submissions: short, unique, in the order of time."""

from __future__ import annotations

import secrets
import time

from relay.model import MailId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(60, -1, -10)


def new_id() -> MailId:
    """Make an id of 14 characters: 41 bits of milliseconds, then 29 random bits."""
    number = (time.time_ns() // 1_000_000) << 29 | secrets.randbits(29)
    # Two letters at a time: half of the steps.
    return MailId("".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS]))
