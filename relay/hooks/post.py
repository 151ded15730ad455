"""One request to an endpoint, and what its answer means."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from relay import __version__
from relay.hooks.endpoint import Endpoint
from relay.hooks.names import NamesWithin
from relay.hooks.signature import headers
from relay.model.hook import Hook
from relay.ses.http.connection import Answer, Broken
from relay.ses.http.pool import Peer, Pool, Unsent

CONNECT_TIMEOUT = 5.0
TIMEOUT = 20.0  # of one request; Standard Webhooks: 15 to 30 s
AT_ONCE = 16  # requests to one endpoint
LONGEST_WAIT = 86_400.0  # that an answer may ask for, in seconds


class Result(NamedTuple):
    """What one request came to; `wait`: seconds that the endpoint asked for."""

    told: bool
    detail: str = ""
    gone: bool = False
    wait: float = 0.0


class Post:
    """Sends to one endpoint, over connections that are kept open a while."""

    def __init__(
        self, endpoint: Endpoint, *, now: Callable[[], float] = time.time
    ) -> None:
        """`now` gives Unix seconds."""
        self._endpoint = endpoint
        self._now = now
        self._names = NamesWithin(endpoint.reach)
        self._pool: Pool | None = None
        self._making = asyncio.Lock()

    async def send(self, hook: Hook) -> Result:
        """Tell it; never raises but when it is cancelled."""
        endpoint = self._endpoint
        deadline = asyncio.get_running_loop().time() + TIMEOUT
        body = hook.body.encode()
        try:
            pool = await self._opened()
            answer = await pool.exchange(
                [self._head(hook, body), body], deadline=deadline
            )
        except (Unsent, Broken) as error:
            return Result(False, str(error))
        except (OSError, ssl.SSLError) as error:  # no certificates to trust
            return Result(False, f"{endpoint.host}: {error}")
        return self._meant(answer)

    async def close(self) -> None:
        """Close its connections; requests under way break."""
        if self._pool is not None:
            await self._pool.close()
        self._names.close()

    async def _opened(self) -> Pool:
        async with self._making:
            if self._pool is None:
                endpoint, tls = self._endpoint, None
                if endpoint.secure:
                    # Reads a file of some hundred certificates.
                    tls = await asyncio.to_thread(ssl.create_default_context)
                self._pool = Pool(
                    Peer(endpoint.host, endpoint.port, tls),
                    names=self._names,
                    limit=AT_ONCE,
                    connect_timeout=CONNECT_TIMEOUT,
                )
        return self._pool

    def _head(self, hook: Hook, body: bytes) -> bytes:
        endpoint = self._endpoint
        fields = {
            "Host": endpoint.authority,
            "User-Agent": f"ses-relay/{__version__}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers(hook.id, body, at=int(self._now()), keys=endpoint.keys),
        }
        lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
        return f"POST {endpoint.path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()

    def _meant(self, answer: Answer) -> Result:
        status = answer.status
        if 200 <= status < 300:
            return Result(True)
        if status == 410:
            return Result(False, "answered 410 Gone", gone=True)
        detail = f"answered {status}"
        if 300 <= status < 400:
            detail += ", a redirect, which is not followed; change the url"
        return Result(False, detail, wait=self._wait(answer))

    def _wait(self, answer: Answer) -> float:
        """What Retry-After asks for (RFC 9110 section 10.2.3), in seconds."""
        for name, value in answer.headers:
            if name == b"retry-after":
                text = value.decode("ascii", "replace").strip()
                if text.isdigit() and len(text) < 10:
                    return min(float(text), LONGEST_WAIT)
                try:
                    until = parsedate_to_datetime(text)
                except ValueError:
                    return 0.0
                left = until.astimezone(UTC) - datetime.fromtimestamp(self._now(), UTC)
                return min(max(left.total_seconds(), 0.0), LONGEST_WAIT)
        return 0.0
