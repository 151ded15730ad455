"""The head of a SendEmail request, signed with AWS' Signature Version 4.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import re
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

_ALGORITHM = "AWS4-HMAC-SHA256"
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
class Target:
    """Where a request goes, as the SDK found it."""

    host: str  # as the header field says it, with a port that is not the usual one
    path: str
    region: str
    service: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class _Today:
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


class Signer:
    """Signs requests to one target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._today: _Today | None = None
        self._second = -1
        self._stamp = ""
        self._before = (
            f"POST\n{target.path}\n\ncontent-type:application/json\n"
            f"host:{target.host}\nx-amz-date:"
        )
        self._head = (
            f"POST {target.path} HTTP/1.1\r\nHost: {target.host}\r\n"
            "Content-Type: application/json\r\nAccept: */*\r\n"
            f"Accept-Encoding: identity\r\nUser-Agent: {target.user_agent}\r\n"
        )

    def head(self, keys: Keys, digest: str, size: int, *, now: float) -> bytes:
        """Make the head of a request whose body has `size` bytes and this SHA-256.

        `now` is Unix seconds.
        """
        if int(now) != self._second:
            self._second = int(now)
            self._stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._second))
        stamp = self._stamp
        today = self._today
        if today is None or today.day != stamp[:8] or today.keys is not keys:
            self._today = today = self._day(stamp[:8], keys)
        signed = "content-type;host;x-amz-date"
        token = token_field = ""
        if keys.token:
            signed += ";x-amz-security-token"
            token = f"x-amz-security-token:{keys.token}\n"
            token_field = f"X-Amz-Security-Token: {keys.token}\r\n"
        canonical = f"{self._before}{stamp}\n{token}\n{signed}\n{digest}"
        hashed = sha256(canonical.encode()).hexdigest()
        to_sign = f"{_ALGORITHM}\n{stamp}\n{today.scope}\n{hashed}"
        signature = today.signature(to_sign.encode())
        return (
            f"{self._head}X-Amz-Date: {stamp}\r\n{token_field}"
            f"Authorization: {_ALGORITHM} Credential={keys.access_key}/{today.scope}, "
            f"SignedHeaders={signed}, Signature={signature}\r\n"
            f"Content-Length: {size}\r\n\r\n"
        ).encode("ascii")

    def _day(self, day: str, keys: Keys) -> _Today:
        target = self._target
        key = f"AWS4{keys.secret_key}".encode()
        for part in (day, target.region, target.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        scope = f"{day}/{target.region}/{target.service}/aws4_request"
        block = key.ljust(_BLOCK, b"\0")
        inner, outer = (sha256(bytes(b ^ pad for b in block)) for pad in (0x36, 0x5C))
        return _Today(day, keys, scope, inner, outer)
