"""Names for submissions: short, unique, in the order of time."""

from __future__ import annotations

import random
import time

from relay.model.submission import MailId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(60, -1, -10)


def new_id() -> MailId:
    """Make an id of 14 characters: 41 bits of milliseconds, then 29 random bits."""
    # A name and no secret: asking the system each time would be half of the price.
    bits = random.getrandbits(29)
    number = (time.time_ns() // 1_000_000) << 29 | bits
    # Two letters at a time: half of the steps.
    return MailId("".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS]))
