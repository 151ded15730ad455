"""The PROXY protocol's header, versions 1 and 2, from HAProxy's proxy-protocol.txt."""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
# "107 chars": the longest line of version 1 with its line end (section 2.1).
LONGEST_LINE = 107
# Version 2 may carry notes (TLVs) of 64 kB; what load balancers add is far below.
LONGEST_HEADER = 16 + 4096
_ADDRESSES = {1: 12, 2: 36, 3: 216}  # family -> bytes: IPv4, IPv6, Unix


class BadHeader(Exception):  # noqa: N818 - a statement about the bytes
    """Not a header of the PROXY protocol; the text says what is wrong with it."""


class Client(NamedTuple):
    """Whom the proxy speaks for; "" when it names nobody, as in a check of its own."""

    address: str


NOBODY = Client("")


def take(data: bytes) -> tuple[Client, int] | None:
    """The client and the header's length; None while bytes are missing.

    Raises BadHeader as soon as no header can come of it.
    """
    if data[:12] == SIGNATURE[: len(data)]:
        return _version_2(data)
    if data[:6] == b"PROXY "[: len(data)]:
        return _version_1(data)
    raise BadHeader("the connection does not begin with a header")


def _version_1(data: bytes) -> tuple[Client, int] | None:
    line, end, _ = data[:LONGEST_LINE].partition(b"\r\n")
    if not end:
        if len(data) >= LONGEST_LINE:
            raise BadHeader("version 1: a line of more than 107 bytes")
        return None
    length = len(line) + 2
    words = line.decode("ascii", "replace").split(" ")
    if len(words) > 1 and words[1] == "UNKNOWN":
        return NOBODY, length  # what follows is to be ignored (section 2.1)
    if len(words) != 6:
        raise BadHeader("version 1: not six words")
    _, kind, source, destination, *ports = words
    if kind not in ("TCP4", "TCP6"):
        raise BadHeader("version 1: neither TCP4, TCP6 nor UNKNOWN")
    if not all(map(_is_port, ports)):
        raise BadHeader("version 1: a port is none")
    read = IPv4Address if kind == "TCP4" else IPv6Address
    try:
        read(destination)
        return _client(read(source)), length
    except AddressValueError:
        raise BadHeader(f"version 1: an address is none of {kind}") from None


def _version_2(data: bytes) -> tuple[Client, int] | None:
    if len(data) < 16:
        return None
    version, command = data[12] >> 4, data[12] & 15
    family, protocol = data[13] >> 4, data[13] & 15
    length = int.from_bytes(data[14:16], "big")
    if version != 2 or command > 1:
        raise BadHeader("version 2: an unknown version or command")
    if 16 + length > LONGEST_HEADER:
        raise BadHeader(f"version 2: longer than {LONGEST_HEADER} bytes")
    if family > 3 or protocol > 2:
        raise BadHeader("version 2: an unknown family or protocol")
    if len(data) < 16 + length:
        return None
    named = command == 1 and family in (1, 2)
    if named and protocol != 1:
        raise BadHeader("version 2: a protocol that is not TCP")
    if command == 1 and length < _ADDRESSES.get(family, 0):
        raise BadHeader("version 2: too short for its addresses")
    if not named:  # LOCAL, or without addresses that are the internet's
        return NOBODY, 16 + length
    source = data[16:20] if family == 1 else data[16:32]
    address = IPv4Address(source) if family == 1 else IPv6Address(source)
    return _client(address), 16 + length


def _client(address: IPv4Address | IPv6Address) -> Client:
    if isinstance(address, IPv6Address):
        if address.scope_id:
            raise BadHeader("an address with a zone")
        if address.ipv4_mapped:
            return Client(str(address.ipv4_mapped))
    return Client(str(address))


def _is_port(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= 5 and int(text) <= 65535
