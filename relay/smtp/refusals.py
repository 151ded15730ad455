"""What is told of refused commands: in the log, and to who looks at mail."""

from __future__ import annotations

import logging
import re
import time

from relay.model.reply import Reply
from relay.model.submission import Envelope, Submission, new_id
from relay.smtp import replies
from relay.smtp.listener_settings import ListenerSettings
from relay.smtp.login import Log
from relay.smtp.transaction import Transaction
from relay.smtp.wire import taken_apart

MAX_ADDRESS = 320  # characters

_ADDRESS = re.compile(r"<([^<>]*)>")


class Refusals:
    """Tells of those of one session, each reply once: a client may go on for ever."""

    def __init__(self, service: ListenerSettings, *, peer: str, log: Log) -> None:
        self._service = service
        self._peer = peer
        self._log = log
        self._told: set[Reply] = set()

    def tell(
        self, reply: Reply, line: bytes | None, mail: Transaction | None, user: str
    ) -> None:
        """Tell of the reply to `line`, or to the content of `mail`."""
        logged = reply in replies.LOGGED or replies.suppresses(reply)
        if not logged or reply in self._told:
            return
        self._told.add(reply)
        self._log(logging.WARNING, "command refused", reply=str(reply))
        told = self._service.doorkeeper.told
        if told is None or reply.fault is None:  # nobody looks, or it is of no mail
            return
        submission = Submission(
            id=new_id(),
            envelope=_envelope(line, mail),
            content=b"",
            peer=self._peer,
            received_at=time.time(),
            listener=self._service.name,
            user=user,
        )
        told(submission, reply)


def _envelope(line: bytes | None, mail: Transaction | None) -> Envelope:
    """As it came together, with what the refused command adds."""
    known = Envelope(None, ()) if mail is None else mail.envelope().bare()
    verb, argument = taken_apart(line or b"")
    found = _ADDRESS.search(argument)
    if found is None:
        return known
    address = "".join(filter(str.isprintable, found[1]))[:MAX_ADDRESS]
    if verb == b"MAIL":
        return Envelope(address or None, ())
    if verb == b"RCPT":
        return Envelope(known.sender, (*known.recipients, address))
    return known
