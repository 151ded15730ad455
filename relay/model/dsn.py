"""What a client asked of the reports about its mail (RFC 3461)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dsn:
    """Nothing asked: each failure is reported, with the header of what failed.

    `envelope_id` is ENVID, decoded; `whole`: the mail itself is to come back, not
    its header alone. `unreported` are recipients whose failure the sender does not
    want to hear of; `originals` has whom the sender meant by a recipient, as ORCPT
    says it: "rfc822;ann@example.com".
    """

    envelope_id: str = ""
    whole: bool = False
    unreported: tuple[str, ...] = ()
    originals: tuple[tuple[str, str], ...] = ()

    def about(self, recipients: Collection[str]) -> Dsn:
        """The part of it that is about these recipients."""
        if not self.unreported and not self.originals:
            return self
        some = frozenset(recipients)
        return Dsn(
            self.envelope_id,
            self.whole,
            tuple(one for one in self.unreported if one in some),
            tuple(pair for pair in self.originals if pair[0] in some),
        )


NOTHING_ASKED = Dsn()
