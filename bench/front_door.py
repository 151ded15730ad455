"""What the front door costs: handshakes, mail under TLS, logins.

    .venv/bin/python bench/front_door.py

Starts a capturing relay for each case and drives it from this process, so the figures
are the relay's own only where they are CPU time; run it on a quiet machine.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
BODY = (
    b"From: a@b.example\r\nSubject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 56 + b".\r\n"
)
MAIL = (b"MAIL FROM:<a@b.example>\r\n", b"RCPT TO:<c@d.example>\r\n", b"DATA\r\n", BODY)
CLIENTS = 100


class Relay:
    """A running relay: its port and its CPU time."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def cpu_ms(self) -> float:
        """User and system time so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text("ascii")
        words = stat.rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) * 1000 / os.sysconf("SC_CLK_TCK")


@contextmanager
def relay(listener: dict[str, object], **settings: str) -> Iterator[Relay]:
    """A capturing relay with one listener."""
    whole = {"name": "local", "address": "127.0.0.1:0", **listener}
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("RELAY_")},
        "PYTHONPATH": str(ROOT),
        "RELAY_LISTENERS": json.dumps([whole]),
        "RELAY_LOG__FORMAT": "json",
        **settings,
    }
    with (
        tempfile.TemporaryDirectory() as directory,
        subprocess.Popen(
            [sys.executable, "-m", "relay", "serve", "--capture"],
            cwd=directory,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        port = 0
        log = process.stderr or ()
        for line in log:
            if '"listening"' in line:
                port = int(json.loads(line)["address"].rpartition(":")[2])
            if '"ready"' in line:
                break
        reading = threading.Thread(target=lambda: list(log))
        reading.start()
        try:
            yield Relay(process, port)
        finally:
            process.terminate()
            reading.join()


def context() -> ssl.SSLContext:
    """A client that trusts anybody."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def connected(port: int, tls: ssl.SSLContext | None) -> socket.socket:
    """A connection, greeted."""
    one: socket.socket = socket.create_connection(("127.0.0.1", port))
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is not None:
        one = tls.wrap_socket(one)
    one.recv(1000)
    return one


def mails(port: int, tls: ssl.SSLContext | None, count: int) -> None:
    """Send mails one after the other over one connection."""
    one = connected(port, tls)
    one.sendall(b"EHLO t\r\n")
    one.recv(1000)
    for _ in range(count):
        for words in MAIL:
            one.sendall(words)
            answer = one.recv(1000)
            if answer[:1] not in b"23":
                raise RuntimeError(answer)
    one.close()


def cost(running: Relay, work: Callable[[], None], count: int) -> tuple[float, float]:
    """CPU milliseconds of the relay for each of `count`, and how many a second."""
    before, began = running.cpu_ms(), time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    return (running.cpu_ms() - before) / count, count / seconds


def handshakes() -> None:
    """Full handshakes, one after the other."""
    with relay({"tls": "implicit"}, RELAY_TLS__SELF_SIGNED="true") as running:

        def work() -> None:
            for _ in range(500):
                connected(running.port, context()).close()

        tell("TLS handshake (P-256, full)", *cost(running, work, 500))


def mail(name: str, tls: str) -> None:
    """4 kB mails on one connection."""
    with relay({"tls": tls}, RELAY_TLS__SELF_SIGNED="true") as running:
        client = context() if tls == "implicit" else None
        mails(running.port, client, 200)
        tell(name, *cost(running, lambda: mails(running.port, client, 2000), 2000))


def logins() -> None:
    """100 clients log in at once: each name for the first time, then remembered."""
    sys.path.insert(0, str(ROOT))
    from relay import password

    hashed = password.hashed("s3cret")
    users = [{"name": f"app{n}", "passwordHash": hashed} for n in range(CLIENTS)]
    with relay(
        {"auth": "required", "insecureAuth": True}, RELAY_USERS=json.dumps(users)
    ) as running:
        for name in ("first login", "remembered login"):
            times: list[float] = []

            def one(number: int, times: list[float] = times) -> None:
                client = connected(running.port, None)
                client.sendall(b"EHLO t\r\n")
                client.recv(1000)
                words = base64.b64encode(f"\0app{number}\0s3cret".encode())
                began = time.perf_counter()
                client.sendall(b"AUTH PLAIN " + words + b"\r\n")
                if not (answer := client.recv(1000)).startswith(b"235"):
                    raise RuntimeError(answer)
                times.append(time.perf_counter() - began)
                client.close()

            threads = [
                threading.Thread(target=one, args=(number,))
                for number in range(CLIENTS)
            ]
            before = running.cpu_ms()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            used = (running.cpu_ms() - before) / CLIENTS
            times.sort()
            print(
                f"{name}, {CLIENTS} at once: p50 {statistics.median(times) * 1000:.0f} "
                f"ms, p99 {times[-1] * 1000:.0f} ms, {used:.2f} CPU ms each"
            )


def tell(name: str, milliseconds: float, rate: float) -> None:
    """Print one case."""
    print(f"{name}: {milliseconds:.2f} CPU ms each, {rate:.0f}/s")


if __name__ == "__main__":
    mail("mail in clear", "off")
    mail("mail under TLS", "implicit")
    handshakes()
    logins()
