"""What requests to AWS are signed with: keys, and what one is made into for a day."""

from __future__ import annotations

import hmac
import re
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

ALGORITHM = "AWS4-HMAC-SHA256"
_BLOCK = 64  # bytes that SHA-256 hashes at once, more than the key has
_FITS = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Keys:
    """What to sign with."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def check(self) -> None:
        """Raise ValueError for what fits no header field; the text names no value."""
        for name, value in (("access key id", self.access_key), ("token", self.token)):
            if value and not _FITS.fullmatch(value):
                raise ValueError(f"the {name} holds characters that none has")


@dataclass(frozen=True, slots=True)
class Today:
    """What stays the same for all requests of one day that one key signs."""

    day: str
    keys: Keys
    scope: str
    # HMAC (RFC 2104) with the key already in both of its hashes: for a short text
    # to hash the key is as much work as to hash the text.
    inner: _Hash = field(repr=False)
    outer: _Hash = field(repr=False)

    def signature(self, text: bytes) -> str:
        """HMAC-SHA256 of `text`, in hexadecimal."""
        inner, outer = self.inner.copy(), self.outer.copy()
        inner.update(text)
        outer.update(inner.digest())
        return outer.hexdigest()


class SigningKey:
    """Follows the second, the day and the keys, for requests to one service."""

    def __init__(self, region: str, service: str) -> None:
        self._region = region
        self._service = service
        self._today: Today | None = None
        self._second = -1
        self._stamp = ""

    def at(self, keys: Keys, now: float) -> tuple[str, Today]:
        """The time as requests say it, and what to sign with; `now` is Unix time."""
        if int(now) != self._second:
            self._second = int(now)
            self._stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._second))
        stamp = self._stamp
        today = self._today
        if today is None or today.day != stamp[:8] or today.keys is not keys:
            self._today = today = self._day(stamp[:8], keys)
        return stamp, today

    def _day(self, day: str, keys: Keys) -> Today:
        key = f"AWS4{keys.secret_key}".encode()
        for part in (day, self._region, self._service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        block = key.ljust(_BLOCK, b"\0")
        inner, outer = (sha256(bytes(b ^ pad for b in block)) for pad in (0x36, 0x5C))
        return Today(day, keys, scope, inner, outer)
