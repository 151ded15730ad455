"""Hashes of passwords: argon2id, made and compared; no users, no threads.

Comparing takes time and memory by intent; it lets go of the interpreter meanwhile,
so callers give it to a thread.
"""

from __future__ import annotations

import base64

# OWASP's least for argon2id. The library's own default, RFC 9106's second choice,
# takes 64 MB for each login, too much for a small container.
PASSES = 2
MEMORY_KIB = 19_456
LANES = 1
# What one login may cost; a hash that wants more is refused at start.
MOST_PASSES = 100
MOST_MEMORY_KIB = 1_048_576


def hashed(password: str) -> str:
    """The hash of a password, as the settings take it, with its salt and costs."""
    # Imported late, here and below: only who has users pays for it at start.
    from argon2 import PasswordHasher

    hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
    return hasher.hash(password)


def matches(password_hash: str, password: bytes) -> bool:
    """Tell whether the hash is the password's; what is no hash matches nothing.

    Raises MemoryError when there is none for the comparison.
    """
    from argon2 import PasswordHasher
    from argon2.exceptions import (
        InvalidHashError,
        VerificationError,
        VerifyMismatchError,
    )

    try:
        return PasswordHasher().verify(password_hash, password)
    except (VerifyMismatchError, InvalidHashError, UnicodeError):
        return False
    except VerificationError as error:
        if is_hash(password_hash):
            # A right password must not be called wrong because memory is short.
            raise MemoryError(str(error)) from error
        return False


def is_hash(text: str) -> bool:
    """Tell whether `text` is an argon2 hash that can be compared at a bearable cost."""
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError, UnsupportedParametersError
    from argon2.low_level import ARGON2_VERSION

    try:
        costs = extract_parameters(text)
        *_, salt, digest = text.split("$")
        decoded = [_decoded(salt), _decoded(digest)]
    except (InvalidHashError, UnsupportedParametersError, ValueError):
        return False
    return (
        costs.version == ARGON2_VERSION
        and len(decoded[0]) >= 8
        and len(decoded[1]) >= 12
        and 1 <= costs.time_cost <= MOST_PASSES
        and 1 <= costs.parallelism <= 64
        and 8 * costs.parallelism <= costs.memory_cost <= MOST_MEMORY_KIB
    )


def decoy(like: str) -> str:
    """A hash that no password has, as costly to compare as the hash `like`."""
    _, kind, version, costs, salt, digest = like.split("$")
    salt = _random(len(_decoded(salt)))
    digest = _random(len(_decoded(digest)))
    return "$".join(("", kind, version, costs, salt, digest))


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _random(length: int) -> str:
    import secrets

    return base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
