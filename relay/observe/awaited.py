"""An observer that keeps what a submission came to for whoever waits for that."""

from __future__ import annotations

from relay.model.submission import MailId
from relay.observe.events import Answered, Event, NotTaken


class Awaited:
    """Keeps what a few submissions came to, until it is taken."""

    def __init__(self) -> None:
        self._found: dict[MailId, Answered | NotTaken | None] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, Answered | NotTaken) and event.id in self._found:
            self._found[event.id] = event

    def __len__(self) -> int:
        return len(self._found)

    def expect(self, mail_id: MailId) -> None:
        """Remember what this submission comes to."""
        self._found[mail_id] = None

    def take(self, mail_id: MailId) -> Answered | NotTaken | None:
        """What it came to, None: nothing yet; it is forgotten with this."""
        return self._found.pop(mail_id, None)
