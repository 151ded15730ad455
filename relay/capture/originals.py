"""What clients wrote, of mails that a template made anew: to be seen side by side.

An observer, in memory; bounded in count and in bytes, the oldest make room.
"""

from __future__ import annotations

from collections import OrderedDict

from relay.model.guard import KEPT
from relay.model.submission import MailId
from relay.observe.events import Answered, Event


class Originals:
    """Keeps the newest; with `captures` those of all mail, else of what a guard keeps.

    One that alone is larger than `max_bytes` is not kept.
    """

    def __init__(
        self,
        *,
        captures: bool,
        max_count: int = 2_000,
        max_bytes: int = 10_000_000,
    ) -> None:
        self._captures = captures
        self._max_count, self._max_bytes = max_count, max_bytes
        self._kept: OrderedDict[MailId, bytes] = OrderedDict()
        self._bytes = 0

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Answered) or event.reply.code != 250:
            return
        content = event.submission.content  # none where the mail was asked for by HTTP
        made_anew = any(mail.choice.template for mail in event.mails)
        stays = self._captures or any(
            mail.options.account == KEPT for mail in event.mails
        )
        if not (content and made_anew and stays) or event.id in self._kept:
            return
        self._kept[event.id] = content
        self._bytes += len(content)
        while len(self._kept) > self._max_count or self._bytes > self._max_bytes:
            self._bytes -= len(self._kept.popitem(last=False)[1])

    def get(self, mail_id: str) -> bytes | None:
        """What the client wrote; None: it was this mail itself, or is not kept."""
        return self._kept.get(MailId(mail_id))

    def forget(self, mail_id: str) -> None:
        """Forget that of one mail."""
        self._bytes -= len(self._kept.pop(MailId(mail_id), b""))

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self._bytes = 0
