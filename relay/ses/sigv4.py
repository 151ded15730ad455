"""The head of a SendEmail request, signed with AWS' Signature Version 4.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from relay.ses.signing_key import ALGORITHM, Keys, SigningKey


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, as the SDK found it."""

    host: str  # as the header field says it, with a port that is not the usual one
    path: str
    region: str
    service: str
    user_agent: str


class Signer:
    """Signs requests to one target."""

    def __init__(self, target: Target) -> None:
        self._key = SigningKey(target.region, target.service)
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
        stamp, today = self._key.at(keys, now)
        signed = "content-type;host;x-amz-date"
        token = token_field = ""
        if keys.token:
            signed += ";x-amz-security-token"
            token = f"x-amz-security-token:{keys.token}\n"
            token_field = f"X-Amz-Security-Token: {keys.token}\r\n"
        canonical = f"{self._before}{stamp}\n{token}\n{signed}\n{digest}"
        hashed = sha256(canonical.encode()).hexdigest()
        to_sign = f"{ALGORITHM}\n{stamp}\n{today.scope}\n{hashed}"
        signature = today.signature(to_sign.encode())
        return (
            f"{self._head}X-Amz-Date: {stamp}\r\n{token_field}"
            f"Authorization: {ALGORITHM} Credential={keys.access_key}/{today.scope}, "
            f"SignedHeaders={signed}, Signature={signature}\r\n"
            f"Content-Length: {size}\r\n\r\n"
        ).encode("ascii")
