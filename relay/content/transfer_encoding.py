"""Transfer encodings, RFC 2045 section 6: the better of two, made and read."""

from __future__ import annotations

import binascii
import re

from relay.content.mime_parts import Part

ENCODED_LINE = 76  # where an encoded line ends, RFC 2045 section 6.7

_NOT_PLAIN_TEXT = bytes(
    byte for byte in range(256) if not (32 <= byte < 127 or byte in b"\t\r\n")
)
# Gateways pad lines with blanks (RFC 2045 section 6.7, rule 3).
_PADDING = re.compile(rb"(?<![ \t])[ \t]++(?=\r\n|\Z)")
_NOT_BASE64 = bytes(
    byte
    for byte in range(256)
    if not (chr(byte).isalnum() and byte < 128) and byte not in b"+/="
)


def encoded_body(data: bytes, *, text: bool) -> tuple[str, bytes]:
    """The better transfer encoding and what it makes of `data`; no line end after."""
    if text and readable(unsafe_bytes(data), len(data)):
        return "quoted-printable", quoted_printable(data)
    return "base64", base64_body(data)


def unsafe_bytes(data: bytes) -> int:
    """How many bytes quoted-printable writes as three."""
    return len(data) - len(data.translate(None, _NOT_PLAIN_TEXT))


def readable(unsafe: int, size: int) -> bool:
    """Whether quoted-printable leaves most of a text letters of ASCII.

    Base64 is shorter for Cyrillic, Greek, Chinese.
    """
    return unsafe * 2 <= size


def transfer_decoded(part: Part) -> bytes:
    """The bytes that a part's body stands for, as well as they can be had."""
    body = part.body
    match part.encoding:
        case "quoted-printable":
            return binascii.a2b_qp(without_padding(body))
        case "base64":
            plain = body.translate(None, _NOT_BASE64).rstrip(b"=")
            if plain.find(b"=") < 0:
                return _base64_decoded(plain)
            # Several bodies one after the other, each with its own end.
            return b"".join(map(_base64_decoded, re.split(b"=+", plain)))
    return body


def _base64_decoded(plain: bytes) -> bytes:
    # One character after a multiple of four holds no byte: it was cut off.
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    return binascii.a2b_base64(plain + b"=" * (-len(plain) % 4))


def without_padding(body: bytes) -> bytes:
    """Quoted-printable without the blanks at the ends of its lines."""
    return _PADDING.sub(b"", body) if _is_padded(body) else body


def _is_padded(body: bytes) -> bool:
    # By hand sooner than by the pattern, and most is not.
    return (
        body.find(b" \r\n") >= 0
        or body.find(b"\t\r\n") >= 0
        or body.endswith((b" ", b"\t"))
    )


def quoted_again(body: bytes) -> bytes:
    """Quoted-printable with bytes or lines that may not be in it, made right.

    Line by line, since a line end that is encoded must stay so.
    """
    lines = without_padding(body).replace(b"=\r\n", b"").split(b"\r\n")
    return b"\r\n".join(
        binascii.b2a_qp(binascii.a2b_qp(line), istext=False).replace(b"\n", b"\r\n")
        for line in lines
    )


def quoted_printable(data: bytes) -> bytes:
    """Text in lines that end in CRLF, encoded in lines of 76.

    Of 77, where Python's encoder finds a space at the end of a line that is full.
    """
    made = binascii.b2a_qp(data, istext=True)
    # It takes the style of its line ends from the data; without any it writes LF.
    return made if data.find(b"\n") >= 0 else made.replace(b"\n", b"\r\n")


def base64_body(data: bytes) -> bytes:
    """Base64 in lines, block by block: the whole without its line ends is not kept."""
    view, block = memoryview(data), 57 * 1000  # 57 bytes make a line of 76
    return b"\r\n".join(
        base64_lines(binascii.b2a_base64(view[start : start + block], newline=False))
        for start in range(0, len(view), block)
    )


def base64_lines(encoded: bytes) -> bytes:
    """Cut into lines, some thousand at a time: a list of all takes memory for each."""
    block = ENCODED_LINE * 1000
    return b"\r\n".join(
        b"\r\n".join(
            encoded[start : start + ENCODED_LINE]
            for start in range(first, min(first + block, len(encoded)), ENCODED_LINE)
        )
        for first in range(0, len(encoded), block)
    )
