"""A queue in memory, for tests: the seam's second implementation."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from relay.model.job import (
    Job,
    Queued,
    Replaced,
    Sending,
    Sent,
    Superseded,
)
from relay.model.job import claim as begun
from relay.model.job import confirm as confirmed
from relay.model.mail import Mail, Priority
from relay.model.note import Note
from relay.model.proof import Proof
from relay.queue import Claim, End, Figures, NotYet
from relay.queue.memory_notes import MemoryNotes
from relay.queue.turns import Turns


class MemoryQueue:
    """A `Queue` in a dictionary of jobs by their place in the line."""

    keeps_first = False

    def __init__(
        self, now: Callable[[], float] = time.time, accounts: Sequence[str] = ("",)
    ) -> None:
        self.now = now
        self._accounts = list(accounts)
        self.jobs: dict[int, Job] = {}
        self.notes = MemoryNotes(now=now)
        self._last = 0
        self._turns: dict[Sequence[int] | None, Turns] = {}
        self._changed: list[Callable[[], None]] = []

    def unix(self, at: float) -> float:
        """The Unix time of a moment of the clock."""
        return at

    def lane(self, account: str) -> int:
        known = self._accounts
        return known.index(account) if account in known else len(known)

    def _is_in(self, job: Job, lanes: Sequence[int] | None) -> bool:
        return lanes is None or self.lane(job.mail.options.account) in lanes

    def is_due(
        self, priority: Priority = Priority.LOW, lanes: Sequence[int] | None = None
    ) -> bool:
        return any(
            _due(job) <= self.now()
            and job.mail.choice.priority <= priority
            and self._is_in(job, lanes)
            for _, job in self._waiting()
        )

    def due_in(self, lanes: Sequence[int] | None = None) -> float | None:
        ends = [job.expires_at for _, job in self._waiting()]
        dues = [_due(job) for _, job in self._waiting() if self._is_in(job, lanes)]
        first = [*dues, *ends]
        return max(min(first) - self.now(), 0.0) if first else None

    def on_change(self, changed: Callable[[], None]) -> None:
        self._changed.append(changed)

    async def put(
        self, jobs: Sequence[Job], note: Note | None = None
    ) -> tuple[Sequence[Claim], list[Replaced]]:
        for job in jobs:
            if isinstance(job.state, Sent):
                raise ValueError("what SES took needs no place here")
        replaced = []
        for job in jobs:
            if job.mail.choice.supersedes:
                replaced += self._supersede(job.mail)
        claims = self._insert(jobs)
        if note is not None:
            self.notes.add(note)
        self._tell()
        return claims, replaced

    async def supersede(self, newer: Sequence[Job]) -> list[Replaced]:
        replaced = [older for job in newer for older in self._supersede(job.mail)]
        self._tell()
        return replaced

    async def claim(
        self,
        limit: int,
        *,
        size: int,
        lanes: Sequence[int] | None = None,
        unmarked: Collection[int] = (),
    ) -> Sequence[Claim]:
        now = self.now()
        turns = self._turns.setdefault(lanes, Turns())
        due = [
            (seq, job)
            for seq, job in self._waiting()
            if _due(job) <= now < job.expires_at
            and self._is_in(job, lanes)
            and not (_is_marked(job) and self._is_in(job, list(unmarked)))
        ]
        due.sort(key=lambda place: (place[1].began, place[0]))
        chosen: dict[int, Job] = {}
        while due and len(chosen) < limit:
            ranks = sorted({job.mail.choice.priority for _, job in due})
            rank = turns.take(ranks)
            place = next(p for p in due if p[1].mail.choice.priority is rank)
            seq, job = place
            taken = sum(len(other.mail.content) for other in chosen.values())
            if chosen and taken + len(job.mail.content) > size:
                break
            due.remove(place)
            chosen[seq] = job
        claims = []
        for seq, job in chosen.items():
            assert isinstance(job.state, Queued)
            self.jobs[seq] = job._replace(state=begun(job.state))
            claims.append(Claim(self.jobs[seq], seq))
        self._tell()
        return claims

    async def expired(self, limit: int) -> Sequence[Claim]:
        over = [
            Claim(job, seq)
            for seq, job in self._waiting()
            if job.expires_at <= self.now()
        ]
        return over[:limit]

    async def settle(
        self, claim: Claim, state: End, reports: Sequence[Job] = ()
    ) -> End | None:
        before = self.jobs.get(claim.token)
        if before is None or type(before.state) is not type(claim.job.state):
            return None
        came_to: End = state
        if isinstance(state, Queued) and self._is_voided(claim):
            came_to = Superseded(state.attempts, self.now(), state.maybe_sent)
        self.jobs[claim.token] = _ended(before._replace(state=came_to))
        self._insert(reports)
        self._tell()
        return came_to

    async def confirm(self, proof: Proof) -> Job | None:
        found = [
            (seq, job)
            for seq, job in self.jobs.items()
            if job.id == proof.mail_id and proof.is_of(job.mail.envelope.recipients)
        ]
        if len(found) != 1:
            return None
        seq, job = found[0]
        if isinstance(job.state, Sending):
            raise NotYet
        if not (isinstance(job.state, Queued) and job.state.maybe_sent):
            return None
        over = confirmed(job.state, proof.message_id, now=self.now())
        self.jobs[seq] = _ended(job._replace(state=over))
        self._tell()
        return job._replace(state=over)

    async def due_now(self, lanes: Sequence[int] | None = None) -> None:
        for seq, job in self._waiting():
            if not self._is_in(job, lanes):
                continue
            if (
                isinstance(job.state, Queued)
                and job.state.due > self.now() >= job.began
            ):
                state = replace(job.state, due=job.began)
                self.jobs[seq] = job._replace(state=state)
        self._tell()

    def holds(self, claim: Claim) -> bool:
        return True

    def figures(self) -> Figures:
        waiting = [job for _, job in self._waiting()]
        sending = [job for job in self.jobs.values() if isinstance(job.state, Sending)]
        begun = [job.began for job in waiting if job.began <= self.now()]
        oldest = min(begun, default=None)
        return Figures(len(waiting), len(sending), oldest)

    def _waiting(self) -> list[tuple[int, Job]]:
        return [
            (seq, job)
            for seq, job in self.jobs.items()
            if isinstance(job.state, Queued)
        ]

    def _insert(self, jobs: Sequence[Job]) -> list[Claim]:
        claims = []
        for job in jobs:
            self._last += 1
            self.jobs[self._last] = _ended(job)
            if isinstance(job.state, Sending):
                claims.append(Claim(job, self._last))
        return claims

    def _supersede(self, mail: Mail) -> list[Replaced]:
        replaced = []
        for seq, job in self._waiting():
            choice = job.mail.choice
            if not (choice.supersedes and _voids(job.mail) == _voids(mail)):
                continue
            assert isinstance(job.state, Queued)
            over = Superseded(job.state.attempts, self.now(), job.state.maybe_sent)
            self.jobs[seq] = _ended(job._replace(state=over))
            to = job.mail.envelope.recipients
            replaced.append(Replaced(job.id, job.number, choice.usage, to, over))
        return replaced

    def _is_voided(self, claim: Claim) -> bool:
        mail = claim.job.mail
        return mail.choice.supersedes and any(
            seq > claim.token
            and job.mail.choice.supersedes
            and _voids(job.mail) == _voids(mail)
            for seq, job in self.jobs.items()
        )

    def _tell(self) -> None:
        for changed in self._changed:
            changed()


def _due(job: Job) -> float:
    assert isinstance(job.state, Queued)
    return job.state.due


def _is_marked(job: Job) -> bool:
    assert isinstance(job.state, Queued)
    return job.state.maybe_sent


def _ended(job: Job) -> Job:
    """The job without its content, where nobody needs that any more."""
    if isinstance(job.state, Sent | Superseded):
        return job._replace(mail=replace(job.mail, content=b""))
    return job


def _voids(mail: Mail) -> tuple[str, list[str]]:
    split = [address.rpartition("@") for address in mail.envelope.recipients]
    return mail.choice.usage, sorted(f"{to}@{at.lower()}" for to, _, at in split)
