"""Keeps mail from addresses that bounced or complained: at RCPT, after DATA, at a turn.

What can be told at once is told by hashes in memory; what they hit, the list itself is
asked about, so that neither a hash nor another relay's removal refuses anybody wrongly.
A list that cannot be asked refuses nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from relay import log
from relay.delivery.transport import Transport
from relay.model.guard import KEPT
from relay.model.mail import Mail, Prepared
from relay.model.outcome import Outcome, Rejected
from relay.model.reply import Refused, Reply
from relay.model.submission import Envelope, MailId
from relay.model.suppression import (
    REASONS,
    Fact,
    Hashes,
    Suppressed,
    compared,
    digest,
    facts,
)
from relay.observe.events import FedBack
from relay.queue import Unwritable
from relay.queue.suppression import Suppressions

TRIES_AGAIN = 5.0  # seconds, where the list could not be read


class Suppression:
    """Who gets no mail; a service that looks what others did to the list.

    Mail of the usages in `excepted` goes all the same. `refused` counts, by reason,
    the recipients whose mail did not go.
    """

    name = "suppression"

    def __init__(self, listed: Suppressions, *, unix: Callable[[], float]) -> None:
        self._listed = listed
        self._unix = unix
        self._hashes = Hashes()
        self.read = False  # the whole list, once
        self.refused: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self._excepted: frozenset[str] = frozenset()
        self._soft_bounces = 0
        self._keep_bounces = 0.0

    def take(
        self, *, excepted: Collection[str], soft_bounces: int, keep_bounces: float
    ) -> None:
        """Go on by other settings."""
        self._excepted = frozenset(excepted)
        self._soft_bounces = soft_bounces
        self._keep_bounces = keep_bounces

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._hashes.gone)

    # What is asked.

    def is_known(self, address: str) -> bool:
        """Tell, at once, whether `refusal` may have anything to say.

        Where usages are excepted it has not: a field of the mail may name one.
        """
        return not self._excepted and self._may_be(address)

    async def refusal(self, address: str) -> Reply | None:
        """What the client hears who names this recipient; None: mail may come."""
        entry = None if self._excepted else await self._entry(address)
        if entry is None:
            return None
        self.refused[entry.reason] += 1
        return entry.reply

    async def parted(self, prepared: Prepared) -> Prepared:
        """The same, those who get no mail apart. Raises Refused: nobody gets any.

        Their part is a mail of its own, which fails at its first attempt as if SES had
        refused it: it is reported, and nobody has to guess who got the mail.
        """
        if not self._hits(prepared.mails):
            return prepared
        going: list[Mail] = []
        held: list[Mail] = []
        why: list[Suppressed] = []
        for mail in prepared.mails:
            gone = {} if self._lets(mail) else await self._entries(mail)
            left = tuple(one for one in mail.envelope.recipients if one not in gone)
            if left:
                going.append(_to(mail, left) if gone else mail)
            if gone:
                held.append(_to(mail, tuple(gone)))
                why += gone.values()
        if going:
            return prepared._replace(mails=(*going, *held))
        self.refused.update(entry.reason for entry in why)
        raise Refused(why[0].reply)

    async def rejected(self, mail: Mail) -> Rejected | None:
        """The end of a mail all of whose recipients get none.

        One that goes to others as well goes to all: what it was taken for would be
        changed behind everybody's back.
        """
        if not self.asks(mail):
            return None
        recipients = mail.envelope.recipients
        entries = await self._entries(mail)
        if len(entries) < len(recipients):
            return None
        self.refused.update(entry.reason for entry in entries.values())
        return Rejected(entries[recipients[0]].reply)

    def asks(self, mail: Mail) -> bool:
        """Tell whether `rejected` has to look into the list."""
        return not self._lets(mail) and all(map(self._may_be, mail.envelope.recipients))

    def _lets(self, mail: Mail) -> bool:
        # What the guard keeps goes to nobody.
        return mail.choice.usage in self._excepted or mail.options.account == KEPT

    def _may_be(self, address: str) -> bool:
        gone = self._hashes.gone
        return bool(gone) and digest(compared(address)) in gone

    def _hits(self, mails: Sequence[Mail]) -> bool:
        if not self._hashes.gone:
            return False
        return any(
            self._may_be(address)
            for mail in mails
            for address in mail.envelope.recipients
        )

    async def _entries(self, mail: Mail) -> dict[str, Suppressed]:
        """The mail's recipients who get none."""
        found = {}
        for address in mail.envelope.recipients:
            if self._may_be(address) and (entry := await self._entry(address)):
                found[address] = entry
        return found

    async def _entry(self, address: str) -> Suppressed | None:
        key = compared(address)
        try:
            known = await self._listed.find(key)
        except Unwritable as error:
            # It protects a reputation; SES has a list of its own for the rest.
            log.line(logging.ERROR, "suppression not known", detail=str(error))
            return None
        entry = known.entry
        if entry is None or entry.is_over(self._unix(), self._keep_bounces):
            self._hashes.gone.discard(digest(key))
            return None
        return entry

    # What is learnt.

    async def keep(self, event: FedBack) -> None:
        """Take in what SES told of a mail; durable when this returns.

        Raises Unwritable, and it has to come again then.
        """
        feedback = event.feedback
        found = [one for one in facts(feedback) if self._matters(one)]
        if not found:
            return
        new = await self._listed.learn(
            found, soft_bounces=self._soft_bounces, hashes=self._hashes
        )
        for entry in new:
            log.line(
                logging.INFO,
                "suppressed",
                id=event.id or None,
                messageId=feedback.message_id,
                reason=entry.reason,
                detail=entry.detail or None,
            )

    def _matters(self, fact: Fact) -> bool:
        """A delivery counts where something is remembered that it ends."""
        if fact.kind != "delivery":
            return True
        number = digest(fact.address)
        return number in self._hashes.past or number in self._hashes.gone

    # The service.

    async def run(self, stopping: asyncio.Event) -> None:
        """Look what others did to the list, until told to stop."""
        while not stopping.is_set():
            wait = self._listed.looks_every
            try:
                await self._listed.look(self._hashes, keep_bounces=self._keep_bounces)
                if not self.read:
                    self.read = True
                    log.line(logging.INFO, "suppression read", entries=len(self))
            except Unwritable as error:
                level = logging.DEBUG if self.read else logging.ERROR
                log.line(level, "suppression not read", detail=str(error))
                wait = TRIES_AGAIN
            try:
                async with asyncio.timeout(wait):
                    await stopping.wait()
            except TimeoutError:
                pass


class SuppressedTransport:
    """Refuses mail whose recipients get none, whenever it would leave."""

    def __init__(self, inner: Transport, suppression: Suppression) -> None:
        self._inner = inner
        self._suppression = suppression

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Try once, unless nobody may get it."""
        rejected = await self._suppression.rejected(mail)
        return rejected or await self._inner.send(mail, mail_id)

    def at_hand(self, mail: Mail) -> bool:
        """Tell whether it would wait for SES' answer alone, and for no list."""
        return not self._suppression.asks(mail) and self._inner.at_hand(mail)


def _to(mail: Mail, recipients: tuple[str, ...]) -> Mail:
    dsn = mail.envelope.dsn.about(recipients)
    return replace(mail, envelope=Envelope(mail.envelope.sender, recipients, dsn))
