"""Who listens on a port: what /proc tells, as far as this user may read it."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

PROC = Path("/proc")
_LISTENING = "0A"
_Address = IPv4Address | IPv6Address


def holder(hosts: Collection[str], port: int) -> str:
    """Who keeps others from listening on `port` of one of the addresses `hosts`.

    `process 1234 (postfix)`, or "" where the system does not tell.
    """
    wanted = [ip_address(host.partition("%")[0]) for host in hosts]
    sockets = {f"socket:[{inode}]" for inode in _inodes(wanted, port)}
    if not sockets:
        return ""
    for process in _processes():
        if sockets & set(_links(process / "fd")):
            return f"process {process.name}{_name(process)}"
    return ""


def _inodes(wanted: Collection[_Address], port: int) -> Iterator[str]:
    """The inodes of all sockets that listen where one of `wanted` would."""
    for name in ("tcp", "tcp6"):
        try:
            lines = (PROC / "net" / name).read_text("ascii").splitlines()[1:]
        except (OSError, ValueError):
            continue
        for line in lines:
            words = line.split()
            host, _, number = words[1].partition(":")
            if words[3] != _LISTENING or int(number, 16) != port:
                continue
            taken = _address(host)
            if any(
                taken == one or taken.is_unspecified or one.is_unspecified
                for one in wanted
            ):
                yield words[9]


def _address(text: str) -> _Address:
    """An address as /proc/net has it: words of four bytes in the machine's order."""
    data = bytes.fromhex(text)
    if sys.byteorder == "little":
        data = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
    if len(data) == 4:
        return IPv4Address(data)
    address = IPv6Address(data)
    return address.ipv4_mapped or address


def _processes() -> Iterator[Path]:
    try:
        yield from (path for path in PROC.iterdir() if path.name.isdecimal())
    except OSError:
        return


def _links(directory: Path) -> Iterator[str]:
    try:
        names = os.listdir(directory)  # noqa: PTH208 - a Path for each would be slow
    except OSError:  # another user's, or gone
        return
    for name in names:
        try:
            yield str((directory / name).readlink())
        except OSError:
            continue


def _name(process: Path) -> str:
    try:
        name = (process / "comm").read_text("utf-8", "replace").strip()
    except OSError:
        return ""
    return f" ({name})" if name.isprintable() and name else ""
