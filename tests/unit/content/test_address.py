"""Addresses stay as they are written, but for A-labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.address import NonAsciiLocalPart, check


@pytest.mark.parametrize(
    "address",
    [
        "Ann@Example.COM",
        "root@localhost",
        "app@svc.local",
        "x@relay.test",
        '"a b"@c.de',
    ],
)
def test_an_address_stays_as_it_is_written(address: str) -> None:
    assert check(address) == address


def test_an_idn_domain_becomes_a_labels() -> None:
    assert check("Ann@bücher.example") == "Ann@xn--bcher-kva.example"


def test_a_non_ascii_local_part_is_told_apart() -> None:
    with pytest.raises(NonAsciiLocalPart):
        check("é@example.com")


@pytest.mark.parametrize("address", ["", "a", "a@", "@b.c", "a b@c.de", "a..b@c.de"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check(address)


@given(st.text() | st.builds("{}@{}".format, st.text(), st.text()))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        assert check(text).isascii()
    except ValueError as error:
        assert str(error)  # noqa: PT017 - a refusal says why
