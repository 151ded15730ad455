"""Which addresses are everybody's, and which lead into a network of one's own."""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Global by their numbers, and yet of the cloud that the machine stands in, or, with
# older releases of Python, taken for global.
_NEARER = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # Azure's own services, keys among them
            "192.0.0.0/24",  # RFC 6890; Oracle's metadata
            "192.88.99.0/24",  # RFC 7526: leads to whoever takes it
            "::/96",  # RFC 4291 section 2.5.5.1: stands for IPv4
            "64:ff9b:1::/48",  # RFC 8215
            "2001::/32",  # Teredo, which stands for IPv4
            "2002::/16",  # 6to4, the same
        ),
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: IPv4 in its last bits


def is_public(text: str) -> bool:
    """Tell whether an address is one of the Internet, and of nothing nearer.

    Not public are loopback, private and link-local addresses, the metadata of clouds
    among them, multicast, and what stands for one of these inside IPv6.
    """
    address = _meant(text)
    if getattr(address, "scope_id", None) is not None:
        return False
    if any(address in network for network in _NEARER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_loopback(text: str) -> bool:
    """Tell whether an address is this machine's own."""
    return _meant(text).is_loopback


def _meant(text: str) -> Address:
    """The address that is reached: of some of IPv6, the one of IPv4 inside."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
