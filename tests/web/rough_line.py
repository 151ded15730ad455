"""A line between a browser and a relay that delays, reorders and breaks."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random

RESET = struct.pack("ii", 1, 0)


class RoughLine:
    """Each connection is late by itself, so their answers overtake one another."""

    def __init__(self, port: int, random: Random) -> None:
        self._port = port
        self._random = random
        self._lock = threading.Lock()
        self._lines: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.rough = True
        self.breaks = 0
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            relay = socket.create_connection(("127.0.0.1", self._port))
            with self._lock:
                self._lines |= {client, relay}
            for one, other, late in ((client, relay, False), (relay, client, True)):
                threading.Thread(
                    target=self._pass, args=(one, other, late), daemon=True
                ).start()

    def _pass(self, one: socket.socket, other: socket.socket, late: bool) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                if late and self.rough:
                    time.sleep(self._random.choice((0, 0, 0.02, 0.1, 0.3)))
                    if self._random.random() < 0.03:  # in the middle of an answer
                        other.sendall(data[: len(data) // 2])
                        self.breaks += 1
                        break
                other.sendall(data)
        self._cut(one, other)

    def _cut(self, *lines: socket.socket) -> None:
        with self._lock:
            for line in lines:
                if line in self._lines:
                    self._lines.discard(line)
                    with suppress(OSError):
                        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                        line.shutdown(socket.SHUT_RDWR)
                    line.close()

    def cut(self) -> None:
        """Break all connections that there are."""
        self.breaks += 1
        self._cut(*tuple(self._lines))

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._cut(*tuple(self._lines))


@contextmanager
def rough_line(port: int, random: Random) -> Iterator[RoughLine]:
    line = RoughLine(port, random)
    thread = threading.Thread(target=line.run)
    thread.start()
    try:
        yield line
    finally:
        line.close()
        thread.join()
