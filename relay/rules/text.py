"""A text that patterns are compared with, in the forms that they want."""

from __future__ import annotations


class Text:
    """One decoded text: a subject, an address, a body. `lower` is for globs."""

    __slots__ = ("_utf8", "lower", "plain")

    def __init__(self, plain: str) -> None:
        self.plain = plain
        self.lower = plain.lower()
        self._utf8: bytes | None = None

    @property
    def utf8(self) -> bytes:
        """For expressions: RE2 sees bytes, and each search would make them anew."""
        if self._utf8 is None:
            self._utf8 = self.plain.encode("utf-8", "replace")
        return self._utf8
