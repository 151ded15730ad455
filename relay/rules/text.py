"""A text that patterns are compared with, in the forms that they want."""

from __future__ import annotations

from functools import cached_property


class Text:
    """One decoded text: a subject, an address, a body."""

    def __init__(self, plain: str) -> None:
        self.plain = plain

    @cached_property
    def lower(self) -> str:
        """For globs, which know no case."""
        return self.plain.lower()

    @cached_property
    def utf8(self) -> bytes:
        """For expressions: RE2 sees bytes, and each search would make them anew."""
        return self.plain.encode("utf-8", "replace")
