"""JSON that strangers wrote, as templates can take it; nothing else is read of it."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_JSON_DEPTH = 100  # Python's own limit is another with each version

_SURROGATE = re.compile(r"\\u[Dd][89A-Fa-f]")
_LONE = re.compile("[\ud800-\udfff]")
_MAX_DIGITS = 4000  # Python turns no longer text into an int, nor back


def json_value(text: str) -> Any:  # noqa: ANN401 - JSON is anything
    """What JSON says, as templates can take it. Raises ValueError, RecursionError."""
    text = text.strip(" \t\r\n")
    value, end = _JSON.raw_decode(text)
    if end < len(text):
        at = len(text) - len(text[end:].lstrip(" \t\r\n"))
        raise json.JSONDecodeError("more than one value", text, at)
    # So many brackets are rare, and most of them stand side by side.
    if (
        text.count("{") + text.count("[") > MAX_JSON_DEPTH
        and _depth(value) > MAX_JSON_DEPTH
    ):
        raise RecursionError("nested too deeply")
    if "\\u" in text and _SURROGATE.search(text):
        # Half of a pair is no character, and no encoding takes it. Seen as text:
        # what json.dumps writes for it is the escape again.
        value = json.loads(
            _LONE.sub("\ufffd", json.dumps(value, ensure_ascii=False)),
            parse_int=_whole,
        )
    return value


def _depth(value: object) -> int:
    """How many lists and objects are inside each other, at most."""
    depth = 0
    level = [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return depth


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("larger than any number")
    return value


def _no_constant(name: str) -> Any:  # noqa: ANN401 - it returns nothing, ever
    raise ValueError(f"{name} is not JSON")


# Made once: json.loads would make such a decoder for each text.
_JSON = json.JSONDecoder(
    parse_constant=_no_constant, parse_int=_whole, parse_float=_finite
)
