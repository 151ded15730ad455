"""The JSON body of a SendEmail call, made around the content as bytes.

The SDK makes a str of the content's base64, and a longer one of the whole body,
before it makes bytes again. A mail here is never a str, and a large one never whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pybase64 import b64encode

_BEFORE = b'{"Content": {"Raw": {"Data": "'
# A multiple of 3, so that base64 of the pieces is base64 of the whole. Hashing or
# encrypting a piece holds the loop for 0.2 ms (measured).
_PIECE = 3 << 16


def parts(content: bytes, parameters: Mapping[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Make the body at once: what stands before the content, the content, the rest."""
    return _BEFORE, b64encode(content), _after(parameters)


def pieces(content: bytes, parameters: Mapping[str, Any]) -> Iterator[bytes]:
    """Make the same body piece by piece."""
    yield _BEFORE
    view = memoryview(content)
    for start in range(0, len(view), _PIECE):
        yield b64encode(view[start : start + _PIECE])
    yield _after(parameters)


def _after(parameters: Mapping[str, Any]) -> bytes:
    rest = json.dumps(parameters)
    # ASCII alone, the rest escaped, as the SDK does it.
    return f'"}}}}, {rest[1:]}'.encode("ascii") if parameters else b'"}}}'
