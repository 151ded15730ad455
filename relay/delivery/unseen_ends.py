"""Ends the tries of mail that SES took, as its events say, and no answer did.

An event may be sooner than the end that nobody sees: it is remembered for as long as
an attempt may take, and found when the mail begins to wait. What is in doubt waits on.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from relay import log
from relay.model.job import Queued, Sent
from relay.model.proof import Proof, proof_of
from relay.model.submission import MailId
from relay.model.suppression import compared
from relay.observe.events import Event, Events, FedBack, Settled
from relay.queue import NotYet, Queue, Unwritable

REMEMBERED = 20_000  # recipients, and one more for each call: in some 7 MB
REMEMBERED_FOR = 900.0  # seconds since SES took the mail
MOST_OF_ONE = 100  # proofs of one mail, which are as many calls


class UnseenEnds:
    """Has the queue end what an event proves to be sent, and tells of it.

    `mail_of` gives the mail by SES' id where its answer was seen, `redirected_to` to
    whom a guard redirects mail, "" for nobody. An observer, for what begins to wait.
    """

    def __init__(
        self,
        queue: Queue,
        events: Events,
        *,
        mail_of: Callable[[str], MailId | None],
        redirected_to: Callable[[], str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._queue = queue
        self._events = events
        self._mail_of = mail_of
        self._redirected_to = redirected_to
        self._now = now
        # By mail, the oldest first; when each was remembered.
        self._recent: OrderedDict[MailId, tuple[float, list[Proof]]] = OrderedDict()
        self._size = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def keep(self, event: FedBack) -> None:
        """Take in what SES told of a mail; what it ends has ended when this returns.

        Raises NotYet: it has to come again.
        """
        told = event.feedback
        proof = proof_of(told.mail_id, told)
        if proof is None or self._mail_of(proof.message_id) is not None:
            return
        # A guard may make two calls to one address of one mail, and nobody can tell
        # them apart.
        if compared(self._redirected_to()) in proof.to:
            return
        accepted_at = told.accepted_at
        if accepted_at is None or self._now() - accepted_at < REMEMBERED_FOR:
            # Before the look: the mail may begin to wait while it is looked for.
            self._remember(proof)
        try:
            await self._end(proof)
        except Unwritable as error:
            raise NotYet(str(error)) from error

    def __call__(self, event: Event) -> None:
        match event:
            case Settled(job=job, state=Queued(maybe_sent=True)):
                _, proofs = self._recent.get(job.id, (0.0, ()))
                for proof in proofs:
                    if proof.is_of(job.mail.envelope.recipients):
                        task = asyncio.create_task(self._end_beside(proof))
                        self._tasks.add(task)
                        task.add_done_callback(self._tasks.discard)

    async def drained(self) -> None:
        """Wait until what has begun is written."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _end(self, proof: Proof) -> None:
        job = await self._queue.confirm(proof)
        if job is not None and isinstance(job.state, Sent):
            self._events.emit(Settled(job, job.state, None))

    async def _end_beside(self, proof: Proof) -> None:
        try:
            await self._end(proof)
        except (Unwritable, NotYet):
            pass  # it is remembered still, and looked for after the next attempt
        except Exception as error:  # noqa: BLE001 - the mail is tried again, no worse
            log.broken("unseen end not found", error, id=proof.mail_id)

    def _remember(self, proof: Proof) -> None:
        now, recent = self._now(), self._recent
        _, proofs = recent.setdefault(proof.mail_id, (now, []))
        if proof not in proofs and len(proofs) < MOST_OF_ONE:
            proofs.append(proof)
            self._size += _size(proof)
        while recent:
            mail_id, (since, old) = next(iter(recent.items()))
            if self._size <= REMEMBERED and now - since < REMEMBERED_FOR:
                break
            del recent[mail_id]
            self._size -= sum(map(_size, old))


def _size(proof: Proof) -> int:
    return 1 + len(proof.to)
