"""Networks as the settings name them: clients who may connect, proxies."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network
from typing import Any

Network = IPv4Network | IPv6Network

_MAPPED = IPv6Network("::ffff:0:0/96")


def network(value: Any) -> Any:  # noqa: ANN401 - the file has anything
    """The network; one of IPv4 in IPv6 dress is IPv4, as its clients are.

    Raises ValueError.
    """
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a network in quotes, such as 10.0.0.0/8")
    try:
        found = ip_network(value)
    except ValueError:
        try:
            meant = ip_interface(value).network
        except ValueError:
            raise ValueError("must be a network, such as 10.0.0.0/8") from None
        raise ValueError(
            f"has bits set beyond its prefix; did you mean {meant}?"
        ) from None
    if isinstance(found, IPv6Network) and found.subnet_of(_MAPPED):
        low = int(found.network_address) & 0xFFFFFFFF
        return IPv4Network((low, found.prefixlen - 96))
    return found
