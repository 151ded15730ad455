"""Which senders a user may name: patterns, compared without regard to case."""

from __future__ import annotations

import re
from collections.abc import Sequence


class Senders:
    """Patterns of allowed MAIL FROM; none allow all.

    `app@acme.example` is itself; `*` stands for any run of characters, as in
    `*@acme.example` and `*@*.acme.example`; `@acme.example` and `acme.example` are
    everything at that domain.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [_compiled(pattern) for pattern in patterns]

    def allow(self, sender: str) -> bool:
        """Tell whether `sender` is allowed; the null sender, "", always is.

        It names nobody, and reports and automatic answers must have it (RFC 5321
        section 4.5.5).
        """
        if not sender or not self._patterns:
            return True
        return any(pattern.fullmatch(sender) for pattern in self._patterns)


def _compiled(pattern: str) -> re.Pattern[str]:
    if pattern.startswith("@"):
        pattern = f"*{pattern}"
    glob = ".*".join(re.escape(piece) for piece in re.split(r"\*+", pattern))
    # A name without an @ is a domain; or the whole of a sender that has none.
    regex = glob if "@" in pattern else f"(?:.*@)?{glob}"
    return re.compile(regex, re.IGNORECASE | re.DOTALL | re.ASCII)
