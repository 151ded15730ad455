"""By which way a mail leaves: that of its account, or of the fallback.

Accounts with the same credentials and region have one gate; each has its own lane in
the queue, so that mail which cannot leave is in nobody's way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from relay.delivery.admission import Admission
from relay.delivery.transport import Transport
from relay.model.job import Job, Sending
from relay.model.mail import Mail
from relay.model.outcome import Accepted, Deferred, Outcome, Rejected, When
from relay.model.replies import no_account
from relay.model.submission import MailId


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """How one account's mail leaves; `lanes` are all that leave by its gate.

    `fallback` takes its mail where the gate is closed. `accepted_as` is how a client
    hears that the mail was taken.
    """

    account: str
    transport: Transport
    gate: Admission
    lane: int = 0
    lanes: tuple[int, ...] = (0,)
    fallback: Way | None = None
    accepted_as: str = "Ok"


class Turn(NamedTuple):
    """Whose mail may leave by `gate` now; `by` has the way for each lane.

    Of `guests`, whose own gate is closed, only mail that surely was not sent.
    """

    gate: Admission
    lanes: tuple[int, ...]
    guests: tuple[int, ...]
    by: Mapping[int, Way]


class Ways:
    """All ways; mail of an account that is none of theirs goes by `gone`."""

    def __init__(self, ways: Sequence[Way], gone: Way | None = None) -> None:
        self._by_account = {way.account: way for way in ways}
        self._gone = gone or replace(ways[0], transport=NoAccount())
        everybody = [*ways, *([gone] if gone else [])]
        self.gates = tuple({id(way.gate): way.gate for way in everybody}.values())
        self._guests = [way for way in ways if way.fallback is not None]
        self._usual = [self._turn(gate, everybody) for gate in self.gates]

    @staticmethod
    def _turn(gate: Admission, ways: Sequence[Way]) -> Turn:
        by = {way.lane: way for way in ways if way.gate is gate}
        return Turn(gate, tuple(by), (), by)

    def of(self, account: str) -> Way:
        """The way of this account's mail."""
        return self._by_account.get(account, self._gone)

    def turns(self) -> Sequence[Turn]:
        """Who may leave by which gate now."""
        guests = [
            (way.lane, other)
            for way in self._guests
            if (other := _other(way)) is not None
        ]
        if not guests:
            return self._usual
        return [self._with_guests(turn, guests) for turn in self._usual]

    @staticmethod
    def _with_guests(turn: Turn, guests: Sequence[tuple[int, Way]]) -> Turn:
        mine = {lane: way for lane, way in guests if way.gate is turn.gate}
        if not mine:
            return turn
        lanes = (*turn.lanes, *mine)
        return Turn(turn.gate, lanes, tuple(mine), {**turn.by, **mine})

    def opened_since(self, before: Ways) -> list[int]:
        """The lanes of accounts that had another gate, or none, by other settings."""
        return [
            way.lane
            for way in self._by_account.values()
            if before.of(way.account).gate is not way.gate
        ]

    def stop(self) -> None:
        """Begin nothing more."""
        for gate in self.gates:
            gate.stop()

    def waiting_for(self, gate: Admission) -> list[int]:
        """The lanes whose mail may go once `gate` opens again."""
        found = []
        for way in self._by_account.values():
            here: Way | None = way
            while here is not None and here.gate is not gate:
                here = here.fallback
            if here is not None:
                found.append(way.lane)
        return found


def _other(way: Way) -> Way | None:
    """Who takes the mail whose own gate is closed; None: it is not, or nobody does."""
    here: Way | None = way
    while here is not None and here.gate.closed:
        here = here.fallback
    return None if here is way else here


def may_go_elsewhere(job: Job, outcome: Outcome) -> bool:
    """Tell whether the fallback may take a mail: never one that may have been sent."""
    marked = isinstance(job.state, Sending) and job.state.maybe_sent
    return (
        isinstance(outcome, Deferred)
        and outcome.elsewhere
        and not (outcome.maybe_sent or marked)
    )


def by_fallback(outcome: Outcome) -> Outcome:
    """What an attempt by the fallback comes to: it takes a mail, and never refuses.

    Its identities and names are others: what it refuses, the mail's own account may
    take when it is back.
    """
    match outcome:
        case Accepted():
            return outcome
        case Rejected(reply, detail):
            return Deferred(reply, When.SLOWLY, alarm=True, detail=detail)
        case Deferred(tell=True):
            return replace(outcome, tell=False)
    return outcome


class NoAccount:
    """A transport for mail whose account the settings do not name any more."""

    async def send(self, mail: Mail, mail_id: MailId) -> Outcome:
        """Send nothing: who would send it may be the wrong one."""
        return Deferred(no_account(mail.options.account), When.SLOWLY, alarm=True)

    def at_hand(self, mail: Mail) -> bool:
        """No answer of SES is waited for at all."""
        return True
