"""Where an SMTP command is answered (RFC 5321), and mail handed to `accept`.

One dialog, from the greeting on; the connection before and after it is the session's.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable
from dataclasses import replace

from relay.model.replies import GUARDED, NO_ROOM, SHUTTING_DOWN
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.smtp import mail_and_rcpt, offers, replies
from relay.smtp.listener_settings import ListenerSettings
from relay.smtp.login import Log, Login
from relay.smtp.memory import Share
from relay.smtp.refusals import Refusals
from relay.smtp.transaction import Transaction
from relay.smtp.wire import Wire, taken_apart

COMMAND_LENGTH = 2048
REFUSED_COMMANDS = 20
HANDSHAKE_SECONDS = 30.0  # or `limits.timeout` where that is shorter
# At a stop: who has just heard what became of a mail is about to say QUIT, and a
# library that hears 421 for that tells its app that the mail failed.
FOR_A_QUIT = 1.0

_HTTP = re.compile(rb"[A-Z]{3,10} \S+ HTTP/\d")


class Dialog:
    """Talks with one client, `peer`; `has_left`: it has closed its side.

    What it offers and demands is as `service` had it when it began. What becomes of a
    mail, and who may still send, is as it stands then: `in_force`.
    """

    def __init__(
        self,
        service: ListenerSettings,
        wire: Wire,
        *,
        peer: str,
        in_force: Callable[[], ListenerSettings],
        has_left: Callable[[], bool],
        log: Log,
    ) -> None:
        self._service = service
        self._in_force = in_force
        self._wire = wire
        self._peer = peer
        self._has_left = has_left
        self._log = log
        self._login = Login(service, wire, peer=peer, log=log)
        self._closing = False
        self._refused = 0
        self._refusals = Refusals(service, peer=peer, log=log)
        self._refusal: Reply | None = None  # of a command that was looked at at once
        self._account: Share | None = None  # of the mail that is coming in
        self._mail: Transaction | None = None
        self._spoilt: Transaction | None = None  # by its content
        self._replied_at = -math.inf  # to a mail; the wire's clock
        self._forget_client()

    def _forget_client(self) -> None:
        """Forget all that the client said, as before its first command."""
        self._greeted = self._extended = False
        self._login.forget()
        self._start_over()

    @property
    def user(self) -> str:
        """Who has logged in."""
        user = self._login.user
        return user.name if user else ""

    @property
    def dismissible(self) -> bool:
        """At a stop, nothing is lost by a goodbye now.

        Not while mail data comes in, and for a second not after the reply to a mail,
        nor within a transaction after its latest command.
        """
        if self._wire.in_data:
            return False
        if self._mail is not None:
            return self._wire.silent_for() >= FOR_A_QUIT
        return self._wire.now() - self._replied_at >= FOR_A_QUIT

    async def converse(self) -> None:
        """Greet, and answer until one side has had enough.

        Raises what `Wire` raises.
        """
        await self._wire.reply(f"220 {self._service.hostname} ESMTP")
        try:
            while not self._closing:
                line = await self._wire.command(COMMAND_LENGTH, self._at_once)
                if self._wire.in_data:
                    await self._tell_of_mail(await self._take_mail())
                elif (reply := await self._next(line)) is not None:
                    await self._push(self._counted(reply), line)
        finally:
            self._close_account()
            self._start_over()
        await self._wire.flush()

    async def _next(self, line: bytes | None) -> Reply | None:
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            return refusal
        return replies.TOO_LONG if line is None else await self._answer(line)

    def _at_once(self, line: bytes) -> bool:
        """Answer what needs no waiting; False: the session has to go on.

        So a mail wakes its session when it is here, and not for each command.
        """
        verb, argument = taken_apart(line)
        reply: Reply | str | None
        match verb:
            case b"MAIL":
                reply = self._mail_from(argument)
            case b"RCPT":
                reply = self._rcpt(argument)
            case b"DATA":
                reply = self._data(argument)
            case b"EHLO":
                reply = self._ehlo()
            case b"HELO":
                reply = self._helo()
            case _:
                return False
        if reply is None or (isinstance(reply, Reply) and reply.code >= 400):
            self._refusal = reply  # which may end the session; None: not known yet
            return False
        self._wire.say(str(reply))
        return True

    async def _tell_of_mail(self, reply: Reply) -> None:
        """Tell what became of a mail, in its own words however many were refused.

        A client that sees the end of one, by SES' hand or the disk's, is no lost one.
        """
        if reply.own:
            self._counted(reply)
        elif reply.code < 400 or reply.code >= 500:
            self._refused = 0
        await self._push(reply)
        self._replied_at = self._wire.now()

    def _counted(self, reply: Reply) -> Reply:
        """The reply to a command, or the last one where too many were refused."""
        if reply.code < 500 or reply == GUARDED or replies.suppresses(reply):
            return reply  # staging's clients, and those of newsletters, know no better
        self._refused += 1
        return replies.TOO_MANY_REFUSED if self._refused > REFUSED_COMMANDS else reply

    async def _push(self, reply: Reply, line: bytes | None = None) -> None:
        if reply.code >= 400:
            self._refusals.tell(reply, line, self._mail or self._spoilt, self.user)
            self._spoilt = None
            if reply.code == 421:
                self._closing = True
                await self._wire.drop_unread()  # a reset would take the reply with it
        await self._wire.reply(str(reply))

    async def _answer(self, line: bytes) -> Reply | None:
        """Carry one command out; None when it has answered for itself."""
        verb, argument = taken_apart(line)
        match verb:
            case b"RCPT":
                return await self._look_and_rcpt(argument)
            case b"RSET" | b"QUIT" if argument:
                return replies.NO_ARGUMENT
            case b"RSET":
                self._start_over()
                return replies.OK
            case b"NOOP" | b"":  # who ends a line twice, as small devices do
                return replies.OK
            case b"QUIT":
                self._closing = True
                return replies.BYE
            case b"VRFY":
                return replies.CANNOT_VERIFY if argument else replies.BAD_PARAMETER
            case b"HELP":
                return Reply(214, "0.0", "EHLO HELO MAIL RCPT DATA RSET NOOP VRFY QUIT")
            case b"AUTH":
                return await self._login.answer(
                    argument, greeted=self._greeted, in_mail=self._mail is not None
                )
            case b"STARTTLS":
                return await self._starttls(argument)
            case b"EXPN" | b"TURN" | b"ETRN" | b"BDAT":
                return replies.NOT_OFFERED
        if _HTTP.match(line):
            return replies.NOT_HTTP
        return replies.UNKNOWN

    def _ehlo(self) -> str:
        # Without a name, too, as old devices say it: it is not used.
        self._start_over()
        self._greeted = self._extended = True
        return offers.reply(
            self._service, tls=bool(self._wire.tls), login=self._login.offered
        )

    def _helo(self) -> str:
        self._start_over()
        self._greeted, self._extended = True, False
        return f"250 {self._service.hostname}"

    async def _starttls(self, argument: str) -> Reply | None:
        context = self._service.starttls
        if self._wire.tls:
            return replies.TLS_IN_USE
        if context is None:
            return replies.NOT_OFFERED
        if argument:
            return replies.NO_ARGUMENT
        if not self._extended:
            return replies.EHLO_FIRST
        if self._mail is not None:
            return replies.NOT_IN_MAIL
        # RFC 3207 section 6 and CVE-2011-0411: what somebody slipped in behind
        # STARTTLS must not be taken as the client's own, under TLS.
        if dropped := await self._wire.drop_unread():
            self._log(logging.WARNING, "plaintext behind STARTTLS", bytes=dropped)
        await self._wire.reply(str(replies.READY_FOR_TLS))
        await self._wire.flush()
        await self._wire.start_tls(context(), seconds=HANDSHAKE_SECONDS)
        self._forget_client()  # RFC 3207 section 4.2
        return None

    def _start_over(self) -> None:
        if self._mail is not None:
            self._mail.close()
            self._mail = None

    def _mail_from(self, argument: str) -> Reply:
        """Answer MAIL; without HELO before it, too, as old devices say it."""
        if self._service.stopping.is_set():
            return SHUTTING_DOWN
        if self._service.require_tls and not self._wire.tls:
            return replies.TLS_FIRST
        if self._service.auth == "required" and not self._login.done:
            return replies.LOGIN_FIRST
        if self._mail is not None:
            return replies.NESTED_MAIL
        try:
            given = mail_and_rcpt.parse(argument, "FROM:")
            asked = mail_and_rcpt.of_mail(
                given.parameters,
                extended=self._extended,
                limit=self._service.limits.message_size,
                memory=self._service.doorkeeper.memory,
            )
            sender = mail_and_rcpt.sender(given.address)
        except mail_and_rcpt.Unfit as unfit:
            return unfit.reply
        if not self._login.holds(self._in_force()):
            return replies.LOGIN_AGAIN
        user = self._login.user
        if user is not None and not user.senders.allow(sender):
            return replies.NOT_YOUR_SENDER
        if not self._service.doorkeeper.lets_begin(
            self._peer, self.user, now=time.monotonic()
        ):
            return replies.TOO_OFTEN
        self._mail = Transaction(sender, asked, self._service.doorkeeper.memory)
        return replies.SENDER_OK

    def _rcpt(self, argument: str, *, looked: bool = False) -> Reply | None:
        """Answer RCPT; None: who gets no mail has to be `looked` up."""
        if self._mail is None:
            return replies.MAIL_FIRST
        service = self._in_force()
        try:
            recipient, asked = mail_and_rcpt.named(
                argument, extended=self._extended, guard=service.guard
            )
        except mail_and_rcpt.Unfit as unfit:
            return unfit.reply
        if not looked and service.may_be_suppressed(recipient):
            return None
        return self._mail.add(recipient, asked, limit=self._service.limits.recipients)

    async def _look_and_rcpt(self, argument: str) -> Reply | None:
        recipient, _ = mail_and_rcpt.named(
            argument, extended=self._extended, guard=None
        )
        refusal = await self._in_force().suppressed(recipient)
        return refusal or self._rcpt(argument, looked=True)

    def _data(self, argument: str) -> Reply | str:
        if argument:
            return replies.NO_ARGUMENT
        if self._mail is None:
            return replies.MAIL_FIRST
        if not len(self._mail):
            return replies.RCPT_FIRST
        memory = self._service.doorkeeper.memory
        if not memory.has_room(max(self._mail.asked.size, 1)):
            return NO_ROOM
        limits = self._service.limits
        self._account = Share(memory)
        self._wire.begin_data(
            self._account, size=limits.message_size, line_length=limits.line_length
        )
        return replies.START_DATA

    async def _take_mail(self) -> Reply:
        data = await self._wire.data()
        try:
            if data.refusal is not None:
                reply, self._spoilt = replace(data.refusal, own=True), self._mail
            else:
                # From here on all that becomes of it is of one set.
                service = self._in_force()
                if not self._login.holds(service):
                    return replies.LOGIN_AGAIN
                submission = self._submission(data.content, service)
                del data  # the mail may be made anew; nobody holds the old one then
                reply = await service.accept(submission, self._has_left)
        finally:
            self._close_account()
            self._start_over()
        return reply

    def _close_account(self) -> None:
        if self._account is not None:
            self._account.close()
            self._account = None

    def _submission(self, content: bytes, service: ListenerSettings) -> Submission:
        if self._mail is None:
            raise RuntimeError("mail data without a transaction")
        user = self._login.user
        return self._mail.submission(
            content,
            peer=self._peer,
            listener=service.name,
            usage=(user and user.usage) or service.usage,
            user=self.user,
        )
