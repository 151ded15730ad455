"""Headers of the PROXY protocol, in any split."""

from __future__ import annotations

import pytest

from relay.smtp.proxy_protocol import (
    LONGEST_HEADER,
    NOBODY,
    SIGNATURE,
    BadHeader,
    Client,
    take,
)

V4 = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + b"\x9c\x40\0\x19"
V6 = bytes.fromhex("20010db8000000000000000000000007") * 2 + b"\x9c\x40\0\x19"
MAPPED = bytes.fromhex("00000000000000000000ffffc0000207") * 2 + b"\x9c\x40\0\x19"


def v2(command: int, family: int, rest: bytes) -> bytes:
    head = bytes([0x20 | command, family]) + len(rest).to_bytes(2, "big")
    return SIGNATURE + head + rest


GOOD = [
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\n", Client("192.0.2.7")),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 65535 0\r\n", Client("2001:db8::7")),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", Client("192.0.2.7")),
    (b"PROXY UNKNOWN\r\n", NOBODY),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff 65535 65535\r\n", NOBODY),
    (v2(1, 0x11, V4), Client("192.0.2.7")),
    (v2(1, 0x11, V4 + b"\4\0\1x"), Client("192.0.2.7")),
    (v2(1, 0x21, V6), Client("2001:db8::7")),
    (v2(1, 0x21, MAPPED), Client("192.0.2.7")),
    (v2(1, 0x31, bytes(216)), NOBODY),
    (v2(1, 0x00, b""), NOBODY),
    (v2(0, 0x00, b""), NOBODY),
    (v2(0, 0x11, V4), NOBODY),
    (v2(0, 0x11, b"\4\0\0"), NOBODY),
]
BAD = [
    b"EHLO t\r\n",
    b"proxy TCP4 192.0.2.7 198.51.100.1 40000 25\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 25 more\r\n",
    b"PROXY  TCP4 192.0.2.7 198.51.100.1 40000 25\r\n",
    b"PROXY UDP4 192.0.2.7 198.51.100.1 40000 25\r\n",
    b"PROXY TCP4 192.0.2.07 198.51.100.1 40000 25\r\n",
    b"PROXY TCP4 192.0.2.256 198.51.100.1 40000 25\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 40000 25\r\n",
    b"PROXY TCP6 192.0.2.7 198.51.100.1 40000 25\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 40000 25\r\n",
    b"PROXY TCP4 192.0.2.7 nowhere 40000 25\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 70000 25\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 25\r\n",
    b"PROXY TCP4 192.0.2.7 198.51.100.1 \xd9\xa1 25\r\n",
    b"PROXY UNKNOWN" + b"x" * 107,
    v2(1, 0x11, V4[:-1]),
    v2(1, 0x21, V4),
    v2(1, 0x31, V4),
    v2(1, 0x12, V4),
    v2(1, 0x10, V4),
    v2(1, 0x41, V4),
    v2(1, 0x13, V4),
    v2(2, 0x11, V4),
    SIGNATURE + b"\x11\x11\0\x0c" + V4,
    SIGNATURE + b"\x21\x11\xff\xff",
]


@pytest.mark.parametrize(("header", "client"), GOOD)
def test_a_header_names_the_client_and_leaves_what_follows(
    header: bytes, client: Client
) -> None:
    assert take(header + b"EHLO t\r\n") == (client, len(header))
    assert take(header) == (client, len(header))
    for end in range(len(header)):
        assert take(header[:end]) is None


@pytest.mark.parametrize("header", BAD)
def test_what_is_no_header_is_refused(header: bytes) -> None:
    with pytest.raises(BadHeader):
        take(header)


def test_no_header_makes_the_relay_keep_more_than_its_longest() -> None:
    rest = LONGEST_HEADER - 16
    assert take(v2(1, 0x11, V4 + bytes(rest - 12))) == (
        Client("192.0.2.7"),
        LONGEST_HEADER,
    )
    with pytest.raises(BadHeader):
        take(v2(1, 0x11, V4 + bytes(rest - 11))[:16])
