"""One SMTP session (RFC 5321): commands in, replies out, mail handed to `accept`.

Built on aiosmtpd's `SMTP`, whose connection set-up is used as it is. The loop over
commands, the parsing of paths and the reading of DATA are ours, because the
library's cancel the mail in hand when a client leaves, have no enhanced codes, and
keep what they then refuse.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aiosmtpd.smtp import SMTP

from relay import address, log
from relay.core import NO_ROOM
from relay.delivery import INTERNAL, SHUTTING_DOWN
from relay.ids import new_id
from relay.model import Envelope, Reply, Submission
from relay.smtp import auth, path, proxy
from relay.smtp.access import Doorkeeper, Limits, Network, Visit, allowed, plain
from relay.smtp.logins import Logins, User
from relay.smtp.tls import TlsError
from relay.smtp.wire import CHUNK, Account, Data, Silent, Wire

COMMAND_LENGTH = 2048
REFUSED_COMMANDS = 20
FAILED_LOGINS = 5
# Seconds, or `limits.timeout` where that is shorter.
HANDSHAKE_SECONDS = 30.0
HEADER_SECONDS = 5.0  # proxy-protocol.txt wants at least 3
FAREWELL_SECONDS = 5.0
# Clients that shake hands only to hear that they are refused.
REFUSED_HANDSHAKES = 100

OK = Reply(250, "0.0", "Ok")
BYE = Reply(221, "0.0", "Bye")
SENDER_OK = Reply(250, "1.0", "Sender ok")
RECIPIENT_OK = Reply(250, "1.5", "Recipient ok")
START_DATA = "354 End data with <CR><LF>.<CR><LF>"
CANNOT_VERIFY = Reply(252, "1.5", "Cannot verify, but will try to send")
TIME_OVER = Reply(421, "4.2", "Timeout, closing connection")
TOO_MANY_REFUSED = Reply(421, "7.0", "Too many refused commands, closing connection")
NOT_HTTP = Reply(421, "7.0", "This is an SMTP server, not an HTTP server")
TOO_LONG = Reply(500, "5.2", "Command line too long")
SYNTAX = Reply(500, "5.2", "Syntax error")
UNKNOWN = Reply(500, "5.1", "Unknown command")
NOT_OFFERED = Reply(502, "5.1", "Command not implemented")
NO_ARGUMENT = Reply(501, "5.4", "This command takes no argument")
NAME_YOURSELF = Reply(501, "5.4", "Your host name is missing")
BAD_PARAMETER = Reply(501, "5.4", "Syntax error in parameters")
UNKNOWN_PARAMETER = Reply(555, "5.4", "Parameter not offered")
EHLO_FIRST = Reply(503, "5.1", "Send EHLO first")
NESTED_MAIL = Reply(503, "5.1", "Sender already given")
MAIL_FIRST = Reply(503, "5.1", "Send MAIL first")
RCPT_FIRST = Reply(503, "5.1", "Send RCPT first")
BAD_SENDER = Reply(501, "1.7", "Bad sender address syntax")
BAD_RECIPIENT = Reply(553, "1.3", "Bad recipient address syntax")
NO_SMTPUTF8 = Reply(553, "6.7", "Non-ASCII addresses are not supported")
TOO_MANY_RECIPIENTS = Reply(452, "5.3", "Too many recipients")
TOO_LARGE = Reply(552, "3.4", "Message is too long")
LINE_TOO_LONG = Reply(554, "6.0", "A line of the message is too long")
READY_FOR_TLS = Reply(220, "0.0", "Ready to start TLS")
TLS_IN_USE = Reply(503, "5.1", "TLS is in use already")
TLS_FIRST = Reply(530, "7.0", "Must issue a STARTTLS command first")
LOGGED_IN = Reply(235, "7.0", "Authentication succeeded")
LOGGED_IN_ALREADY = Reply(503, "5.1", "Already authenticated")
NOT_IN_MAIL = Reply(503, "5.1", "Not during a mail transaction")
LOGIN_FIRST = Reply(530, "7.0", "Authentication required")
LOGIN_NEEDS_TLS = Reply(538, "7.11", "Encryption required for authentication")
WRONG_LOGIN = Reply(535, "7.8", "Authentication credentials invalid")
NO_LOGIN_NOW = Reply(454, "7.0", "Temporary authentication failure")
TOO_MANY_LOGINS = Reply(421, "7.0", "Too many failed logins, closing connection")
NOT_YOUR_SENDER = Reply(553, "7.1", "Sender address not allowed for this user")
TOO_OFTEN = Reply(450, "7.1", "Too many messages, try again later")

# What the log tells as well: limits, and what an operator will be asked about.
_LOGGED = frozenset(
    (
        *(NO_ROOM, TOO_LARGE, LINE_TOO_LONG, TOO_MANY_RECIPIENTS, TOO_LONG),
        *(TOO_OFTEN, TOO_MANY_REFUSED, TOO_MANY_LOGINS, NOT_YOUR_SENDER, NOT_HTTP),
    )
)

_HTTP = re.compile(rb"[A-Z]{3,10} \S+ HTTP/\d")

# The library looks at every attribute of its handler, for each connection; before
# Python 3.11.3 that fails on a slotted dataclass such as `Service`.
_NO_HOOKS = object()

# The second argument tells whether the client has left meanwhile.
Accept = Callable[[Submission, Callable[[], bool]], Coroutine[Any, Any, Reply]]
TlsContext = Callable[[], ssl.SSLContext]  # asked for each handshake


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What all sessions of one listener share."""

    name: str
    hostname: str
    accept: Accept
    limits: Limits
    allow: Sequence[Network]
    doorkeeper: Doorkeeper
    stopping: asyncio.Event
    usage: str = ""
    starttls: TlsContext | None = None  # for one of the two at most
    implicit_tls: TlsContext | None = None
    require_tls: bool = False
    auth: Literal["off", "optional", "required", "any"] = "off"
    insecure_auth: bool = False
    logins: Logins | None = None
    proxies: Sequence[Network] = ()


