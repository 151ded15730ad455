"""The seam to what keeps mail until SES has taken it, and the words it uses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from relay.model.hook import Hook, Later
from relay.model.job import (
    Failed,
    Job,
    Queued,
    Replaced,
    Sent,
    Superseded,
)
from relay.model.mail import Priority
from relay.model.note import Key, Limit, Note
from relay.model.proof import Proof
from relay.model.submission import MailId

if TYPE_CHECKING:  # its module imports this one
    from relay.queue.suppression import Suppressions

# How an attempt ended.
End = Queued | Sent | Failed | Superseded


class Unwritable(Exception):  # noqa: N818 - a statement about the queue
    """Nothing can be kept at present, because of `cause`; the text is for the log."""

    def __init__(self, text: str, cause: Exception) -> None:
        super().__init__(text)
        self.cause = cause


class NotYet(Exception):  # noqa: N818 - a statement about what was asked
    """An attempt is under way, or the queue away: to be asked again in a while.

    The text says what is wrong, for the log; empty: nothing is.
    """


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that its holder may attempt or end, and the store's token for it.

    `job` is as it was then. Nobody else gets one that is `Sending` before it is
    settled; if it never is, it waits again after the next start, as mail that may
    have been sent.
    """

    job: Job
    token: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What is in the queue; `oldest` is when the oldest waiting mail came.

    Mail that is to be sent later is no old mail before then. `oldest`, and all that
    others do to the store, may be some seconds behind.
    """

    waiting: int
    sending: int
    oldest: float | None = None


class Notes(Protocol):
    """Remembers of mail that was taken what its sender or its limit asks for."""

    async def note(self, note: Note) -> None:
        """Remember it; durable when this returns, where there is a spool.

        Raises nothing: what cannot be written is kept in memory, known, and written
        when it can be.
        """

    async def recall(self, key: Key) -> Note | None:
        """What came of the first submission with this key, whatever it stood for.

        None: there was none, or it was long ago. Raises Unwritable where that cannot
        be known.
        """

    async def free(self, key: Key) -> None:
        """Nothing came of the submission that asked for the key. Raises nothing."""

    async def passed(self, limit: Limit) -> list[set[MailId]]:
        """Of each address the mails that were counted within the limit's seconds.

        At most as many as the limit's number are told. Raises nothing: what cannot be
        read has not passed.
        """


class Queue(Protocol):
    """Keeps jobs; every method is safe for concurrent calls.

    Methods that are not `async` wait for nothing and raise nothing. The others raise
    Unwritable where they say so, and nothing else that can be expected; what such a
    call was to do is not done. One that is cancelled may have been done nevertheless.
    """

    @property
    def keeps_first(self) -> bool:
        """Whether mail of several calls is put before the first of them is attempted.

        So it is where a put may fail that comes after.
        """

    def now(self) -> float:
        """Seconds of the queue's clock, which no change of the system's clock moves."""

    def unix(self, at: float) -> float:
        """The Unix time of a moment of that clock."""

    # The mail of each account waits in a lane of its own, since one account may send
    # while another may not. `lanes` are those that are meant; None: all.

    def lane(self, account: str) -> int:
        """The lane of an account's mail; the last: no account that it knows."""

    def is_due(
        self, priority: Priority = Priority.LOW, lanes: Sequence[int] | None = None
    ) -> bool:
        """Tell whether mail of this or a higher priority waits that is due.

        It may be at its end as well.
        """

    def due_in(self, lanes: Sequence[int] | None = None) -> float | None:
        """Seconds until the next mail is due or at its end; None: none waits.

        The ends are those of all lanes.
        """

    def on_change(self, changed: Callable[[], None]) -> None:
        """Have `changed` called whenever `due_in` may have become shorter.

        It is called on the event loop, before the method that changed it returns, and
        without need, too; it must neither wait nor raise.
        """

    async def put(
        self, jobs: Sequence[Job], note: Note | None = None
    ) -> tuple[Sequence[Claim], list[Replaced]]:
        """Keep all of them and the note, or none; durable when this returns.

        Gives claims of those put as `Sending`, in their order, and the older waiting
        mail that they superseded. Raises Unwritable, and ValueError for a job that is
        `Sent`, which nobody needs to keep.
        """

    async def supersede(self, newer: Sequence[Job]) -> list[Replaced]:
        """End the waiting mail whose place these take, which SES has.

        They themselves are not kept. Raises Unwritable.
        """

    async def claim(
        self,
        limit: int,
        *,
        size: int,
        lanes: Sequence[int] | None = None,
        unmarked: Collection[int] = (),
    ) -> Sequence[Claim]:
        """Begin attempts on due mail, at most `limit`: by priority, then by age.

        In lanes of `unmarked`, mail that may have been sent stays where it is.

        High mail has at most 9 of 10 turns while other mail is due, normal mail at
        most 9 of 10 of the rest while low mail is. Each counts as an attempt, and
        nobody else gets that job until it is settled. Mail whose end has come is left
        for `expired`. Their contents together are at most `size` bytes, but for the
        first. Raises Unwritable.
        """

    async def expired(self, limit: int) -> Sequence[Claim]:
        """Waiting mail whose end has come; still `Queued`, for `settle` to fail.

        At most `limit`, and fewer where their contents are large. Nothing is changed:
        who asks again before they are settled gets them again. Raises Unwritable.
        """

    async def settle(
        self, claim: Claim, state: End, reports: Sequence[Job] = ()
    ) -> End | None:
        """Record how the attempt ended; durable when this returns, with one exception.

        Reports enter in the same step. Gives the state that it came to: what would
        wait may be superseded by now. None: the job's attempt has ended already, or it
        was dropped; it stays as it is, and no report enters. A content that no call of
        its submission needs any more goes, but for that of failed mail.

        Never raises Unwritable: an end that cannot be written is kept in memory, and
        written when it can be; until then nobody gets that job again.
        """

    def holds(self, claim: Claim) -> bool:
        """Tell whether an attempt on it may still begin, and end before others may.

        On a machine that slept since the claim it may not.
        """

    async def confirm(self, proof: Proof) -> Job | None:
        """End the waiting call that SES proves to have taken, and give it as `Sent`.

        Durable when this returns, and with its content. Only one of which an attempt's
        end was not seen; None: there is none, or no telling which it is. Raises NotYet
        while an attempt on it is under way, whose job stays as it is, and Unwritable.
        Where it was claimed first, its end may be kept in memory, as by `settle`.
        """

    async def due_now(self, lanes: Sequence[int] | None = None) -> None:
        """Make all waiting mail of these lanes due, the oldest first.

        Raises Unwritable.

        But for mail that is to be sent later, which waits on. It may be done in steps,
        of which those before the failure stay.
        """

    def figures(self) -> Figures:
        """How much is in the queue, without a look at the disk."""


