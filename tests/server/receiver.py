"""A receiver of webhooks: a real HTTP server that answers as a test wants.

It believes nothing that the specification's own library does not take.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

from tests.server.relay_process import until

SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, 32 bytes.").decode()


@dataclass(frozen=True, slots=True)
class Came:
    """One request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """What the library makes of it; raises where the signature is wrong."""
        found: dict[str, Any] = Webhook(SECRET).verify(self.body, dict(self.headers))
        return found

    @property
    def type(self) -> str:
        return str(self.event["type"])


@dataclass(frozen=True, slots=True)
class Answer:
    """`hangs`: there is none before the receiver ends."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hangs: bool = False


class _Server(ThreadingHTTPServer):
    # The connections that a relay makes at once; of those above it the kernel takes no
    # notice, and each is tried again a second later.
    request_queue_size = 128


class Receiver:
    """Listens at `url`; `answers` come in order, then `usual` does."""

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answers = deque(answers)
        self.usual = Answer()
        self.came: list[Came] = []
        self._over = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._serve(self)

            do_GET = do_POST  # noqa: N815 - where a redirect would lead

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if tls else ''}://localhost:{self.port}/hooks/T0KEN"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length", "0"))
        headers = {name.lower(): value for name, value in request.headers.items()}
        came = Came(request.path, headers, request.rfile.read(length))
        answer = self.answers.popleft() if self.answers else self.usual
        self.came.append(came)
        if answer.hangs:
            self._over.wait()
            request.close_connection = True
            return
        request.send_response(answer.status)
        for name, value in answer.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer.body)))
        request.end_headers()
        try:
            request.wfile.write(answer.body)
        except OSError:
            request.close_connection = True  # the other side had enough

    def wait(
        self, count: int, match: Callable[[Came], bool] = lambda came: True
    ) -> list[Came]:
        """Wait for that many requests that `match` takes: all there are by then."""
        until(lambda: len([one for one in self.came if match(one)]) >= count)
        return [one for one in self.came if match(one)]

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def receiving(
    *answers: Answer, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    receiver = Receiver(*answers, tls=tls)
    try:
        yield receiver
    finally:
        receiver.close()


def webhooks(*entries: Mapping[str, object]) -> dict[str, str]:
    """The settings of these webhooks, with what each must have."""
    found = [{"secret": SECRET, "allowPrivate": True, **entry} for entry in entries]
    return {"RELAY_WEBHOOKS": json.dumps(found)}
