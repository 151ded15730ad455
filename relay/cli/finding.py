"""One line of `relay check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, and for a problem its cure."""

    level: Literal["ok", "warning", "problem"]
    text: str
