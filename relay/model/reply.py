"""What a client hears (RFC 5321 section 4.2), and the refusal that carries it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply (RFC 5321 section 4.2) with its enhanced code (RFC 3463).

    The class digit lives in `code` alone, so the two codes cannot disagree. `own`: it
    is the relay's word about a mail, and SES was not asked.
    """

    code: int
    detail: str  # "3.0": subject and detail, without the class digit
    text: str
    own: bool = field(default=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # One printable ASCII line: a CR or LF here would forge a second reply.
        if not (self.text.isascii() and self.text.isprintable()):
            raise ValueError(f"not a reply text: {self.text!r}")

    def __str__(self) -> str:
        return f"{self.code} {self.code // 100}.{self.detail} {self.text}"


class Refused(Exception):  # noqa: N818 - a statement about the mail, not an error
    """The client is told `reply` and nothing is kept; caught once, in `accept`.

    `rule` is the name of the mail's rule, where it has one.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = replace(reply, own=True)
        self.rule = ""


def printable(text: str) -> str:
    """Make one line of printable ASCII of `text`, as a reply needs it."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)
