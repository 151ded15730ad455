"""A request to S3 or SQS: its words in the order and the spelling that are signed."""

from __future__ import annotations

import asyncio
import base64
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

from relay.ses.signing_key import ALGORITHM, Keys, SigningKey

# Beyond it a body is hashed and written in pieces, so that others come in between.
PIECE = 200_000
# As values are signed: without blanks at the ends, or several beside each other.
_FITS = re.compile(r"(?:[!-~]+(?: [!-~]+)*)?")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; names of header fields are in lower case.

    `path` is encoded and goes out, and is signed, as it stands.
    """

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    fields: Sequence[tuple[str, str]] = ()
    body: bytes = field(default=b"", repr=False)


class Sums(NamedTuple):
    """What a body comes to: SHA-256 in hexadecimal, CRC-32 in base64."""

    sha256: str
    crc32: str


async def sums(body: bytes) -> Sums:
    """Sum a body up, in pieces where it is large."""
    if not body:
        return _NOTHING
    if len(body) <= PIECE:
        return Sums(sha256(body).hexdigest(), _in_base64(zlib.crc32(body)))
    digest, crc = sha256(), 0
    for piece in pieces(body):
        digest.update(piece)
        crc = zlib.crc32(piece, crc)
        await asyncio.sleep(0)
    return Sums(digest.hexdigest(), _in_base64(crc))


def pieces(body: bytes) -> Iterator[bytes]:
    """A body in pieces, each made when its turn comes."""
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]


def _in_base64(crc: int) -> str:
    return base64.b64encode(crc.to_bytes(4, "big")).decode()


_NOTHING = Sums(sha256().hexdigest(), _in_base64(0))


def encoded(text: str, *, kept: str = "") -> str:
    """A text in a URL as signatures want it; `kept` stays as it is."""
    return quote(text, safe=kept)


class Signer:
    """Signs requests to one host, in one region, for one service.

    `says_digest`: the body's sum is a header field as well, which S3 wants.
    """

    def __init__(
        self, host: str, region: str, service: str, agent: str, *, says_digest: bool
    ) -> None:
        self._host = host
        self._key = SigningKey(region, service)
        self._unsigned = (
            f"Accept: */*\r\nAccept-Encoding: identity\r\nUser-Agent: {agent}\r\n"
        )
        self._says_digest = says_digest

    def head(self, keys: Keys, request: Request, digest: str, *, now: float) -> bytes:
        """Make the head of a request whose body has this SHA-256; `now` is Unix time.

        Raises ValueError for what fits no header field.
        """
        for _, value in request.fields:
            if not _FITS.fullmatch(value):
                raise ValueError("a header field would hold characters that none has")
        stamp, today = self._key.at(keys, now)
        fields = [("host", self._host), ("x-amz-date", stamp), *request.fields]
        if self._says_digest:
            fields.append(("x-amz-content-sha256", digest))
        if keys.token:
            fields.append(("x-amz-security-token", keys.token))
        fields.sort()
        query = _query(request.query) if request.query else ""
        signed = ";".join([name for name, _ in fields])
        listed = "".join([f"{name}:{value}\n" for name, value in fields])
        canonical = (
            f"{request.method}\n{request.path}\n{query}\n{listed}\n{signed}\n{digest}"
        )
        hashed = sha256(canonical.encode()).hexdigest()
        signature = today.signature(
            f"{ALGORITHM}\n{stamp}\n{today.scope}\n{hashed}".encode()
        )
        target = f"{request.path}?{query}" if query else request.path
        sent = "".join([f"{name}: {value}\r\n" for name, value in fields])
        return (
            f"{request.method} {target} HTTP/1.1\r\n{sent}{self._unsigned}"
            f"Authorization: {ALGORITHM} Credential={keys.access_key}/{today.scope}, "
            f"SignedHeaders={signed}, Signature={signature}\r\n"
            f"Content-Length: {len(request.body)}\r\n\r\n"
        ).encode("ascii")


def _query(asked: Sequence[tuple[str, str]]) -> str:
    pairs = sorted([(encoded(name), encoded(value)) for name, value in asked])
    return "&".join([f"{name}={value}" for name, value in pairs])