class HookStore(Protocol):
    """What keeps events until endpoints were told; `lasts`: longer than the process."""

    lasts: bool

    def now(self) -> float:
        """Seconds of its clock."""

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many there are, by endpoint."""

    def serve(self, endpoints: Collection[str], on_come: Callable[[], None]) -> None:
        """Which endpoints there are from now on.

        `on_come` is called when something for them came from elsewhere, as from a
        relay that is gone; what is for others is not taken from there.
        """

    async def open(self) -> None:
        """Look what is there from before. Raises Unwritable."""

    async def keep(
        self,
        new: Sequence[Hook],
        *,
        ended: Collection[Hook] = (),
        later: Collection[Later] = (),
    ) -> Mapping[str, int]:
        """Keep what is new, forget what ended, put off what failed; all or nothing.

        Gives how many had to go for want of room, by endpoint. Raises Unwritable.
        """

    async def first(self, endpoint: str, limit: int) -> Sequence[Hook]:
        """Those of an endpoint that come first, due or not. Raises Unwritable."""

    async def expire(self, before: float) -> int:
        """Forget what came before a moment; give how many. Raises Unwritable."""

    async def leave(self, endpoint: str) -> int:
        """Forget what is of an endpoint; give how many. Raises Unwritable."""


class Spool(Queue, Protocol):
    """A queue as a relay has it: with notes, with a service, by settings that change.

    `unready` is what a probe hears where mail cannot be kept.
    """

    name: str
    unready: str

    @property
    def notes(self) -> Notes:
        """What remembers mail that was taken."""

    @property
    def hooks(self) -> HookStore:
        """Where webhooks are kept until they were told."""

    @property
    def suppressions(self) -> Suppressions:
        """What remembers who gets no mail."""

    def take(
        self,
        *,
        accounts: Sequence[str],
        attempt_timeout: float,
        keep_sent: float,
        keep_failed: float,
        keep_keys: float,
    ) -> None:
        """Go on by other settings; `attempt_timeout` is the longest of any account."""

    def on_room(self, room: Callable[[int], int]) -> None:
        """Have `room` asked how many attempts, of so many at most, could begin now.

        Who takes mail from others takes no more than that.
        """

    def on_overtaken(self, told: Callable[[Replaced, MailId], None]) -> None:
        """Have `told` called of mail that is found superseded, and by which mail.

        What `put` and `supersede` tell of is not told again.
        """

    async def check(self) -> None:
        """Raise Unwritable where mail cannot be kept now."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep it in order until told to stop."""
