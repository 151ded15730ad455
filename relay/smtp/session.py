"""One connection of a client: its beginning, its end, and the dialog between them.

Built on aiosmtpd's `SMTP`, whose connection set-up is used as it is. The loop over
commands, the parsing of paths and the reading of DATA are ours, because the
library's cancel the mail in hand when a client leaves, have no enhanced codes, and
keep what they then refuse.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from aiosmtpd.smtp import SMTP

from relay import log
from relay.model.replies import INTERNAL, SHUTTING_DOWN
from relay.model.reply import Reply
from relay.smtp import proxy_protocol
from relay.smtp.channel import Silent
from relay.smtp.dialog import HANDSHAKE_SECONDS, Dialog
from relay.smtp.doorkeeper import UNIX, Visit, allowed, plain
from relay.smtp.listener_settings import ListenerSettings, TlsContext
from relay.smtp.replies import TIME_OVER
from relay.smtp.tls import TlsError
from relay.smtp.wire import Wire

HEADER_SECONDS = 5.0  # proxy-protocol.txt wants at least 3
FAREWELL_SECONDS = 5.0
# Clients that shake hands only to hear that they are refused.
REFUSED_HANDSHAKES = 100


# asyncio takes none, and its types do not know.
_NO_READER = cast("asyncio.StreamReader", None)


class _NoHooks:
    """Where the library looks for hooks, which we have none of."""


class Session(SMTP):
    """Serves one client; `sessions` is the listener's set of those that live.

    Made of the class that `of` gives. `in_force` gives the listener's settings of a
    later moment; without it they do not change.
    """

    @classmethod
    def of(
        cls, service: ListenerSettings, loop: asyncio.AbstractEventLoop
    ) -> type[Session]:
        """The class of a listener's sessions.

        The library's constructor looks for hooks and commands in each session anew,
        which was much of a connection's price. What it comes to is the same for all
        of a listener, and stands in their class.
        """
        made = SMTP(
            _NoHooks(),
            hostname=service.hostname,
            data_size_limit=service.limits.message_size,
            timeout=service.limits.timeout,
            loop=loop,
        )
        of_each = vars(asyncio.StreamReaderProtocol(_NO_READER, loop=loop))
        of_all = {
            name: value for name, value in vars(made).items() if name not in of_each
        }
        return type(cls.__name__, (cls,), of_all)

    def __init__(
        self,
        service: ListenerSettings,
        sessions: set[Session],
        *,
        loop: asyncio.AbstractEventLoop,
        in_force: Callable[[], ListenerSettings] | None = None,
    ) -> None:
        # No reader and no writer: `Wire` has the bytes, in both directions.
        asyncio.StreamReaderProtocol.__init__(self, _NO_READER, loop=loop)
        self._service = service
        self._in_force = in_force or (lambda: service)
        self._sessions = sessions
        self._visit = Visit(service.doorkeeper)
        self._peer = ""
        self._proxy = ""  # the proxy's address, where one speaks for the client
        self._refusal: Reply | None = None
        self._left = False
        self._gone: asyncio.Future[None] | None = None  # where its end is waited for
        self._dialog: Dialog | None = None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The session's own task; a mail in hand ends with it, not with the client."""
        task: asyncio.Task[None] | None = self._handler_coroutine
        return task

    # The connection, as asyncio tells of it.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sessions.add(self)
        service = self._service
        if service.unix:
            self._peer = UNIX
            self._refusal = self._visit.admit_local()
        else:
            peer = transport.get_extra_info("peername")
            self._peer = plain(peer[0]) if peer else ""
            if service.proxies and allowed(self._peer, service.proxies):
                self._proxy = self._peer
                self._refusal = self._visit.count()
            else:
                self._refusal = self._visit.admit(self._peer, service.allow)
        super().connection_made(transport)
        self._wire = Wire(
            cast("asyncio.Transport", transport), timeout=service.limits.timeout
        )
        self._wire.quiet = bool(self._proxy or service.implicit_tls)

    def data_received(self, data: bytes) -> None:
        self._wire.received(data)

    def pause_writing(self) -> None:
        self._wire.pause()

    def resume_writing(self) -> None:
        self._wire.resume()

    def connection_lost(self, error: Exception | None) -> None:
        # The library cancels the command under way here, and with it the mail.
        self._left = True
        self._wire.ended()
        self._wire.resume()
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self.transport = None
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def eof_received(self) -> bool:
        # A client that only closed its sending side still waits for its answers.
        self._left = True
        self._wire.ended()
        return True

    def _reset_timeout(self, duration: float | None = None) -> None:
        """No timer here: each wait in `Wire` has its own deadline."""

    async def _handle_client(self) -> None:
        try:
            await self._serve()
            await self._see_off()
        finally:
            self._visit.leave()
            self._sessions.discard(self)
            # Nothing of it holds another part that holds it, or all of it would wait
            # for the garbage collector, which has each mail pay for that.
            self._wire.end()
            self._dialog = None

    async def _serve(self) -> None:
        try:
            if await self._open():
                self._dialog = Dialog(
                    self._service,
                    self._wire,
                    peer=self._peer,
                    in_force=self._in_force,
                    has_left=self._has_left,
                    log=self._log,
                )
                await self._dialog.converse()
        except Silent:
            self._log(logging.INFO, "client silent", reply=str(TIME_OVER))
            await self._last_words(TIME_OVER)
        except TlsError as error:
            self._log(logging.INFO, "TLS broken", reason=str(error))
        except (EOFError, ConnectionError):
            pass
        except Exception as error:  # noqa: BLE001 - a session takes no other down
            log.broken("session broken", error, listener=self._service.name)
            await self._last_words(INTERNAL)

    async def _last_words(self, reply: Reply) -> None:
        if self._wire.quiet or self._wire.stuck:
            return
        try:
            await self._wire.reply(str(reply))
            await self._wire.flush()
        except (Silent, ConnectionError):
            pass

    async def _see_off(self) -> None:
        """Close; who does not take what was said last is cut off soon."""
        line = self.transport
        if not isinstance(line, asyncio.Transport):
            return  # gone already
        if self._wire.stuck:
            line.abort()
            return
        self._wire.close()
        if line.get_write_buffer_size():
            try:
                async with asyncio.timeout(FAREWELL_SECONDS):
                    self._gone = self.loop.create_future()
                    await self._gone
            except TimeoutError:
                line.abort()

    def _has_left(self) -> bool:
        """Tell whether the client closed its side: it may be gone for good."""
        return self._left

    def _log(self, level: int, event: str, /, **fields: object) -> None:
        log.line(
            level,
            event,
            listener=self._service.name,
            peer=self._peer,
            proxy=self._proxy,
            user=self._dialog.user if self._dialog else "",
            **fields,
        )

    def dismiss_if_idle(self) -> None:
        """Say goodbye, unless a mail is under way or has just had its reply."""
        if self._wire.waiting and (self._dialog is None or self._dialog.dismissible):
            self.dismiss()

    def dismiss(self) -> None:
        """Say goodbye now, if the client waits for no answer."""
        line = self.transport
        if isinstance(line, asyncio.Transport) and not line.is_closing():
            self._wire.farewell(str(SHUTTING_DOWN))
            self._wire.close()

    # Before the dialog: whom a proxy speaks for, TLS, and who may stay.

    async def _open(self) -> bool:
        """Go as far as the greeting; False when it does not come to it."""
        service, wire = self._service, self._wire
        if self._proxy and not await self._take_header():
            return False
        refusal = self._refusal
        if refusal is not None:
            self._log(logging.WARNING, "client refused", reply=str(refusal))
        if context := service.implicit_tls:
            if refusal is None:
                await self._shake_hands(context)
            elif not await self._shake_hands_to_refuse(context):
                return False
        wire.quiet = False
        if refusal is None:
            return True
        # Unread bytes would make the kernel reset the connection, and the client
        # lose the reply.
        await wire.drop_unread()
        await self._last_words(refusal)
        return False

    async def _take_header(self) -> bool:
        """Read whom the proxy speaks for; False: nobody can tell, nobody is served."""
        try:
            client = await self._wire.header(
                proxy_protocol.take, seconds=HEADER_SECONDS
            )
        except proxy_protocol.BadHeader as error:
            reason = str(error)
        except Silent:
            reason = "it did not come in time"
        else:
            self._peer = client.address or self._proxy
            if self._refusal is None:
                allow = self._service.allow
                self._refusal = self._visit.identify(self._peer, allow)
            return True
        self._log(logging.WARNING, "PROXY header refused", reason=reason)
        return False

    async def _shake_hands(
        self, context: TlsContext, seconds: float = HANDSHAKE_SECONDS
    ) -> None:
        await self._wire.start_tls(context(), seconds=seconds)
        self._log(logging.DEBUG, "TLS", version=self._wire.tls)

    async def _shake_hands_to_refuse(self, context: TlsContext) -> bool:
        """Shake hands so that the refusal can be read; False: too many do already."""
        doorkeeper = self._service.doorkeeper
        if doorkeeper.refusing >= REFUSED_HANDSHAKES:
            return False
        doorkeeper.refusing += 1
        try:
            await self._shake_hands(context, FAREWELL_SECONDS)
        finally:
            doorkeeper.refusing -= 1
        return True
