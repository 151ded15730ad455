"""One mail from MAIL to its reply: its envelope, as it comes together."""

from __future__ import annotations

import time

from relay.model.dsn import NOTHING_ASKED, Dsn
from relay.model.replies import NO_ROOM
from relay.model.reply import Reply
from relay.model.submission import Envelope, Submission, new_id
from relay.smtp import replies
from relay.smtp.mail_and_rcpt import OfMail, OfRcpt
from relay.smtp.memory import Memory, Share

# More recipients than these count against the memory for mail, for what one takes
# beside its letters: who names thousands on each connection holds much by names alone.
UNCOUNTED, BESIDE = 50, 300


class Transaction:
    """The envelope of one mail; `sender` is "" for the null sender."""

    __slots__ = (
        "_memory",
        "_named",
        "_originals",
        "_share",
        "_unreported",
        "asked",
        "sender",
    )

    def __init__(self, sender: str, asked: OfMail, memory: Memory) -> None:
        self.sender = sender
        self.asked = asked
        self._named: dict[str, str] = {}  # with the domain in lower case -> as named
        self._memory = memory
        # Most mails have none of these, and each mail would pay for them.
        self._unreported: set[str] | None = None
        self._originals: dict[str, str] | None = None
        self._share: Share | None = None

    def __len__(self) -> int:
        """How many recipients there are."""
        return len(self._named)

    def add(self, recipient: str, asked: OfRcpt | None, *, limit: int) -> Reply:
        """Enter one more recipient, and tell what its client hears.

        One that is there already counts once, and is reported where it was asked once.
        """
        local, _, domain = recipient.rpartition("@")
        key = f"{local}@{domain.lower()}"
        named = self._named.get(key)
        if named is None:
            if len(self._named) >= limit:
                return replies.TOO_MANY_RECIPIENTS
            if len(self._named) >= UNCOUNTED and not self._has_room(recipient, asked):
                return NO_ROOM
            self._named[key] = recipient
            if asked is not None:
                self._report(recipient, asked)
        elif self._unreported and (asked is None or asked.failure):
            self._unreported.discard(named)
        return replies.RECIPIENT_OK

    def _report(self, recipient: str, asked: OfRcpt) -> None:
        if not asked.failure:
            if self._unreported is None:
                self._unreported = set()
            self._unreported.add(recipient)
        if asked.original:
            if self._originals is None:
                self._originals = {}
            self._originals[recipient] = asked.original

    def _has_room(self, recipient: str, asked: OfRcpt | None) -> bool:
        letters = 2 * len(recipient) + (len(asked.original) if asked else 0)
        if self._share is None:
            self._share = Share(self._memory)
        return self._share.take(letters + BESIDE)

    def submission(
        self, content: bytes, *, peer: str, listener: str, usage: str, user: str
    ) -> Submission:
        """The whole of what the client hands over, now that the content is here."""
        return Submission(
            id=new_id(),
            envelope=self.envelope(),
            content=content,
            peer=peer,
            received_at=time.time(),
            listener=listener,
            usage=usage,
            user=user,
        )

    def envelope(self) -> Envelope:
        """The envelope as it stands."""
        dsn = NOTHING_ASKED
        asked = self.asked
        if self._unreported or self._originals or asked.envelope_id or asked.whole:
            unreported = self._unreported or ()
            dsn = Dsn(
                asked.envelope_id,
                asked.whole,
                tuple(one for one in self._named.values() if one in unreported),
                tuple((self._originals or {}).items()),
            )
        return Envelope(self.sender or None, tuple(self._named.values()), dsn)

    def close(self) -> None:
        """Give back what its recipients took of the memory."""
        if self._share is not None:
            self._share.close()
