"""Paths and parameters of MAIL and RCPT."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.address import is_sender
from relay.smtp.mail_and_rcpt import BadParameter, BadPath, Path, parse


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ("FROM:<ann@example.com>", "ann@example.com"),
        ("from:<ann@example.com>", "ann@example.com"),
        ("FROM: <ann@example.com>", "ann@example.com"),
        ("FROM:ann@example.com", "ann@example.com"),
        ("FROM: root", "root"),
        ("FROM:<>", ""),
        ("FROM:< >", ""),
        ("FROM:<@a.example,@b.example:ann@example.com>", "ann@example.com"),
        ('FROM:<"a b"@example.com>', '"a b"@example.com'),
        ('FROM:<"a>b"@example.com>', '"a>b"@example.com'),
        (r'FROM:<"a\"b"@example.com>', r'"a\"b"@example.com'),
    ],
)
def test_a_path_is_read_as_old_clients_write_it(argument: str, address: str) -> None:
    assert parse(argument, "FROM:") == Path(address, {})


def test_parameters_are_read_with_their_names_in_upper_case() -> None:
    assert parse("FROM:<a@b> size=10 BODY=8BITMIME smtputf8", "FROM:") == Path(
        "a@b", {"SIZE": "10", "BODY": "8BITMIME", "SMTPUTF8": None}
    )


@pytest.mark.parametrize(
    "argument",
    ["", "FROM", "FROM:", "TO:<a@b>", "FROM:<a@b", "FROM:a@b>", "FROM:<<a>>"],
)
def test_what_is_no_path_is_refused(argument: str) -> None:
    with pytest.raises(BadPath):
        parse(argument, "FROM:")


@pytest.mark.parametrize("words", ["=", "SIZE=1 SIZE=2", "SIZE=", "-A", "A=\x01"])
def test_what_is_no_parameter_is_refused(words: str) -> None:
    with pytest.raises(BadParameter):
        parse(f"FROM:<a@b> {words}", "FROM:")


@pytest.mark.parametrize(
    "address",
    ["root", "app@localhost", "a@svc_1.local", "a@[192.0.2.1]", '"a b"@x', "a.b+c@d.e"],
)
def test_any_mailbox_or_local_part_may_send(address: str) -> None:
    assert is_sender(address)


@pytest.mark.parametrize(
    "address",
    ["a@", "@b", "a..b@c", ".a@b", "a b@c", "a@b c", "a@-b", "a@b..c", "a@b@c"],
)
def test_what_is_no_mailbox_may_not_send(address: str) -> None:
    assert not is_sender(address)


@given(st.text(max_size=80))
def test_any_argument_is_a_path_or_refused(text: str) -> None:
    try:
        found = parse(f"FROM:{text}", "FROM:")
    except (BadPath, BadParameter):
        return
    assert found.address == found.address.strip()
