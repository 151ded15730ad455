"""Who may ask what: Host, origin and password of each request; headers of each answer.

A page on localhost is within reach of every web page that its user opens: by a name
that is made to point here (DNS rebinding), and by requests from other sites.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Awaitable, Callable, Collection
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from relay.web.guesses import Guesses, Turns
from relay.web.lines import TOO_MANY, hold

# Compared at one time: the hash is made to take a core and memory each time.
COMPARISONS = 2
# Passwords that may wait for their comparison; above, those whose addresses failed
# most get 503.
MAX_WAITING = 200

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "X-DNS-Prefetch-Control": "off",
}
_READS = ("GET", "HEAD", "OPTIONS")
# What scripts and people ask for, as browsers call it; the API is for these alone.
_ASKERS = ("empty", "document")

Verify = Callable[[str], Awaitable[bool]]


def problem(status: int, error: str) -> web.Response:
    """An answer that says what is wrong, as all of the API's do."""
    return web.json_response({"error": error}, status=status)


class Guard:
    """The rules of one site.

    `listen` is the address that it is bound to, `hosts` further names that may ask.
    `open_paths` need neither: probes, and what has a token of its own. `verify`
    compares a password; None: there is none.
    """

    def __init__(
        self,
        *,
        listen: str,
        hosts: Collection[str],
        open_paths: Collection[str],
        user: str = "",
        verify: Verify | None = None,
    ) -> None:
        self._listen = listen.strip("[]").lower()
        self._open = frozenset(open_paths)
        # What the last right name and password came to, under a key of this process:
        # comparing the real hash for each request would take a core.
        self._key = secrets.token_bytes(32)
        self._known = b""
        self._turns = Turns(COMPARISONS, waiting=MAX_WAITING)
        self._guesses = Guesses("login failed", listener="web")
        self.take(hosts=hosts, user=user, verify=verify)

    def take(
        self, *, hosts: Collection[str], user: str = "", verify: Verify | None = None
    ) -> None:
        """Let these in from here on; who is known has to say its password again."""
        self._hosts = frozenset(host.strip("[]").lower() for host in hosts)
        self._user = user.encode()
        self._verify = verify
        self._known = b""

    @property
    def middleware(self) -> Middleware:
        """What all requests go through."""

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                if request.path not in self._open:
                    if (refusal := await self._refusal(request)) is not None:
                        return refusal
                    if not hold(request):
                        return problem(503, TOO_MANY)
                return await handler(request)
            except web.HTTPException as error:
                if error.status < 400:
                    raise
                answer = problem(error.status, error.reason)
                if hdrs.ALLOW in error.headers:
                    answer.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
                return answer

        return guarded

    async def _refusal(self, request: web.Request) -> web.Response | None:
        if not self._is_ours(request.headers.get(hdrs.HOST, "")):
            # The name is the asker's own words: it is not said again.
            return problem(403, "This Host is not one of web.hosts in the settings")
        if not _is_same_site(request):
            return problem(403, "Requests from other sites are refused")
        if self._verify is not None and not await self._is_known(request):
            answer = problem(401, "Name and password are needed")
            answer.headers["WWW-Authenticate"] = 'Basic realm="relay", charset="UTF-8"'
            return answer
        return None

    def _is_ours(self, host: str) -> bool:
        """Tell whether the request names us by a name that is ours."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:
            address = ip_address(name)
        except ValueError:
            # Only whoever resolves names can be led astray by one.
            return name in ("localhost", self._listen)
        try:
            listen = ip_address(self._listen)
        except ValueError:
            return address.is_loopback
        if listen.is_unspecified:
            return True
        return address == listen or (listen.is_loopback and address.is_loopback)

    async def _is_known(self, request: web.Request) -> bool:
        scheme, _, encoded = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "basic" or self._verify is None:
            return False
        try:
            given = b64decode(encoded.strip(), validate=True)
        except (NotBase64, ValueError):
            return False
        seen = hmac.digest(self._key, given, sha256)
        if hmac.compare_digest(seen, self._known):
            return True
        began, verify = time.monotonic(), self._verify
        if not await self._turns.enter(self._guesses.of(request)):
            raise web.HTTPServiceUnavailable(reason="Too many logins, try again later")
        name, colon, password = given.partition(b":")
        # Compared for a wrong name too, so that time does not tell which.
        right = await self._compared(password.decode("utf-8", "replace"))
        named = hmac.compare_digest(
            hmac.digest(self._key, name, sha256),
            hmac.digest(self._key, self._user, sha256),
        )
        if colon and right and named and self._verify is verify:
            self._known = seen
            return True
        # Another name may be a password in the wrong field.
        user = self._user.decode() if named else ""
        await self._guesses.failed(request, began=began, name=user)
        return False

    async def _compared(self, password: str) -> bool:
        """Compare, and end the turn with the comparison, whoever still waits for it."""
        assert self._verify is not None  # noqa: S101 - else nobody asks
        comparison = asyncio.ensure_future(self._verify(password))
        comparison.add_done_callback(self._has_compared)
        try:
            return await asyncio.shield(comparison)
        except MemoryError:
            reason = "No memory to compare the password now"
            raise web.HTTPServiceUnavailable(reason=reason) from None

    def _has_compared(self, comparison: asyncio.Future[bool]) -> None:
        self._turns.leave()
        if not comparison.cancelled():
            comparison.exception()  # nobody may be there any more to take it


def _is_same_site(request: web.Request) -> bool:
    """Tell whether the request comes from our own page, or from no page at all."""
    reads = request.method in _READS
    fetched = request.headers.get("Sec-Fetch-Site", "none").lower()
    if fetched not in ("same-origin", "none"):
        # A link from elsewhere may open the page; it can read nothing.
        navigates = request.headers.get("Sec-Fetch-Mode", "").lower() == "navigate"
        if not (reads and navigates and not request.path.startswith("/api/")):
            return False
    # An image or a style of a mail that is looked at asks the API nothing.
    asker = request.headers.get("Sec-Fetch-Dest", "empty").lower()
    if request.path.startswith("/api/") and asker not in _ASKERS:
        return False
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None or reads:
        return True
    try:
        host = request.headers.get(hdrs.HOST, "")
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


async def with_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Give an answer its headers; one that has its own keeps it."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers[hdrs.SERVER] = "ses-relay"  # not the library's name and version
