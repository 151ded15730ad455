"""Spans of time as people write them: 90s, 10m, 1h30m, 4d."""

from __future__ import annotations

import re

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = r"([0-9]{1,15}(?:\.[0-9]{1,15})?)([smhdw])"
_WHOLE = re.compile(f"(?:{_PART}){{1,5}}")
PATTERN = r"^([0-9]+(\.[0-9]+)?[smhdw])+$"  # for the JSON schema


def seconds(text: str) -> float:
    """The seconds of `text`. Raises ValueError."""
    if not _WHOLE.fullmatch(text):
        raise ValueError("is no time such as 90s, 10m, 2h, 3d")
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(_PART, text))
