"""Spans of time as people write them: 90, 10m, 1h30m, 3d."""

from __future__ import annotations

import argparse
import re


def seconds(text: str) -> float:
    """The seconds of `text`, for argparse; a number alone is seconds."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        return float(text)
    from relay.config import duration  # with pydantic, which takes its time

    try:
        return duration.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def short(span: float) -> str:
    """At most four characters: the span in its largest unit, rounded down."""
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if span >= size:
            return f"{int(span // size)}{unit}"
    return f"{int(max(span, 0))}s"
