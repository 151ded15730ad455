"""Emulators of AWS as processes of their own, on loopback alone."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from relay.fleet.aws import FleetSettings

WAIT = 60.0  # seconds until one that does not answer counts as broken
REGION = "eu-west-1"


@dataclass
class Emulator:
    """A running one; `place` makes a queue and a bucket that nobody else has."""

    endpoint: str
    name: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def place(self, endpoint: str = "") -> FleetSettings:
        """Settings of a new queue and a new bucket, asked for at `endpoint`."""
        name = f"relay-{os.getpid()}-{next(self._numbers)}"
        where = {"LocationConstraint": REGION}
        client(self.endpoint, "s3").create_bucket(
            Bucket=name, CreateBucketConfiguration=where
        )
        made = client(self.endpoint, "sqs").create_queue(
            QueueName=name, Attributes={"MessageRetentionPeriod": "1209600"}
        )
        return FleetSettings(
            url=made["QueueUrl"],
            bucket=name,
            prefix="relay/",
            region=REGION,
            endpoint_url=endpoint or self.endpoint,
            access_key_id="AKIAFAKE",
            access_key_secret="fake-secret",
        )


@cache
def client(endpoint: str, service: str) -> Any:  # noqa: ANN401 - the SDK has no types
    """A client that waits, for looks from beside."""
    return botocore.session.get_session().create_client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="AKIAFAKE",
        aws_secret_access_key="fake-secret",
        config=Config(s3={"addressing_style": "path"}),
    )


@contextmanager
def ministack(services: str = "sqs,s3,sts") -> Iterator[Emulator]:
    """ministack, which has conditional writes and delays as AWS has them."""
    port = _free_port()
    given = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "SERVICES": services,
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "ministack"]
    with _running(command, given, port) as endpoint:
        yield Emulator(endpoint, "ministack")


@contextmanager
def moto() -> Iterator[Emulator]:
    """moto, as a second opinion."""
    port = _free_port()
    command = [sys.executable, "-c", "from moto.server import main; main()"]
    words = ["-H", "127.0.0.1", "-p", str(port)]
    with _running([*command, *words], {}, port) as endpoint:
        yield Emulator(endpoint, "moto")


@contextmanager
def _running(
    command: Sequence[str], settings: Mapping[str, str], port: int
) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        said = Path(directory, "said")
        with said.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env={**os.environ, **settings, "HOME": directory},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _await_answer(endpoint, process, said)
            yield endpoint
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_answer(endpoint: str, process: subprocess.Popen[bytes], said: Path) -> None:
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(endpoint, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"no answer from {endpoint}:\n{said.read_text()}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
