"""New header fields: of any text, and in a time that grows with it."""

from __future__ import annotations

import pytest

from relay.content.address import Mailbox
from relay.content.new_field import address_field, phrase, unstructured
from tests.worst_input import is_linear, repeated


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ann", "Ann"),
        ("A. B", '"A. B"'),
        ("=?x", "=?x"),
        ("=?=", "=?="),
        ("?= =?", "?= =?"),
        ("=??=", "=?utf-8?q?=3D=3F=3F=3D?="),
        ("=?x=?y?=", "=?utf-8?q?=3D=3Fx=3D=3Fy=3F=3D?="),
    ],
)
def test_a_name_that_looks_encoded_is_encoded(name: str, shown: str) -> None:
    assert phrase(name) == shown


@pytest.mark.parametrize("piece", ["=?x", "?=", "=?", "=?x ", " ", "é", "é ", '"', "a"])
def test_twice_the_value_takes_twice_the_time(piece: str) -> None:
    def made(value: str) -> None:
        unstructured("Subject", value)
        address_field("From", Mailbox(value, "a@b.example"))

    assert is_linear(made, repeated(piece))
