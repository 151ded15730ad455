"""Whether an attempt may begin now: calls, memory, pace, pause, silence, the stop.

Every attempt goes through here, those of waiting clients and those of the worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import uniform

from relay.delivery.pace import Pace
from relay.model.outcome import Accepted, Deferred, Effect, Outcome

JITTER = 0.2
# Seconds between looks at an account that cannot be connected to, at most: a network
# that is back tells nobody.
LOOKS_FOR_WAY = 30.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """No attempt may begin now; `reason` is for the client, where there is one."""

    reason: str = ""


@dataclass(slots=True, eq=False)
class Slot:
    """One attempt that was let in, and has to `leave`."""

    size: int
    recipients: int
    began: float


@dataclass(slots=True)
class Load:
    """Bytes of content under way, by all gates together."""

    limit: int
    used: int = 0


class Admission:
    """Counts the attempts under way, and remembers what SES said last.

    At most `concurrency` attempts, within the memory of `load` (one always may).
    `looks` are the seconds between attempts while sending is paused; the last
    repeats. `has_fallback`: its mail has another way, so that an account that cannot
    be connected to is looked at now and then, too, and not asked for each mail.
    """

    def __init__(
        self,
        *,
        pace: Pace,
        concurrency: int,
        load: Load,
        silent_after: float,
        looks: Sequence[float],
        has_fallback: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pace = pace
        self.stopping = False
        # Whether who hears of ends has mail for the room that they leave. Of most it
        # has none, and each mail would pay for telling.
        self.awaited = True
        self._free = concurrency
        self._load = load
        self._silent_after = silent_after
        self._looks = looks
        self._has_fallback = has_fallback
        self._now = now
        self._under_way: dict[Slot, None] = {}
        self._answered_at = float("-inf")
        self._unanswered = ""  # what the latest attempt without an answer came to
        self._pause: str | None = None
        self._looked = 0
        self._look_at = 0.0
        self._looking = False
        self._changed: list[Callable[[], None]] = []
        self._resumed: list[Callable[[], None]] = []
        self._told: Sequence[Callable[[str], None]] = ()

    def take(
        self, *, silent_after: float, looks: Sequence[float], has_fallback: bool
    ) -> None:
        """Go on by other settings; what is under way and a pause stay."""
        self._silent_after = silent_after
        self._looks = looks
        self._has_fallback = has_fallback

    @property
    def closed(self) -> bool:
        """Whether sending is paused, and it is not time to look if it still is."""
        return self._pause is not None and (
            self._looking or self._now() < self._look_at
        )

    @property
    def paused(self) -> str:
        """Why all sending is paused, "" when it is not."""
        return self._pause or ""

    # For a client that waits.

    def admit(self, size: int, recipients: int) -> Slot | Refusal:
        """Begin an attempt, where SES is not silent and nothing else refuses one."""
        now = self._now()
        refusal = self._silence(now) or self._refusal(size, now)
        return refusal or self._enter(size, recipients, now)

    def silence(self) -> Refusal | None:
        """Tell whether SES is silent, and what is known of why."""
        return self._silence(self._now())

    def _silence(self, now: float) -> Refusal | None:
        if self._unanswered:
            return Refusal(self._unanswered)
        limit = now - self._silent_after
        for slot in self._under_way:
            if slot.began > limit:
                break  # they are in the order of their beginning
            if self._answered_at < slot.began + self._silent_after:
                return Refusal()
        return None

    def refusal(self, size: int) -> Refusal | None:
        """Tell why no attempt with `size` bytes may begin now; None: one may."""
        return self._refusal(size, self._now())

    def _refusal(self, size: int, now: float) -> Refusal | None:
        if self.stopping:
            return Refusal("shutting down")
        if self._pause is not None and self.closed:
            return Refusal(self.paused)
        load = self._load
        if self._free < 1 or (self._under_way and load.used + size > load.limit):
            return Refusal()
        if self.pace.ready_in(now) > 0:
            return Refusal()
        return None

    def enter(self, size: int, recipients: int) -> Slot:
        """Begin an attempt, whatever `refusal` says."""
        return self._enter(size, recipients, self._now())

    def _enter(self, size: int, recipients: int, now: float) -> Slot:
        slot = Slot(size, recipients, now)
        self._free -= 1
        self._load.used += size
        self._under_way[slot] = None
        self.pace.take(recipients, now)
        self._looking = self._looking or self._pause is not None
        return slot

    def leave(self, slot: Slot, outcome: Outcome | None) -> None:
        """End an attempt; None: none was made."""
        self._free += 1
        self._load.used -= slot.size
        del self._under_way[slot]
        if outcome is None:
            self.pace.give_back(slot.recipients)
            self._looking = False
        else:
            self._heed(slot, outcome)
        if self.awaited:
            self._tell(self._changed)

    def _heed(self, slot: Slot, outcome: Outcome) -> None:
        now = self._now()
        if isinstance(outcome, Accepted):
            self._unanswered = ""
            self._answered_at = now
            self.pace.accepted(slot.recipients)
            if self._pause is not None:
                self._go_on()
            return
        deferred = outcome if isinstance(outcome, Deferred) else None
        if deferred is not None and deferred.silent:
            if self._has_fallback and deferred.elsewhere:
                self._hold(deferred.reply.text, now, look_within=LOOKS_FOR_WAY)
                return
            self._unanswered = deferred.reply.text
            if self._pause is not None and self._looking:
                self._look_later(now)
            return
        self._unanswered = ""
        self._answered_at = now
        effect = Effect.NONE if deferred is None else deferred.effect
        if effect is Effect.SLOWER:
            self.pace.throttled(slot.began, now)
        if deferred is not None and effect is Effect.PAUSE:
            self._hold(deferred.reply.text, now)
        elif self._pause is not None:
            self._go_on()

    def _go_on(self) -> None:
        """End the pause: SES took mail, or said what it says to one mail alone."""
        self._pause, self._looking = None, False
        self._tell_pause()
        self._tell(self._resumed)

    def _hold(
        self, reason: str, now: float, *, look_within: float = float("inf")
    ) -> None:
        # Those under way when the pause began say the same; one look is one step.
        if self._pause is None:
            self._looked = 0
        if self._pause is None or self._looking:
            self._look_later(now, look_within)
        before, self._pause = self._pause, reason
        if before != reason:
            self._tell_pause()

    def _tell_pause(self) -> None:
        for told in self._told:
            told(self.paused)

    def _look_later(self, now: float, within: float = float("inf")) -> None:
        delay = min(self._looks[min(self._looked, len(self._looks) - 1)], within)
        self._looked += 1
        self._look_at = now + delay * uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        self._looking = False

    # For the worker.

    @property
    def busy(self) -> bool:
        """Whether an attempt is under way."""
        return bool(self._under_way)

    @property
    def free_bytes(self) -> int:
        """How much content may still come under way."""
        return max(self._load.limit - self._load.used, 0)

    def room(self, limit: int) -> int:
        """How many attempts may begin now, at most `limit`; their size is not known."""
        if self.refusal(0) is not None:
            return 0
        if self._under_way and not self.free_bytes:
            return 0
        if self._pause is not None:
            return 1
        return min(self._free, limit, self.pace.room(self._now()))

    def correct(self, slot: Slot, size: int, recipients: int) -> None:
        """Say of an attempt that entered how large it is."""
        self._load.used += size - slot.size
        self.pace.take(recipients - slot.recipients, self._now())
        slot.size, slot.recipients = size, recipients

    def opens_in(self) -> float | None:
        """Seconds until an attempt may begin; None: one under way has to end first."""
        now = self._now()
        if self.stopping or self._free < 1 or self._looking:
            return None
        if self._pause is not None:
            return max(self._look_at - now, 0.0)
        return self.pace.ready_in(now) or None

    def on_change(self, changed: Callable[[], None]) -> None:
        """Have `changed` called when an `awaited` attempt ends, and at the stop."""
        self._changed.append(changed)

    def on_pause(self, *told: Callable[[str], None]) -> None:
        """Have these called with the reason of a pause that begins, "" at its end.

        None others any more.
        """
        self._told = told

    def on_resume(self, resumed: Callable[[], None]) -> None:
        """Have `resumed` called when a pause ends."""
        self._resumed.append(resumed)

    def stop(self) -> None:
        """Begin nothing more."""
        self.stopping = True
        self._tell(self._changed)

    @staticmethod
    def _tell(listeners: Sequence[Callable[[], None]]) -> None:
        for listener in listeners:
            listener()
