"""What a client wrote in vain: taken, and yet not as it was meant."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Kind = Literal[
    "header_not_listed",
    "unknown_header",
    "variables_without_usage",
    "usage_misspelt",
    "leaf_missing",
]
KINDS: tuple[str, ...] = get_args(Kind)


class Slip(NamedTuple):
    """One of them; `text` names headers, usages and variables, never a value."""

    kind: Kind
    text: str
