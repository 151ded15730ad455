"""Who is told, of what, and how it is reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Reach(Enum):
    """Which addresses may be connected to."""

    PUBLIC = "public"
    ANY = "any"
    LOOPBACK = "loopback"  # nothing leaves the machine


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint; `path` may be a secret, and is shown to nobody else.

    `words`: the events that it is told of. `addresses`: whether they name people.
    """

    name: str
    secure: bool
    host: str
    port: int
    authority: str
    path: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    words: frozenset[str]
    addresses: bool
    reach: Reach
