"""What is remembered of a refused mail's own words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.observe import kept

MAX_HEADERS = 50


class Asked(NamedTuple):
    """What may be shown of a mail that was refused."""

    usage: str = ""
    subject: str = ""
    # Values are "" where contents are not shown.
    headers: Sequence[tuple[str, str]] = ()

    def fields(self, refusal: Reply) -> tuple[tuple[str, str], ...]:
        """The first of its headers, and those that it is refused for."""
        named = refusal.fault.names if refusal.fault else ()
        wrong = {name.lower() for name in named}
        rest = self.headers[MAX_HEADERS:]
        late = [one for one in rest if one[0].lower() in wrong][:MAX_HEADERS]
        return tuple(
            (name[: kept.MAX_TEXT], value[: kept.MAX_TEXT])
            for name, value in (*self.headers[:MAX_HEADERS], *late)
        )


AskedOf = Callable[[Submission], Asked]
