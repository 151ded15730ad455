"""Sockets that systemd listens on for this process, and hands over (sd_listen_fds(3)).

They stay open while the process is started anew: who connects meanwhile waits there.
"""

from __future__ import annotations

import errno
import os
import socket

from relay.system.sockets import CannotListen

# The first descriptor after the standard ones, and the variables that tell of them.
_FIRST = 3
_WHOSE, _HOW_MANY, _NAMES = "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"


def given() -> list[tuple[str, socket.socket]]:
    """Each with its name, which is FileDescriptorName= of its unit; the caller's own.

    Takes the variables away, so that no process after this one reads them. Raises
    CannotListen for what is no socket.
    """
    whose, how_many = os.environ.pop(_WHOSE, ""), os.environ.pop(_HOW_MANY, "")
    names = os.environ.pop(_NAMES, "").split(":")
    if whose != str(os.getpid()) or not how_many.isdecimal():
        return []
    found: list[tuple[str, socket.socket]] = []
    for number in range(int(how_many)):
        name = names[number] if number < len(names) else ""
        try:
            os.set_inheritable(_FIRST + number, False)
            found.append((name, socket.socket(fileno=_FIRST + number)))
        except OSError as error:
            for _, sock in found:
                sock.close()
            if error.errno not in (errno.ENOTSOCK, errno.EBADF):
                raise
            text = f'systemd hands over "{name}", which is no socket'
            raise CannotListen(f"{text}; take it out of the unit") from error
    return found
