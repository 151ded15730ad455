"""Spans of time as people write them: 90, 10m, 1h30m, 3d."""

from __future__ import annotations

import argparse
import re

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = r"(\d+(?:\.\d+)?)([smhdw])"


def seconds(text: str) -> float:
    """The seconds of `text`, for argparse; a number alone is seconds."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(f"(?:{_PART})+", text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time such as 90s, 10m, 2h, 3d"
        )
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))


def short(span: float) -> str:
    """At most four characters: the span in its largest unit, rounded down."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if span >= size:
            return f"{int(span // size)}{unit}"
    return f"{int(max(span, 0))}s"
