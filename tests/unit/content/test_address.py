"""Addresses stay as they are written, but for A-labels."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.address import (
    NonAsciiLocalPart,
    addresses,
    ascii_mailbox,
    check,
    first_address,
    is_in_ascii,
    is_sender,
    mailbox,
)
from tests.worst_input import is_linear, repeated


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


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("A <a@x.example>, B <b@x.example>", "a@x.example"),
        ("a@x.example (Ann), b@x.example", "a@x.example"),
        ('"a, <b>" <c@d.example>', "c@d.example"),
        ('"q\\"," <a@b.example>', "a@b.example"),
        ('"a b"@c.example, x', '"a b"@c.example'),
        ("(n(e)st, \\) <no>) a@b.example", "a@b.example"),
        ('yes@b.example, "no <a@b.example>', "yes@b.example"),
        ('"no <a@b.example>', ""),
        ("(no <a@b.example>", ""),
        ("", ""),
    ],
)
def test_the_first_address_of_a_list(value: str, address: str) -> None:
    assert first_address(value) == address


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('A <a@x.example>, "B, b" <b@x.example>', ["a@x.example", "b@x.example"]),
        ("a@x.example (Ann, of us),\tb@x.example ", ["a@x.example", "b@x.example"]),
        ('"a, b"@c.example, x', ['"a, b"@c.example', "x"]),
        ("root", ["root"]),
        ("Zoë <zoë@x.example>", ["zoë@x.example"]),
        (
            "us: a@x.example, B <b@x.example>;, c@y",
            ["a@x.example", "b@x.example", "c@y"],
        ),
        ("undisclosed-recipients:;", []),
        ("a@[IPv6:::1], , <b@x.example>,", ["a@[IPv6:::1]", "b@x.example"]),
        (" ", []),
    ],
)
def test_all_addresses_of_a_list(value: str, found: list[str]) -> None:
    assert addresses(value) == found


@pytest.mark.parametrize(
    "value",
    ["Ann Lee", "a@x.example b@x.example", "a@x.example, <b@x.example", "<a b>"],
)
def test_what_is_no_address_is_not_passed_over(value: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        addresses(value)


@pytest.mark.parametrize("before", ["", '"', "(", "a <", 'é "a"@'])
@pytest.mark.parametrize(
    "piece", ["(\\(", ")", '\\"', '"a', "<a", "< ", "a@", "a.", "a-", " ", '"@']
)
def test_twice_the_addresses_take_twice_the_time(piece: str, before: str) -> None:
    def read(value: str) -> None:
        first_address(value)
        found = ascii_mailbox(mailbox(value))
        is_in_ascii(found.address)
        is_sender(value)
        with suppress(ValueError):
            addresses(value)
        with suppress(ValueError):
            check(value)

    assert is_linear(read, repeated(piece, before, '" <a@b.example>'))


def test_an_address_longer_than_any_is_refused_before_the_library_looks() -> None:
    for long in ("a" * 400 + "@b.example", "x@" + "é." * 200 + "example"):
        with pytest.raises(ValueError, match="longer than 320"):
            check(long)
        assert ascii_mailbox(mailbox(long)).address == long
        assert not is_in_ascii(long)