class Session(SMTP):
    """Serves one client; `sessions` is the listener's set of those that live."""

    line_length_limit = CHUNK  # of the stream's buffer; lines have limits of their own

    def __init__(
        self,
        service: Service,
        sessions: set[Session],
        *,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        # One dictionary for all sessions in the library, changed by each of them.
        self.command_size_limits = {}
        super().__init__(
            _NO_HOOKS,
            hostname=service.hostname,
            data_size_limit=service.limits.message_size,
            timeout=service.limits.timeout,
            loop=loop,
        )
        self._service = service
        self._sessions = sessions
        self._visit = Visit(service.doorkeeper)
        self._peer = ""
        self._proxy = ""  # the proxy's address, where one speaks for the client
        self._refusal: Reply | None = None
        self._closing = False
        self._left = False
        self._refused = self._failed_logins = 0
        self._told: set[Reply] = set()
        self._forget_client()

    def _forget_client(self) -> None:
        """Forget all that the client said, as before its first command."""
        self._greeted = self._extended = self._logged_in = False
        self._user: User | None = None
        self._start_over()

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The session's own task; a mail in hand ends with it, not with the client."""
        task: asyncio.Task[None] | None = self._handler_coroutine
        return task

    # The connection, as asyncio tells of it.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sessions.add(self)
        peer = transport.get_extra_info("peername")
        self._peer = plain(peer[0]) if peer else ""
        service = self._service
        if service.proxies and allowed(self._peer, service.proxies):
            self._proxy = self._peer
            self._refusal = self._visit.count()
        else:
            self._refusal = self._visit.admit(self._peer, service.allow)
        super().connection_made(transport)
        self._wire = Wire(self._reader, self._writer, timeout=service.limits.timeout)
        self._wire.quiet = bool(self._proxy or service.implicit_tls)

    def connection_lost(self, error: Exception | None) -> None:
        # The library cancels the command under way here, and with it the mail.
        self._left = True
        asyncio.StreamReaderProtocol.connection_lost(self, error)
        self.transport = None

    def eof_received(self) -> bool:
        # A client that only closed its sending side still waits for its answers.
        self._left = True
        asyncio.StreamReaderProtocol.eof_received(self)
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
            self._writer.close()

    async def _serve(self) -> None:
        try:
            if await self._open():
                await self._converse()
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
                    await self._writer.wait_closed()
            except (TimeoutError, OSError):
                line.abort()

    def _log(self, level: int, event: str, **fields: object) -> None:
        log.line(
            level,
            event,
            listener=self._service.name,
            peer=self._peer,
            proxy=self._proxy,
            user=self._user.name if self._user else "",
            **fields,
        )

    def dismiss_if_idle(self) -> None:
        """Say goodbye, unless a mail transaction is under way."""
        if self._wire.waiting and self._sender is None:
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
            client = await self._wire.header(proxy.take, seconds=HEADER_SECONDS)
        except proxy.BadHeader as error:
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

    # The dialog.

    async def _converse(self) -> None:
        await self._wire.reply(f"220 {self._service.hostname} ESMTP")
        while not self._closing:
            line = await self._wire.command(COMMAND_LENGTH)
            reply = TOO_LONG if line is None else await self._answer(line)
            if reply is not None:
                await self._push(reply)
        await self._wire.flush()

    async def _push(self, reply: Reply) -> None:
        if reply.code >= 400:
            if reply.code >= 500:
                if self._refused >= REFUSED_COMMANDS:
                    reply = TOO_MANY_REFUSED
                self._refused += 1
            if reply in _LOGGED and reply not in self._told:
                self._told.add(reply)  # once in a session: a client may go on for ever
                self._log(logging.WARNING, "command refused", reply=str(reply))
            if reply.code == 421:
                self._closing = True
                await self._wire.drop_unread()  # as in `_open`
        await self._wire.reply(str(reply))

    async def _answer(self, line: bytes) -> Reply | None:
        """Carry one command out; None when it has answered for itself."""
        verb, _, rest = line.strip().partition(b" ")
        # surrogateescape: what is not UTF-8 is no address, and is found there.
        argument = rest.decode("utf-8", "surrogateescape").strip()
        match verb.upper():
            case b"MAIL":
                return self._mail(argument)
            case b"RCPT":
                return self._rcpt(argument)
            case b"DATA":
                return await self._data(argument)
            case b"EHLO":
                return await self._ehlo(argument)
            case b"HELO":
                return await self._helo(argument)
            case b"RSET":
                if argument:
                    return NO_ARGUMENT
                self._start_over()
                return OK
            case b"NOOP":
                return OK
            case b"QUIT":
                if argument:
                    return NO_ARGUMENT
                self._closing = True
                return BYE
            case b"VRFY":
                return CANNOT_VERIFY if argument else BAD_PARAMETER
            case b"HELP":
                return Reply(214, "0.0", "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY QUIT")
            case b"AUTH":
                return await self._auth(argument)
            case b"STARTTLS":
                return await self._starttls(argument)
            case b"EXPN" | b"TURN" | b"ETRN" | b"BDAT":
                return NOT_OFFERED
            case b"":
                return SYNTAX
        if _HTTP.match(line):
            return NOT_HTTP
        return UNKNOWN

    async def _ehlo(self, argument: str) -> Reply | None:
        if not argument:
            return NAME_YOURSELF
        self._start_over()
        self._greeted = self._extended = True
        limits = self._service.limits
        offers = [
            self._service.hostname,
            "PIPELINING",
            f"SIZE {limits.message_size}",
            "8BITMIME",
            "ENHANCEDSTATUSCODES",
            f"LIMITS RCPTMAX={limits.recipients}",
        ]
        if self._service.starttls and not self._wire.tls:
            offers.append("STARTTLS")
        if self._may_log_in() and not self._logged_in:
            offers.append("AUTH PLAIN LOGIN")
        lines = [f"250-{offer}" for offer in offers[:-1]]
        await self._wire.reply("\r\n".join([*lines, f"250 {offers[-1]}"]))
        return None

    async def _helo(self, argument: str) -> Reply | None:
        if not argument:
            return NAME_YOURSELF
        self._start_over()
        self._greeted, self._extended = True, False
        await self._wire.reply(f"250 {self._service.hostname}")
        return None

    async def _starttls(self, argument: str) -> Reply | None:
        context = self._service.starttls
        if self._wire.tls:
            return TLS_IN_USE
        if context is None:
            return NOT_OFFERED
        if argument:
            return NO_ARGUMENT
        if not self._extended:
            return EHLO_FIRST
        if self._sender is not None:
            return NOT_IN_MAIL
        # RFC 3207 section 6 and CVE-2011-0411: what somebody slipped in behind
        # STARTTLS must not be taken as the client's own, under TLS.
        if dropped := await self._wire.drop_unread():
            self._log(logging.WARNING, "plaintext behind STARTTLS", bytes=dropped)
        await self._wire.reply(str(READY_FOR_TLS))
        await self._wire.flush()
        await self._shake_hands(context)
        self._forget_client()  # RFC 3207 section 4.2
        return None

    def _may_log_in(self) -> bool:
        """Tell whether AUTH is offered as things stand."""
        service = self._service
        if service.auth == "off" or self._wire.tls:
            return service.auth != "off"
        # `any` is for loopback alone, and its passwords open nothing.
        return not service.require_tls and (
            service.insecure_auth or service.auth == "any"
        )

    async def _auth(self, argument: str) -> Reply:
        if self._service.auth == "off":
            return NOT_OFFERED
        if not self._extended:
            return EHLO_FIRST
        if self._logged_in:
            return LOGGED_IN_ALREADY
        if self._sender is not None:
            return NOT_IN_MAIL
        if not argument:
            return BAD_PARAMETER
        if not self._may_log_in():
            return LOGIN_NEEDS_TLS
        try:
            given = await auth.credentials(self._ask, argument)
        except auth.Ended as ended:
            return ended.reply
        return await self._log_in(given)

    async def _ask(self, challenge: str) -> bytes | None:
        await self._wire.reply(challenge)
        return await self._wire.command(auth.RESPONSE_LENGTH)

    async def _log_in(self, given: auth.Credentials) -> Reply:
        logins = self._service.logins
        if self._service.auth != "any" and logins is not None:
            try:
                self._user = await logins.check(given, self._peer)
            except MemoryError:
                self._log(logging.ERROR, "no memory to compare a password")
                return NO_LOGIN_NOW
            if self._user is None:
                # An unknown name may be a password in the wrong field.
                known = given.name if logins.knows(given.name) else ""
                self._log(logging.WARNING, "login failed", name=known)
                self._failed_logins += 1
                too_many = self._failed_logins >= FAILED_LOGINS
                return TOO_MANY_LOGINS if too_many else WRONG_LOGIN
        self._logged_in = True
        self._log(logging.DEBUG, "logged in")
        return LOGGED_IN

    def _start_over(self) -> None:
        self._sender: str | None = None  # "" is the null sender
        self._recipients: dict[str, str] = {}
        self._declared = 0

    def _mail(self, argument: str) -> Reply:
        if self._service.stopping.is_set():
            return SHUTTING_DOWN
        if not self._greeted:
            return EHLO_FIRST
        if self._service.require_tls and not self._wire.tls:
            return TLS_FIRST
        if self._service.auth == "required" and not self._logged_in:
            return LOGIN_FIRST
        if self._sender is not None:
            return NESTED_MAIL
        try:
            given = path.parse(argument, "FROM:")
        except path.BadPath:
            return BAD_SENDER
        except path.BadParameter:
            return BAD_PARAMETER
        if refusal := self._parameters(given.parameters):
            return refusal
        sender = given.address
        if sender and not sender.isascii():
            try:
                sender = address.with_ascii_domain(sender)
            except address.NonAsciiLocalPart:
                return NO_SMTPUTF8
            except ValueError:
                return BAD_SENDER
        if sender and not path.is_sender(sender):
            return BAD_SENDER
        user = self._user
        if user is not None and not user.senders.allow(sender):
            return NOT_YOUR_SENDER
        if not self._in_time(user):
            return TOO_OFTEN
        self._sender = sender
        return SENDER_OK

    def _in_time(self, user: User | None) -> bool:
        """Count the mail for its client and its user; False: they had their number."""
        keys = [f"client {self._peer}"]
        if user is not None:
            keys.append(f"user {user.name}")
        return self._service.doorkeeper.rate.let_in(keys, now=time.monotonic())

    def _parameters(self, parameters: dict[str, str | None]) -> Reply | None:
        """Check MAIL's parameters: just those that EHLO offers, and AUTH."""
        limits = self._service.limits
        for name, value in parameters.items():
            if not self._extended:
                return UNKNOWN_PARAMETER
            match name:
                case "SIZE":
                    if value is None or not (value.isdecimal() and len(value) <= 20):
                        return BAD_PARAMETER
                    if int(value) > limits.message_size:
                        return TOO_LARGE
                    if not self._service.doorkeeper.memory.has_room(int(value)):
                        return NO_ROOM
                    self._declared = int(value)
                case "BODY":
                    if value is None or value.upper() not in ("7BIT", "8BITMIME"):
                        return BAD_PARAMETER
                case "AUTH":  # RFC 4954 section 5: taken, and not believed
                    if value is None:
                        return BAD_PARAMETER
                case _:
                    return UNKNOWN_PARAMETER
        return None

    def _rcpt(self, argument: str) -> Reply:
        if self._sender is None:
            return MAIL_FIRST if self._greeted else EHLO_FIRST
        try:
            given = path.parse(argument, "TO:")
        except path.BadPath:
            return BAD_RECIPIENT
        except path.BadParameter:
            return BAD_PARAMETER
        if given.parameters:
            return UNKNOWN_PARAMETER
        try:
            recipient = address.check(given.address)
        except address.NonAsciiLocalPart:
            return NO_SMTPUTF8
        except ValueError:
            return BAD_RECIPIENT
        local, _, domain = recipient.rpartition("@")
        key = f"{local}@{domain.lower()}"
        if key not in self._recipients:
            if len(self._recipients) >= self._service.limits.recipients:
                return TOO_MANY_RECIPIENTS
            self._recipients[key] = recipient
        return RECIPIENT_OK

    async def _data(self, argument: str) -> Reply | None:
        if argument:
            return NO_ARGUMENT
        if self._sender is None:
            return MAIL_FIRST if self._greeted else EHLO_FIRST
        if not self._recipients:
            return RCPT_FIRST
        memory = self._service.doorkeeper.memory
        if not memory.has_room(max(self._declared, 1)):
            return NO_ROOM
        account = Account(memory)
        try:
            await self._wire.reply(START_DATA)
            await self._wire.flush()
            limits = self._service.limits
            data = await self._wire.data(
                account, size=limits.message_size, line_length=limits.line_length
            )
            if (reply := _fault(data)) is None:
                submission = self._submission(data.content)
                del data  # the mail may be made anew; nobody holds the old one then
                reply = await self._service.accept(submission, self._has_left)
        finally:
            account.close()
            self._start_over()
        return reply

    def _has_left(self) -> bool:
        """Tell whether the client closed its side: it may be gone for good."""
        return self._left

    def _submission(self, content: bytes) -> Submission:
        return Submission(
            id=new_id(),
            envelope=Envelope(self._sender or None, tuple(self._recipients.values())),
            content=content,
            peer=self._peer,
            received_at=time.time(),
            listener=self._service.name,
            usage=(self._user and self._user.usage) or self._service.usage,
            user=self._user.name if self._user else "",
        )


def _fault(data: Data) -> Reply | None:
    if data.too_large:
        return TOO_LARGE
    if data.line_too_long:
        return LINE_TOO_LONG
    return NO_ROOM if data.no_room else None
