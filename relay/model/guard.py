"""Who may get mail at all, as in staging, and what becomes of mail to all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

# The account of mail that the page's inbox keeps; no account of the settings can be
# called so.
KEPT = ":guard"


@dataclass(frozen=True, slots=True)
class Guard:
    """`lets` tells who may get mail; mail to others goes where `others` says.

    `redirect_to` gets it instead, and may get mail itself.
    """

    lets: Callable[[str], bool]
    others: Literal["reject", "redirect", "capture"] = "reject"
    redirect_to: str = ""

    def allows(self, recipient: str) -> bool:
        """Tell whether mail may go to `recipient`."""
        return recipient == self.redirect_to or self.lets(recipient)

    def takes(self, recipient: str) -> bool:
        """Tell whether a client may name `recipient` at all."""
        return self.others != "reject" or self.allows(recipient)

    def parted(
        self, recipients: Sequence[str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those who may get mail, and all others."""
        allowed = tuple(filter(self.allows, recipients))
        if len(allowed) == len(recipients):
            return allowed, ()
        return allowed, tuple(one for one in recipients if not self.allows(one))
