"""How deep JSON is nested, whatever stands in its strings."""

from __future__ import annotations

import json

import pytest

from relay.ses.json_depth import MOST_DEPTH, is_shallow
from tests.worst_input import is_linear


@pytest.mark.parametrize(
    ("body", "shallow"),
    [
        (b"", True),
        (b"<html>" + b"[" * 1000, True),
        (b"[" * MOST_DEPTH + b"]" * MOST_DEPTH, True),
        (b"[" * (MOST_DEPTH + 1), False),
        (b' \r\n\t{"a":' * (MOST_DEPTH + 1), False),
        (b"[" + b"[]," * 1000 + b"[]]", True),
        (json.dumps({"message": "[" * 1000}).encode(), True),
        (json.dumps({"message": '\\"' + "{" * 1000}).encode(), True),
        (b'{"a": "' + b"[" * 1000, True),
        (b'{"a\\": [[": ' + b"[" * 1000, False),
    ],
    ids=lambda given: repr(given)[:40],
)
def test_only_what_nests_is_deep(body: bytes, shallow: bool) -> None:
    assert is_shallow(body) is shallow


@pytest.mark.parametrize(
    "piece", [b'"', b'"\\', b'\\"', b"[]", b'{"a":"', b'["\\""],'], ids=repr
)
def test_looking_takes_time_in_proportion(piece: bytes) -> None:
    start = b"[" * 40 + b"[]" * 40
    assert is_linear(is_shallow, lambda size: start + piece * (size // len(piece)))
