"""What a client hears (RFC 5321 section 4.2), and the refusal that carries it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from relay.model.slip import Slip

FaultKind = Literal[
    "relay",  # none of the mail's: it may be sent again as it is
    "spool",
    "header",
    "no_usage",
    "no_template",
    "not_given",
    "value",
    "template",
    "template_setting",
    "rule",
    "key",
    "no_queue",
    "too_much",
    "too_long",
    "loop",
    "not_understood",
    "encrypted",
    "guard",
    "no_from",
    "limit",
    "size",
    "often",
    "sender",
    "expired",
    "account",
    "suppressed",
]


class Fault(NamedTuple):
    """What is wrong where the relay itself refuses, for whoever looks at it later.

    `names` are those of headers, variables, usages and settings, never values. `at`:
    at this character of the header that is named first, from 1; 0: it is not known.
    """

    kind: FaultKind
    names: tuple[str, ...] = ()
    at: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply (RFC 5321 section 4.2) with its enhanced code (RFC 3463).

    The class digit lives in `code` alone, so the two codes cannot disagree. `own`: it
    is the relay's word about a mail, and SES was not asked; `fault` says why.
    """

    code: int
    detail: str  # "3.0": subject and detail, without the class digit
    text: str
    own: bool = field(default=False, compare=False, repr=False)
    fault: Fault | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        # One printable ASCII line: a CR or LF here would forge a second reply.
        if not (self.text.isascii() and self.text.isprintable()):
            raise ValueError(f"not a reply text: {self.text!r}")

    def __str__(self) -> str:
        return f"{self.code} {self.code // 100}.{self.detail} {self.text}"


class Refused(Exception):  # noqa: N818 - a statement about the mail, not an error
    """The client is told `reply` and nothing is kept; caught once, in `accept`.

    `rule` is the name of the mail's rule, where it has one; `slips` may
    say why it is refused.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = replace(reply, own=True)
        self.rule = ""
        self.slips: tuple[Slip, ...] = ()


def printable(text: str) -> str:
    """Make one line of printable ASCII of `text`, as a reply needs it."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)
