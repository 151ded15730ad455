"""Which senders a user may name: patterns, compared without regard to case."""

from __future__ import annotations

from collections.abc import Sequence

from relay.content.glob import in_order


class Senders:
    """Patterns of allowed MAIL FROM; none allow all.

    `app@acme.example` is itself; `*` stands for any run of characters, as in
    `*@acme.example` and `*@*.acme.example`; `@acme.example` and `acme.example` are
    everything at that domain.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [pattern.lower() for pattern in patterns]

    def allow(self, sender: str) -> bool:
        """Tell whether `sender` is allowed; the null sender, "", always is.

        It names nobody, and reports and automatic answers must have it (RFC 5321
        section 4.5.5).
        """
        if not sender or not self._patterns:
            return True
        sender = sender.lower()
        return any(_allows(pattern, sender) for pattern in self._patterns)


def _allows(pattern: str, sender: str) -> bool:
    if "@" not in pattern:
        # A domain; or the whole of a sender that has none.
        return _like(pattern, sender.rpartition("@")[2])
    return _like(f"*{pattern}" if pattern.startswith("@") else pattern, sender)


def _like(pattern: str, text: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    return in_order(text, first, middle, last)
