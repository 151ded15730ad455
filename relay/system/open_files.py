"""How many files and sockets this process may have open."""

from __future__ import annotations

import resource

# Besides clients and SES: listening sockets, files, the loop's own, the page.
_OTHERS = 100


def allow(connections: int) -> int:
    """Ask the system for this many connections; how many of them there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a sandbox may forbid even what the limit allows
        wanted = soft
    return max(min(connections, wanted - _OTHERS), 0)
